/**
 * All jobs that have not ended, in the fair queue, with what handing them out needs to know of each:
 * built from rows, kept up with by reading those rows again that events name.
 */
import { setImmediate as breath } from 'node:timers/promises'
import type { Work } from '../core/cost.ts'
import { FairQueue, type FairQueueSnapshot } from '../core/fair-queue.ts'
import type { FairQueueLimits } from '../core/flow-tree.ts'
import { defaultSettings, type GuildSettings } from '../core/guild.ts'
import { isTerminal } from '../core/job.ts'
import { batchKeyOf, workOf } from '../core/job-work.ts'
import type { QueuedJob } from '../core/queued-job.ts'
import type { SavedTags } from '../store/flows.ts'
import { findGuilds, type StoredGuild } from '../store/guilds.ts'
import type { Database } from '../store/prisma.ts'
import { type ScheduledJob, unsettledAfter } from '../store/scheduled-jobs.ts'
import type { Estimates } from './estimates.ts'

/** Rows that are read at once; between two reads everything else has its turn. */
const rowsAtOnce = 250
/** Jobs that are put in order at once. */
const jobsAtOnce = 2_000

type Known = {
  readonly work: Work
  readonly guildRow: number
  readonly estimateMicros: number
}

/** Where a job is that was handed out, as the queue knows. */
export type Whereabouts = 'at device' | 'queued' | 'ended'

/** What an order is built from beside the rows. */
export type OrderSources = {
  readonly database: Database
  /** Tags of an earlier order. */
  readonly tags: SavedTags | undefined
  readonly estimates: Estimates
  /** Asked of each job that was handed out. */
  readonly whereIs: (job: ScheduledJob) => Promise<Whereabouts>
  readonly nowMs: number
}

/** Jobs in order. */
export class Order {
  readonly #database: Database
  readonly #jobs = new Map<string, Known>()
  readonly #guilds = new Map<number, StoredGuild>()
  /** Members' caps of guilds that have set another than the default. */
  readonly #caps = new Map<string, number>()
  #limits: FairQueueLimits
  #queue: FairQueue

