/**
 * The leader's work: it keeps the fair queue as the rows are, and gives devices the jobs whose turn
 * it is. Events say which rows to read again; a look each second finds what no event told. It knows
 * nothing that is not in rows but how fast the lanes go: any error ends it, and whoever leads next,
 * in this process or another, begins with the rows.
 */
import { setImmediate as breath } from 'node:timers/promises'
import { isTerminal } from '../core/job.ts'
import type { HeardEvent, JobEvents } from '../queue/events.ts'
import type { LiveDispatch } from '../queue/dispatch-rows.ts'
import { Wakes } from '../queue/wakes.ts'
import { readCostModel } from '../store/cost-model.ts'
import { aliveDevices } from '../store/devices.ts'
import { loadTags } from '../store/flows.ts'
import { newestQueued, type ScheduledJob, scheduledJobs } from '../store/scheduled-jobs.ts'
import {
  type Backlog,
  backlogOf,
  type Histories,
  noHistories,
  recordedLanes,
} from './backlog-row.ts'
import { Estimates } from './estimates.ts'
import { classesOf, type DeviceClass, HandedOut } from './handed-out.ts'
import { failLost, type HandOver, handOver, type Parcel, takeBack } from './hand-over.ts'
import { together } from './leader.ts'
import { Order, type Whereabouts } from './order.ts'
import { type Pick, pickNext } from './picks.ts'
import { WriteBehind } from './write-behind.ts'

/** What dispatching works with. */
export type DispatcherOptions = HandOver & { readonly events: JobEvents }

/** Between two looks for what no event has told. */
const lookIntervalMs = 1_000
/** Between two comparisons of what was handed out with what the queue has. */
const auditIntervalMs = 10_000
const writeIntervalMs = 1_000
const settlesAWrite = 64
/** Rows that are read at once: more would keep everything else in this process waiting. */
const rowsAtOnce = 100
/** A new job of which no event came is among so many newest ones. */
const newestAtOnce = 200

/** The class of a job that was lost: no device has it. */
const nowhere = ''

/**
 * Dispatches until the signal is aborted; for `whileLeading` to run.
 *
 * @throws whatever the database throws: lead anew
 */
export async function runDispatcher(
  options: DispatcherOptions,
  signal: AbortSignal,
): Promise<void> {
  const estimates = new Estimates(await readCostModel(options.database))
  const dispatcher = new Dispatcher(options, estimates)
  const unsubscribe = options.events.subscribe((event) => dispatcher.hear(event))
  try {
    await together(signal, [
      (ending) => dispatcher.dispatch(ending),
      (ending) => dispatcher.writeBehind(ending),
      (ending) => failLost(options, ending),
    ])
  } finally {
    unsubscribe()
  }
}

class Dispatcher {
  readonly #options: DispatcherOptions
  readonly #estimates: Estimates
  readonly #handed = new HandedOut()
  readonly #wakes = new Wakes()
  #order: Order
  #classes: readonly DeviceClass[] = []
  /** Jobs and guilds whose rows are to be read again. */
  readonly #heardJobs = new Set<string>()
  readonly #heardGuilds = new Set<number>()
  /** Jobs that cannot be handed over just now. */
  readonly #paused = new Set<string>()
  /** Whether events may have been missed: the order is to be built anew. */
  #isStale = true
  #isLoaded = false
  #isToLook = false
  #lookedAtMs = -Infinity
  #auditedAtMs = -Infinity
  #settles = 0

  constructor(options: DispatcherOptions, estimates: Estimates) {
    this.#options = options
    this.#estimates = estimates
    this.#order = new Order(options.database, options.now())
  }

  /** Takes note of an event. */
  hear(event: HeardEvent): void {
    if (event.type === 'message') return
    if (event.type === 'gap') this.#isStale = true
    else if (event.type === 'device') this.#isToLook = true
    else if (event.type === 'guild') this.#heardGuilds.add(Number(event.guild))
    else if (event.type === 'step') this.#hearStep(event)
    else if (event.type !== 'dispatched') this.#heardJobs.add(event.jobId)
    this.#wakes.call('dispatch')
  }

