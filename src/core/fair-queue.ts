/**
 * The only fairness policy of the house: start-time fair queueing, one level above the other.
 * Lane -> guild (by weight) -> member (by weight) -> first in, first out; charged in microseconds
 * of the reference device, by estimate when a job is dispatched and by its true cost when it is
 * settled. `fair-server.ts` has the algorithm of one level, its paper and its symbols.
 *
 * A guild is to its members a server of varying speed, for which SFQ's fairness holds unchanged.
 * W is the true cost served, f and g flows that wait throughout, C devices' capacity:
 *
 *   T1  one device: |W_f/w_f - W_g/w_g| <= l_f/w_f + l_g/w_g, whatever the estimates are: S less
 *       W/w is constant between decisions, and each pick was the least S
 *   T2  m devices: (m + 1) times that, and the errors |c - e|/w of the at most m jobs unsettled
 *   T3  T1 and T2 hold on every level, as they do not mention the server's speed
 *   T4  a flow that joins without debt is preceded by each other flow at most once: it waits at
 *       most (what runs + the sum of l of the others + what is owed to them) / C, at any weight
 *   T5  mates of a batch come from at most one window ahead of the least tag: T1 plus that window
 *   T6  a job is preempted (`preemption.ts`) at most 4 times, by jobs at most half as long as what
 *       is left of it and whose tags go first; charges stay with the steps done, so T1 holds
 *   T7  the moderators' share of at most 1/20 leaves the others at least 19/20 of C
 *   T8  a device is refused only if no job is both fit for it and below its member's cap: the caps
 *       of guilds give way when no one else waits
 *
 * Pure: no clock, no chance; time is an argument. O(log n) an operation, n the flows of one server.
 */
import { type ServerTags, type WaitingJob, ticksAtWeight, ticksPerMicro } from './fair-server.ts'
import type { Flow } from './fair-server.ts'
import { type FairQueueLimits, FlowTree, type Weight } from './flow-tree.ts'
import { firstMember, isServedBefore, path } from './flow-tree.ts'
import { type Lane, type QueuedJob, checkedMicros } from './queued-job.ts'
import { type TokenBucket, type TokenRate, refilled, taken } from './token-bucket.ts'

/** A dispatched job: what it is charged so far, at the weights of its member, guild and lane. */
export type RunningJob = {
  readonly job: QueuedJob
  readonly chargedMicros: number
  readonly weights: readonly number[]
  /** Whether it went before others as a moderator's, at the cost of the moderators' share. */
  readonly isRationed: boolean
}

/** A queue as plain data: what decides the order, and the jobs. */
export type FairQueueSnapshot = {
  readonly open: ServerTags
  readonly strict: ServerTags
  readonly moderation: TokenBucket
  readonly weights: readonly Weight[]
  /** Each member's in the order of its line. */
  readonly queued: readonly QueuedJob[]
  readonly running: readonly RunningJob[]
}

/** Whether a device can take a job. */
export type Accepts = (job: QueuedJob) => boolean

type Charge = { readonly flow: Flow; readonly weight: number }
type Running = {
  readonly entry: WaitingJob
  readonly charges: readonly Charge[]
  readonly isRationed: boolean
  chargedMicros: number
}

const moderatorShare = 1 / 20
/** Moderators may save up this much time of their share. */
const moderatorBurstMs = 60_000
/** A search for mates of a batch looks at no more flows of one server than this. */
const mostLookedAt = 256

const anything: Accepts = () => true

/** Jobs, in the order in which devices should run them. */
export class FairQueue {
  readonly #tree: FlowTree
  readonly #waiting = new Map<string, WaitingJob>()
  readonly #running = new Map<string, Running>()
  #moderation: TokenBucket

  /** An empty queue; `nowMs` is the time on the clock that `dispatch` will be told. */
  constructor(limits: FairQueueLimits, nowMs = 0) {
    this.#tree = new FlowTree(limits)
    this.#moderation = { tokens: this.#moderationRate.burst, atMs: nowMs }
  }

  /** How many jobs wait. */
  get queuedJobs(): number {
    return this.#waiting.size
  }

  /** How many jobs are dispatched and not yet settled. */
  get runningJobs(): number {
    return this.#running.size
  }

  /** The lanes and all that is in them, to look at. */
  get lanes(): Readonly<Record<Lane, Flow>> {
    return this.#tree.lanes
  }

  /** A waiting job with its member's flow, to look at. */
  waiting(id: string): WaitingJob | undefined {
    return this.#waiting.get(id)
  }

  /** Puts a job, whose id must be new, at the end of its member's line. */
  enqueue(job: QueuedJob): void {
    this.#tree.refresh(this.#append(job).flow)
  }

  /**
   * The job that a free device is to run now, charged its estimate; none if none is fit for it.
   * `accepts` skips members whose next job the device cannot take: they keep their tags, and so are
   * owed what they miss. Looking past k of them takes O(k log k) more.
   */
  dispatch(nowMs: number, accepts: Accepts = anything): QueuedJob | undefined {
    const next = this.#next(nowMs, accepts)
    return next && this.#start(next.flow, next.isRationed)
  }