  /** One without jobs. */
  constructor(database: Database, nowMs: number) {
    this.#database = database
    this.#limits = {
      capacity: 1,
      memberInFlight: defaultSettings.memberInFlight,
      memberInFlightOf: this.#caps,
    }
    this.#queue = new FairQueue(this.#limits, nowMs)
  }

  /** The order of all jobs in the rows. */
  static async load(sources: OrderSources): Promise<Order> {
    const order = new Order(sources.database, sources.nowMs)
    const queued: QueuedJob[] = []
    const running: QueuedJob[] = []
    for await (const jobs of unsettled(sources.database)) {
      await order.#meet(jobs)
      for (const job of jobs) {
        const where = job.state === 'queued' ? 'queued' : await sources.whereIs(job)
        if (where === 'ended') continue
        const list = where === 'queued' ? queued : running
        list.push(order.#remember(job, sources.estimates))
      }
    }
    const snapshot: FairQueueSnapshot = {
      ...order.#queue.snapshot(),
      ...sources.tags,
      queued,
      running: running.map((job) => ({
        job,
        chargedMicros: job.estimateMicros,
        weights: [],
        isRationed: false,
      })),
    }
    const parts = FairQueue.restoring(snapshot, order.#limits, jobsAtOnce)
    for (;;) {
      const part = parts.next()
      if (part.done === true) order.#queue = part.value
      if (part.done === true) return order
      await breath()
    }
  }

  /** The order itself. */
  get queue(): FairQueue {
    return this.#queue
  }

  /** Ids of the jobs that are handed out. */
  get running(): string[] {
    return [...this.#jobs.keys()].filter((id) => this.isRunning(id))
  }

  /** Whether a job is here, waiting or handed out. */
  has(id: string): boolean {
    return this.#jobs.has(id)
  }

  /** Whether a job is here and handed out. */
  isRunning(id: string): boolean {
    return this.#jobs.has(id) && this.#queue.waiting(id) === undefined
  }

  /** The work of a job that is here. */
  workOf(id: string): Work {
    return this.#known(id).work
  }

  /** What a job that is here is charged when it is handed out. */
  estimateOf(id: string): number {
    return this.#known(id).estimateMicros
  }

  /** The settings of the guild of a job that is here. */
  settingsOf(id: string): GuildSettings {
    return this.#guilds.get(this.#known(id).guildRow)?.settings ?? defaultSettings
  }

  /** Puts queued jobs that are new at the ends of their lines. */
  async enqueue(jobs: readonly ScheduledJob[], estimates: Estimates): Promise<void> {
    const added = jobs.filter(({ id, state }) => state === 'queued' && !this.has(id))
    await this.#meet(added)
    for (const job of added) this.#queue.enqueue(this.#remember(job, estimates))
  }

  /** A job has ended, at this cost: it is forgotten. */
  end(id: string, costMicros: number): void {
    this.#jobs.delete(id)
    if (this.#queue.cancel(id) === 'running') this.#queue.settle(id, costMicros)
  }

  /** Reads the weight and the caps of guilds again; those that have no job here can wait. */
  async refreshGuilds(rows: readonly number[]): Promise<void> {
    const known = rows.filter((row) => this.#guilds.has(row))
    if (known.length === 0) return
    for (const guild of await findGuilds(this.#database, known)) this.#learnGuild(guild)
    this.#queue.setLimits(this.#limits)
  }

  /** So many reference devices share the work. */
  setCapacity(capacity: number): void {
    const before = this.#limits.capacity
    // Every measurement moves the speeds a little; placing everybody anew each time is too much.
    if (capacity <= 0 || Math.abs(capacity - before) < 0.1 * before) return
    this.#limits = { ...this.#limits, capacity }
    this.#queue.setLimits(this.#limits)
  }

  #known(id: string): Known {
    const known = this.#jobs.get(id)
    if (known === undefined) throw new Error(`internal: expected job ${id} to be known`)
    return known
  }

  /** Learns of the guilds of these jobs what is not known. */
  async #meet(jobs: readonly ScheduledJob[]): Promise<void> {
    const rows = new Set(jobs.map(({ guildRow }) => guildRow))
    const strangers = [...rows].filter((row) => !this.#guilds.has(row))
    if (strangers.length === 0) return
    for (const guild of await findGuilds(this.#database, strangers)) this.#learnGuild(guild)
  }

  #learnGuild(guild: StoredGuild): void {
    const { weight, memberInFlight } = guild.settings
    this.#guilds.set(guild.row, guild)
    if (memberInFlight === defaultSettings.memberInFlight) this.#caps.delete(guild.id)
    else this.#caps.set(guild.id, memberInFlight)
    this.#queue.setWeight({ guild: guild.id, weight })
  }

  #remember(job: ScheduledJob, estimates: Estimates): QueuedJob {
    if (isTerminal(job.state)) throw new Error(`internal: expected job ${job.id} not to have ended`)
    const { id, lane, guild, member, spec, guildRow } = job
    const work = workOf(spec)
    const estimateMicros = estimates.charge(work)
    this.#jobs.set(id, { work, guildRow, estimateMicros })
    const batchKey = batchKeyOf(spec)
    return {
      id,
      lane,
      guild,
      member,
      estimateMicros,
      pictures: spec.count,
      ...(batchKey !== undefined && { batchKey }),
    }
  }
}

/** The jobs that have not ended, part by part. */
async function* unsettled(database: Database): AsyncGenerator<ScheduledJob[]> {
  let last: ScheduledJob | undefined
  for (;;) {
    const jobs = await unsettledAfter(database, last, rowsAtOnce)
    if (jobs.length > 0) yield jobs
    last = jobs.at(-1)
    if (jobs.length < rowsAtOnce) return
    await breath()
  }
}