  /** Dispatches, and does what else there is to do, one thing after the other. */
  async dispatch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const wakeCount = this.#wakes.count('dispatch')
      await this.#catchUp()
      await this.#handOut(signal)
      if (this.#heardJobs.size > 0) await breath()
      else await this.#wakes.sleep('dispatch', wakeCount, lookIntervalMs, signal)
    }
  }

  /** Writes what is written behind, until the end and then once more. */
  async writeBehind(signal: AbortSignal): Promise<void> {
    const written = new WriteBehind(this.#options.database)
    let histories = noHistories
    for (let isLast = false; !isLast;) {
      const wakeCount = this.#wakes.count('write')
      await this.#wakes.sleep('write', wakeCount, writeIntervalMs, signal)
      isLast = signal.aborted
      if (!this.#isLoaded) continue
      const nowMs = this.#options.now()
      histories = recordedLanes(this.#order.queue, histories, nowMs)
      // With a lot that waits each part of this is work enough for one turn.
      await breath()
      const backlog = this.#backlog(histories, nowMs)
      await breath()
      await written.write(
        { tags: this.#order.queue.tags(), model: this.#estimates.model, backlog },
        nowMs,
      )
    }
  }

  #hearStep({ jobId, index, evaluations }: Extract<HeardEvent, { type: 'step' }>): void {
    const nowMs = this.#options.now()
    const replaced = this.#handed.step(jobId, { index, evaluations }, nowMs)
    if (replaced === undefined || !this.#order.isRunning(replaced)) return
    // While it waits for its rival, it is charged only for what it has done.
    const part = this.#handed.partOf(replaced)
    this.#order.queue.charge(replaced, Math.round(this.#order.estimateOf(replaced) * part))
  }

  /** Makes the order what the rows are now. */
  async #catchUp(): Promise<void> {
    const isDue = performance.now() - this.#lookedAtMs >= lookIntervalMs
    if (isDue || this.#isToLook) await this.#lookAtDevices()
    if (this.#isStale) await this.#load()
    if (isDue) await this.#lookAtJobs()
    if (this.#heardGuilds.size > 0) {
      const rows = [...this.#heardGuilds]
      this.#heardGuilds.clear()
      await this.#order.refreshGuilds(rows)
    }
    if (this.#heardJobs.size > 0) await this.#readHeard()
  }

  async #load(): Promise<void> {
    const { database, now } = this.#options
    const tags = this.#isLoaded ? this.#order.queue.tags() : await loadTags(database)
    this.#heardJobs.clear()
    this.#isStale = false // Unless a gap comes meanwhile.
    const { live, lost } = await this.#inQueue()
    const whereIs = async ({ id, attempt }: ScheduledJob): Promise<Whereabouts> => {
      if (live.has(id) || lost.has(id)) return 'at device'
      const fate = await takeBack(this.#options, id, { attempt, isInQueue: false })
      return fate === 'ended' ? 'ended' : 'queued'
    }
    const sources = { database, tags, estimates: this.#estimates, whereIs, nowMs: now() }
    this.#order = await Order.load(sources)
    this.#order.setCapacity(this.#capacity)
    this.#isLoaded = true
    for (const id of this.#handed.jobIds) if (!this.#order.isRunning(id)) this.#handed.delete(id)
    for (const id of this.#order.running) {
      if (this.#handed.of(id) !== undefined) continue
      this.#noteHanded(live.get(id)?.deviceClass ?? nowhere, [id])
    }
  }

  async #lookAtDevices(): Promise<void> {
    const { database, now } = this.#options
    this.#isToLook = false
    const speed = ({ name }: DeviceClass): number => this.#estimates.speedOf(name)
    const classes = classesOf(await aliveDevices(database, now()))
    const hadDevices = this.#classes.length > 0
    this.#classes = classes.toSorted((one, other) => speed(other) - speed(one))
    // Members are told at once that nobody draws, and that somebody does again.
    if (hadDevices !== classes.length > 0) this.#wakes.call('write')
    this.#estimates.usualClass = this.#classes[0]?.name ?? this.#estimates.usualClass
    this.#order.setCapacity(this.#capacity)
  }

  /** Finds what no event has told. */
  async #lookAtJobs(): Promise<void> {
    this.#lookedAtMs = performance.now()
    this.#paused.clear()
    for (const id of this.#handed.jobIds) this.#heardJobs.add(id)
    for (const id of await newestQueued(this.#options.database, newestAtOnce)) {
      if (!this.#order.has(id)) this.#heardJobs.add(id)
    }
    const isStranded = this.#handed.classes.some(
      (name) => name !== nowhere && !this.#isServed(name),
    )
    const isDue = performance.now() - this.#auditedAtMs >= auditIntervalMs
    if (isStranded || isDue) await this.#audit()
  }

  /** Takes back what was handed out and is nowhere, or has no device left to take it. */
  async #audit(): Promise<void> {
    this.#auditedAtMs = performance.now()
    const ids = this.#handed.jobIds
    const { live, lost } = await this.#inQueue()
    for (const { id, state, attempt } of await scheduledJobs(this.#options.database, ids)) {
      if (isTerminal(state) || state === 'queued' || lost.has(id)) continue
      const dispatch = live.get(id)
      if (dispatch && (dispatch.isHeld || this.#isServed(dispatch.deviceClass))) continue
      const fate = await takeBack(this.#options, id, {
        attempt: dispatch?.attempt ?? attempt,
        isInQueue: dispatch !== undefined,
      })
      if (fate === 'queued') this.#returnToHead(id)
      if (fate === 'ended') this.#heardJobs.add(id)
    }
  }

  async #inQueue(): Promise<{ live: Map<string, LiveDispatch>; lost: Set<string> }> {
    const { queue } = this.#options
    // Careful: in this order, or one that is lost in between would be in neither.
    const live = new Map((await queue.live()).map((dispatch) => [dispatch.jobId, dispatch]))
    return { live, lost: new Set(await queue.lost()) }
  }

  async #readHeard(): Promise<void> {
    const ids = [...this.#heardJobs].slice(0, rowsAtOnce)
    for (const id of ids) this.#heardJobs.delete(id)
    const jobs = await scheduledJobs(this.#options.database, ids)
    const found = new Set(jobs.map(({ id }) => id))
    for (const id of ids) if (!found.has(id) && this.#order.has(id)) this.#end(id)
    for (const job of jobs) {
      const { id, state } = job
      if (isTerminal(state)) {
        if (this.#order.has(id)) this.#end(id, job)
      } else if (state !== 'queued') {
        // Somebody else has handed it out: they lead, or led a moment ago.
        if (this.#handed.of(id) === undefined) this.#isStale = true
      } else if (this.#order.isRunning(id)) {
        this.#returnToHead(id)
      }
    }
    await this.#order.enqueue(jobs, this.#estimates)
  }

  /** Hands out all that there is room for. */
  async #handOut(signal: AbortSignal): Promise<void> {
    const choice = {
      order: this.#order,
      handed: this.#handed,
      estimates: this.#estimates,
      classes: this.#classes,
      paused: this.#paused,
    }
    while (!signal.aborted) {
      const pick = pickNext(choice, this.#options.now())
      if (pick === undefined) return
      await this.#give(pick)
    }
  }

  async #give({ deviceClass, jobs, rivalOf }: Pick): Promise<void> {
    const parcels = jobs.map(({ id }): Parcel => {
      const { hasPreviews, hasRecipes } = this.#order.settingsOf(id)
      const work = { ...this.#order.workOf(id), batch: jobs.length }
      return {
        jobId: id,
        payload: {
          estimateMicros: this.#estimates.onDevice(deviceClass, work),
          hasPreviews,
          hasRecipe: hasRecipes,
          ...(jobs.length > 1 && { batch: jobs[0]!.id }),
          ...(rivalOf !== undefined && { rival: rivalOf }),
        },
      }
    })
    const ids = jobs.map(({ id }) => id)
    // Before it is true: a fast worker tells of its first step before our transaction is known to be.
    this.#noteHanded(deviceClass, ids, rivalOf)
    const outcomes = await handOver(this.#options, deviceClass, parcels)
    for (const id of ids) {
      const outcome = outcomes.get(id)
      if (outcome === 'gone') {
        this.#takeFromDevice(id)
        this.#heardJobs.add(id)
      } else if (outcome === 'not yet') {
        this.#paused.add(id)
        this.#returnToHead(id)
      }
    }
  }

  #noteHanded(deviceClass: string, ids: readonly string[], rivalOf?: string): void {
    const micros = ids.map((id) => {
      const work = { ...this.#order.workOf(id), batch: ids.length }
      return this.#estimates.onDevice(deviceClass, work)
    })
    this.#handed.add({
      id: ids[0]!,
      jobs: new Set(ids),
      deviceClass,
      expectedMicros: micros.reduce((sum, each) => sum + each, 0),
      isGuess: this.#estimates.isGuess(deviceClass),
      ...(rivalOf !== undefined && { rivalOf }),
      handedAtMs: this.#options.now(),
    })
  }

  /** A job has ended, or is gone with its guild. */
  #end(id: string, job?: ScheduledJob): void {
    const handed = this.#handed.of(id)
    if (handed && job?.state === 'done' && job.deviceMicros !== undefined) {
      this.#estimates.learn(handed.deviceClass, this.#order.workOf(id), job.deviceMicros)
    }
    this.#takeFromDevice(id)
    this.#order.end(id, job?.costMicros ?? 0)
    this.#settles += 1
    if (this.#settles % settlesAWrite === 0) this.#wakes.call('write')
  }

  #returnToHead(id: string): void {
    this.#takeFromDevice(id)
    this.#order.queue.returnToHead(id)
  }

  /** No device has the job any more; one whose place it had taken goes on, at its full price. */
  #takeFromDevice(id: string): void {
    const replaced = this.#handed.of(id)?.rivalOf
    this.#handed.delete(id)
    if (replaced === undefined || !this.#order.isRunning(replaced)) return
    this.#order.queue.charge(replaced, this.#order.estimateOf(replaced))
  }

  #isServed(deviceClass: string): boolean {
    return this.#classes.some(({ name }) => name === deviceClass)
  }

  get #capacity(): number {
    const capacities = this.#classes.map(
      ({ name, devices }) => devices * this.#estimates.speedOf(name),
    )
    return capacities.reduce((sum, each) => sum + each, 0)
  }

  #backlog(histories: Histories, nowMs: number): Backlog {
    const freeInMs = this.#classes.map((each) => this.#handed.freeInMs(each, nowMs))
    return backlogOf(this.#order.queue, histories, {
      devices: this.#classes.reduce((sum, { devices }) => sum + devices, 0),
      capacity: this.#capacity,
      residualMs: freeInMs.length > 0 ? Math.min(...freeInMs) : 0,
    })
  }
}
