/**
 * Start-time fair queueing (SFQ) at one level: flows that share a server.
 *
 * Source: P. Goyal, H. M. Vin, H. Cheng, "Start-time fair queueing: a scheduling algorithm for
 * integrated services packet switching networks", SIGCOMM 1996; IEEE/ACM ToN 5(5), 1997.
 *
 *   w  weight of a flow        e  estimated cost of a job, e > 0      S  start tag of a flow
 *   V  virtual time            c  its true cost                       l  largest c of a flow
 *
 * The waiting flow of least S is served: V <- max(V, S), then S <- S + e/w. Settling a job adds
 * (c - e)/w. A flow that begins to wait joins at max(S, V): idleness earns no credit and sheds no
 * debt. What differs from the paper: tags belong to flows, not to jobs, so that the cost of a job is
 * needed only once it is chosen and a wrong guess can be taken back; the V at which a flow joined is
 * kept as its floor, under which no refund takes its tag; a flow may wait `over-cap`, after all
 * others. As in the paper, when nobody waits or runs any more V rises to the greatest tag.
 *
 * Virtual time is counted in ticks, 2520 to a microsecond at weight 1. Weights divide that number:
 * every charge is a whole number of ticks, and nothing is ever rounded.
 */
import type { Fifo } from './fifo.ts'
import { IndexedHeap } from './indexed-heap.ts'
import type { QueuedJob } from './queued-job.ts'

/** Ticks of virtual time to a microsecond of cost at weight 1: divisible by 1 to 10. */
export const ticksPerMicro = 2520

/** Tags of a server move back by V when V passes 2^40 microseconds (12.7 days of service). */
const rebaseTicks = 2 ** 40 * ticksPerMicro

/**
 * What a flow is to its server: `waiting` to be served; waiting but `over-cap`, to be served when no
 * other can be; `held`, in service or unable to be served now; or `idle`.
 */
export type Standing = 'waiting' | 'over-cap' | 'held' | 'idle'

const rank: Readonly<Record<Standing, number>> = { waiting: 0, 'over-cap': 1, held: 2, idle: 3 }

/** What a flow's lanes have in common: its weight, and how many jobs it has. */
export type Account = { weight: number; inFlight: number; jobs: number }

/** A job in its member's line. */
export type WaitingJob = { readonly job: QueuedJob; readonly flow: Flow; isCancelled: boolean }

/** A flow's tags as plain data: ticks, without what its running jobs are charged. */
export type FlowTags = {
  readonly id: string
  readonly start: number
  readonly floor: number
  readonly sequence: number
  readonly flows?: ServerTags
}

/** A server's virtual time and its flows as plain data, all in ticks. */
export type ServerTags = {
  readonly virtualTime: number
  readonly rebased: number
  readonly sequence: number
  readonly flows: readonly FlowTags[]
}

/** Ticks that a microsecond costs at a weight, which must divide 2520: 1 to 10, 12, 14, 15, ... */
export function ticksAtWeight(weight: number): number {
  const ticks = ticksPerMicro / weight
  if (weight >= 1 && Number.isInteger(ticks)) return ticks
  throw new Error(`internal: expected a weight that divides ${ticksPerMicro}, got ${weight}`)
}

/** One of those who share a server: a lane, a guild in a lane, or a member of such a guild. */
export class Flow {
  readonly id: string
  readonly server: FairServer
  account: Account
  /** S without its floor, in ticks; with the floor it is `tag`. */
  start = 0
  floor = 0
  /** Of two equal tags, the flow that has waited longer is served first. */
  sequence = 0
  standing: Standing = 'idle'
  slot = -1
  queuedJobs = 0
  queuedMicros = 0
  inFlight = 0
  /** What this flow's own flows share; none: it is a member, with a line of jobs. */
  readonly inner: FairServer | undefined
  readonly jobs: Fifo<WaitingJob> | undefined

  constructor(id: string, server: FairServer, account: Account, jobs?: Fifo<WaitingJob>) {
    this.id = id
    this.server = server
    this.account = account
    this.jobs = jobs
    this.inner = jobs === undefined ? new FairServer(this) : undefined
  }

  /** S: the virtual time at which this flow's next job starts, in ticks. */
  get tag(): number {
    return Math.max(this.start, this.floor)
  }

  /** The flow that this one is part of. */
  get parent(): Flow | undefined {
    return this.server.owner
  }
}

/** The order in which flows are served, and how far each of them has been. */
export class FairServer {
  readonly owner: Flow | undefined
  readonly #flows = new Map<string, Flow>()
  readonly #waiting = new IndexedHeap<Flow>(isServedBefore)
  /** Idle flows with S > V: forgotten, like all idle flows, as soon as V has come up to them. */
  readonly #resting = new IndexedHeap<Flow>(isBehind)
  #virtualTime = 0
  #rebased = 0
  #sequence = 0

  constructor(owner?: Flow) {
    this.owner = owner
  }

  /** V, in ticks; never decreases but for moving back together with all tags. */
  get virtualTime(): number {
    return this.#virtualTime
  }

  /** Ticks by which V has been moved back so far. */
  get rebased(): number {
    return this.#rebased
  }