  /**
   * Up to `most` more jobs for one batch with the job just dispatched, whose key this is: next in
   * line of members that are, like their guilds, at most `windowMicros` (at weight 1) ahead of the
   * least tag; in the order of tags. Each is charged its own estimate: settle the true shares.
   */
  dispatchMates(
    batchKey: string,
    windowMicros: number,
    most: number,
    accepts: Accepts = anything,
  ): QueuedJob[] {
    const isMate: Accepts = (job) => job.batchKey === batchKey && accepts(job)
    const window = windowMicros * ticksPerMicro
    const mates: QueuedJob[] = []
    while (mates.length < most) {
      const flow = firstMember(this.#tree.open, isMate, window, mostLookedAt)
      if (flow === undefined) break
      mates.push(this.#start(flow, false))
    }
    return mates
  }

  /**
   * The waiting job that would go before a running one if that were charged only for what it has
   * done so far; the first condition for taking its place (`preemption.ts` has the others). Never a
   * job of the same member.
   */
  rival(
    id: string,
    doneMicros: number,
    nowMs: number,
    accepts: Accepts = anything,
  ): QueuedJob | undefined {
    const running = this.#running.get(id)
    if (running === undefined) return undefined
    const { chargedMicros, entry } = running
    this.#charge(running, doneMicros)
    const next = this.#next(nowMs, accepts)
    const isFirst = next && (next.isRationed || isServedBefore(next.flow, entry.flow))
    this.#charge(running, chargedMicros)
    return isFirst === true ? next?.flow.jobs?.first?.job : undefined
  }

  /**
   * Changes what a running job is charged: only what it has done while it is preempted, all of its
   * estimate when it goes on. False: it is not running.
   */
  charge(id: string, micros: number): boolean {
    const running = this.#running.get(id)
    if (running !== undefined) this.#charge(running, micros)
    return running !== undefined
  }

  /** Ends a running job at its true cost, however it ended. False: it is not running. */
  settle(id: string, actualMicros: number): boolean {
    const running = this.#running.get(id)
    if (running === undefined) return false
    const { entry } = running
    this.#charge(running, actualMicros)
    this.#stop(running)
    this.#tree.countJob(entry.job, -1)
    this.#tree.refreshLanes(entry)
    return true
  }

  /** Puts a job that was lost while it ran back at the head of its line, charged nothing. */
  returnToHead(id: string): boolean {
    const running = this.#running.get(id)
    if (running === undefined) return false
    const { entry } = running
    this.#charge(running, 0)
    this.#stop(running)
    this.#waiting.set(id, entry)
    entry.flow.jobs!.addFirst(entry)
    countQueued(entry, 1)
    this.#tree.refreshLanes(entry)
    return true
  }

  /** Takes a waiting job out. A running one is only named: stop it, then settle what it burnt. */
  cancel(id: string): 'queued' | 'running' | undefined {
    const entry = this.#waiting.get(id)
    if (entry === undefined) return this.#running.has(id) ? 'running' : undefined
    this.#waiting.delete(id)
    entry.flow.jobs!.cancel(entry)
    countQueued(entry, -1)
    this.#tree.countJob(entry.job, -1)
    this.#tree.refresh(entry.flow)
    return 'queued'
  }

  /** Sets the weight of a guild, or of a member in its guild, for all that is dispatched from now. */
  setWeight(weight: Weight): void {
    this.#tree.setWeight(weight)
  }

  /** Sets the limits anew, as when a device comes or goes. */
  setLimits(limits: FairQueueLimits): void {
    this.#tree.limits = limits
    this.#tree.refreshEverything()
  }

  /** All that decides the order from here on, exactly, as plain data. */
  snapshot(): FairQueueSnapshot {
    const members = Object.values(this.lanes).flatMap((lane) => this.#tree.membersOf(lane))
    return {
      ...this.tags(),
      moderation: this.#moderation,
      weights: this.#tree.weights(),
      queued: members.flatMap(({ jobs }) => Array.from(jobs ?? [], ({ job }) => job)),
      running: Array.from(this.#running.values(), (running) => ({
        job: running.entry.job,
        chargedMicros: running.chargedMicros,
        weights: running.charges.map(({ weight }) => weight),
        isRationed: running.isRationed,
      })),
    }
  }

  /** The part of a snapshot that is not to be had from anywhere else: the tags of all flows. */
  tags(): Pick<FairQueueSnapshot, 'open' | 'strict'> {
    const unsettled = new Map<Flow, number>()
    for (const { charges, chargedMicros } of this.#running.values()) {
      for (const { flow, weight } of charges) {
        const ticks = chargedMicros * ticksAtWeight(weight)
        unsettled.set(flow, (unsettled.get(flow) ?? 0) + ticks)
      }
    }
    const unsettledOf = (flow: Flow): number => unsettled.get(flow) ?? 0
    return {
      open: this.#tree.open.tags(unsettledOf),
      strict: this.#tree.strict.tags(unsettledOf),
    }
  }

  /**
   * The queue of a snapshot, exactly. Tags of an older snapshot may be put together with the jobs of
   * today: flows that they do not know join at V, and the rest is off by what was settled meanwhile.
   */
  static restore(snapshot: FairQueueSnapshot, limits: FairQueueLimits): FairQueue {
    const parts = FairQueue.restoring(snapshot, limits)
    for (;;) {
      const part = parts.next()
      if (part.done === true) return part.value
    }
  }

  /** `restore` in parts of so many jobs, for whoever has others to let in between. */
  static *restoring(
    snapshot: FairQueueSnapshot,
    limits: FairQueueLimits,
    jobsAtOnce = Infinity,
  ): Generator<void, FairQueue> {
    const queue = new FairQueue(limits)
    queue.#moderation = snapshot.moderation
    const tree = queue.#tree
    for (const weight of snapshot.weights) tree.setWeight(weight)
    const known = tree.adopt(snapshot)
    for (const [k, job] of snapshot.queued.entries()) {
      if (k % jobsAtOnce === 0) yield
      queue.#append(job)
    }
    for (const running of snapshot.running) queue.#resume(running)
    yield
    tree.resume(known)
    return queue
  }

  /** Throws unless the tree is in order; for tests. */
  check(): void {
    this.#tree.check()
  }

  get #moderationRate(): TokenRate {
    const perMs = 1000 * moderatorShare * this.#tree.limits.capacity
    return { perMs, burst: perMs * moderatorBurstMs }
  }