  /** All that are not forgotten: who waits, is served, or has had too much. */
  get flows(): ReadonlyMap<string, Flow> {
    return this.#flows
  }

  /** Who waits, over-cap or not. */
  get waiting(): IndexedHeap<Flow> {
    return this.#waiting
  }

  /** Makes a new flow known, at V; it is to be placed next. */
  admit(flow: Flow): void {
    flow.start = this.#virtualTime
    this.#flows.set(flow.id, flow)
  }

  /** Tells the server what a flow has become; one that begins to wait joins at V. */
  place(flow: Flow, standing: Standing): void {
    if (flow.standing === standing) return
    if (this.#waiting.has(flow)) this.#waiting.remove(flow)
    if (this.#resting.has(flow)) this.#resting.remove(flow)
    // Being capped is like being idle: what a flow could not have used is not owed to it.
    if (rank[standing] < rank[flow.standing] && standing !== 'held') {
      flow.floor = this.#virtualTime
      flow.sequence = this.#sequence++
    }
    flow.standing = standing
    this.#file(flow)
  }

  /** Serves a waiting flow, and charges it. */
  serve(flow: Flow, ticks: number): void {
    this.#virtualTime = Math.max(this.#virtualTime, flow.tag)
    flow.start = flow.tag
    this.charge(flow, ticks)
    this.#forget()
    if (this.#virtualTime > rebaseTicks) this.#rebase()
  }

  /** Moves the tag of a flow that is not idle; below 0 is a refund. */
  charge(flow: Flow, ticks: number): void {
    flow.start += ticks
    if (this.#waiting.has(flow)) this.#waiting.moved(flow)
  }

  /** Nobody waits or runs: V rises to the greatest tag and all is forgotten. */
  endBusyPeriod(): void {
    for (const flow of this.#resting) this.#virtualTime = Math.max(this.#virtualTime, flow.tag)
    this.#forget()
  }

  /** All that decides the order, as plain data; `unsettled` tells what running jobs are charged. */
  tags(unsettled: (flow: Flow) => number): ServerTags {
    return {
      virtualTime: this.#virtualTime,
      rebased: this.#rebased,
      sequence: this.#sequence,
      flows: Array.from(this.#flows.values(), (flow) => ({
        id: flow.id,
        start: flow.start - unsettled(flow),
        floor: flow.floor,
        sequence: flow.sequence,
        ...(flow.inner && { flows: flow.inner.tags(unsettled) }),
      })),
    }
  }

  /** Takes over a server's virtual time from `tags`; its flows are for the caller to make. */
  adopt({ virtualTime, rebased, sequence }: ServerTags): void {
    this.#virtualTime = virtualTime
    this.#rebased = rebased
    this.#sequence = sequence
  }

  /** Places a flow that keeps the tags it has; for restoring. */
  resume(flow: Flow, standing: Standing): void {
    flow.standing = standing
    this.#file(flow)
  }

  /** Throws unless heaps, standings and counts agree; for tests. */
  check(): void {
    this.#waiting.check()
    this.#resting.check()
    for (const flow of this.#flows.values()) {
      const isWaiting = flow.standing === 'waiting' || flow.standing === 'over-cap'
      const isResting = flow.standing === 'idle' && flow.tag > this.#virtualTime
      const isFiled = this.#waiting.has(flow) === isWaiting && this.#resting.has(flow) === isResting
      const isKept = isWaiting || isResting || flow.standing === 'held'
      const isSafe = Number.isSafeInteger(flow.start) && Number.isSafeInteger(flow.floor)
      if (!isFiled || !isKept || !isSafe) throw new Error(`internal: flow ${flow.id} is misplaced`)
      flow.inner?.check()
    }
  }

  #file(flow: Flow): void {
    this.#flows.set(flow.id, flow)
    if (flow.standing === 'waiting' || flow.standing === 'over-cap') this.#waiting.add(flow)
    if (flow.standing !== 'idle') return
    if (flow.tag > this.#virtualTime) this.#resting.add(flow)
    else this.#drop(flow)
  }

  #drop(flow: Flow): void {
    this.#flows.delete(flow.id)
    // Tags mean something only among the flows of this server, which move back together.
    flow.start = 0
    flow.floor = 0
  }

  #forget(): void {
    for (
      let first = this.#resting.first;
      first !== undefined && first.tag <= this.#virtualTime;
      first = this.#resting.first
    ) {
      this.#resting.remove(first)
      this.#drop(first)
    }
  }

  /** Every tag moves by the same, so no order changes; who is 12 days behind is as good as more. */
  #rebase(): void {
    const ticks = this.#virtualTime
    for (const flow of this.#flows.values()) {
      flow.start = Math.max(flow.start - ticks, -rebaseTicks)
      flow.floor = Math.max(flow.floor - ticks, -rebaseTicks)
    }
    this.#virtualTime = 0
    this.#rebased += ticks
  }
}

function isServedBefore(one: Flow, other: Flow): boolean {
  const byStanding = rank[one.standing] - rank[other.standing]
  return byStanding === 0 ? isBehind(one, other) : byStanding < 0
}

function isBehind(one: Flow, other: Flow): boolean {
  return (one.tag - other.tag || one.sequence - other.sequence) < 0
}