  #append(job: QueuedJob): WaitingJob {
    checkedMicros(job.estimateMicros, 1)
    if (this.#waiting.has(job.id) || this.#running.has(job.id)) {
      throw new Error(`internal: job ${job.id} is in the queue already`)
    }
    const entry = { job, flow: this.#tree.flowOf(job), isCancelled: false }
    this.#tree.countJob(job, 1)
    this.#waiting.set(job.id, entry)
    entry.flow.jobs!.add(entry)
    countQueued(entry, 1)
    return entry
  }

  /** Whose job is next: a moderator's while their share lasts, else by order, else a moderator's. */
  #next(nowMs: number, accepts: Accepts): { flow: Flow; isRationed: boolean } | undefined {
    const { open, strict } = this.#tree
    const moderator = strict.waiting.size > 0 ? firstMember(strict, accepts) : undefined
    if (moderator !== undefined) {
      this.#moderation = refilled(this.#moderation, this.#moderationRate, nowMs)
      if (this.#moderation.tokens > 0) return { flow: moderator, isRationed: true }
    }
    const flow = firstMember(open, accepts) ?? moderator
    return flow && { flow, isRationed: false }
  }

  #start(flow: Flow, isRationed: boolean): QueuedJob {
    const entry = flow.jobs!.first!
    const { job } = entry
    const chargedMicros = job.estimateMicros
    flow.jobs!.shift()
    this.#waiting.delete(job.id)
    countQueued(entry, -1)
    const charges = path(flow).map((each) => ({ flow: each, weight: each.account.weight }))
    for (const { flow: each, weight } of charges) {
      each.server.serve(each, chargedMicros * ticksAtWeight(weight))
      each.inFlight++
      each.account.inFlight++
    }
    if (isRationed) this.#moderation = taken(this.#moderation, chargedMicros)
    this.#running.set(job.id, { entry, charges, isRationed, chargedMicros })
    this.#tree.refreshLanes(entry)
    return job
  }

  /** A job of a snapshot that runs: charged, but not served anew. */
  #resume({ job, chargedMicros, weights, isRationed }: RunningJob): void {
    const flow = this.#tree.flowOf(job)
    this.#tree.countJob(job, 1)
    const entry = { job, flow, isCancelled: false }
    const charges = path(flow).map((each, level) => ({
      flow: each,
      weight: weights[level] ?? each.account.weight,
    }))
    for (const { flow: each, weight } of charges) {
      each.server.charge(each, checkedMicros(chargedMicros, 0) * ticksAtWeight(weight))
      each.inFlight++
      each.account.inFlight++
    }
    this.#running.set(job.id, { entry, charges, isRationed, chargedMicros })
  }

  /** Charges a running job so much in all, at the weights at which it was dispatched. */
  #charge(running: Running, micros: number): void {
    const more = checkedMicros(micros, 0) - running.chargedMicros
    for (const { flow, weight } of running.charges) {
      flow.server.charge(flow, more * ticksAtWeight(weight))
    }
    if (running.isRationed) this.#moderation = taken(this.#moderation, more)
    running.chargedMicros = micros
  }

  #stop({ entry, charges }: Running): void {
    this.#running.delete(entry.job.id)
    for (const { flow } of charges) {
      flow.inFlight--
      flow.account.inFlight--
    }
  }
}

function countQueued({ flow, job }: WaitingJob, change: 1 | -1): void {
  for (const each of path(flow)) {
    each.queuedJobs += change
    each.queuedMicros += change * job.estimateMicros
  }
}
