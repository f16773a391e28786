/**
 * What Prometheus is told: process and event loop, what waits and draws, and how jobs went. Nothing
 * names a guild, member or job: labels are few and tell nothing about people. Scrapes read rows at
 * most once a second; how jobs went is counted from the events that this process has heard, so several
 * bots each tell of every job (take the largest, not the sum). The only file that knows prom-client.
 */
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import { errorFacts } from '../core/errors.ts'
import type { HeardEvent } from '../queue/events.ts'
import { countOpenJobs, countUndelivered, readEnded } from '../store/counts.ts'
import { aliveDevices } from '../store/devices.ts'
import type { Database } from '../store/prisma.ts'
import { within } from './deadline.ts'

/** Rows are read again when what is known is older. */
const freshMs = 1_000
const answerWithinMs = 2_000
/** So many ended jobs are looked up at once, and so many are remembered while the rows are away. */
const batch = 500
const mostRemembered = 10_000

/** The figures of one process. */
export class Metrics {
  readonly #database: Database
  readonly #now: () => number
  readonly #registry = new Registry()
  readonly #ended = new Set<string>()
  #readAtMs = -Infinity
  #reading: Promise<void> | undefined

  constructor(database: Database, now: () => number = Date.now) {
    this.#database = database
    this.#now = now
    collectDefaultMetrics({ register: this.#registry })
  }

  /** What kind of text `text` gives, for the header. */
  get contentType(): string {
    return this.#registry.contentType
  }

  /** Counts what has happened. */
  hear(event: HeardEvent): void {
    if (event.type === 'gap') this.#gaps.inc()
    if (event.type === 'dispatched') {
      this.#dispatches.inc({ attempt: event.attempt > 1 ? 'again' : 'first' })
    }
    if (event.type === 'done' || event.type === 'failed' || event.type === 'cancelled') {
      if (this.#ended.size < mostRemembered) this.#ended.add(event.jobId)
      if (this.#ended.size % batch === 0) void this.#refresh()
    }
  }

  /** Counts an answer that could not be delivered. */
  notifierFailed(platform: string): void {
    this.#notifierFailures.inc({ platform })
  }

  /** Keeps how much the blob store holds, as whoever swept it has found. */
  setBlobs({ count, sizeBytes }: { readonly count: number; readonly sizeBytes: number }): void {
    this.#blobs.set(count)
    this.#blobBytes.set(sizeBytes)
  }

  /** All figures in Prometheus' text form, also when the database is away. */
  async text(): Promise<string> {
    if (this.#now() - this.#readAtMs >= freshMs) await this.#refresh()
    return this.#registry.metrics()
  }

  async #refresh(): Promise<void> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
    try {
      await within(answerWithinMs, this.#reading)
      this.#databaseUp.set(1)
    } catch {
      this.#databaseUp.set(0)
    }
  }

  async #read(): Promise<void> {
    const nowMs = this.#now()
    const [open, undelivered, devices] = await Promise.all([
      countOpenJobs(this.#database),
      countUndelivered(this.#database),
      aliveDevices(this.#database, nowMs),
    ])
    for (const gauge of [this.#jobs, this.#oldest, this.#devices]) gauge.reset()
    for (const { state, lane, count, oldestAtMs } of open) {
      this.#jobs.set({ state, lane }, count)
      if (state === 'queued') this.#oldest.set({ lane }, Math.max(0, nowMs - oldestAtMs) / 1000)
    }
    for (const { deviceClass, isDraining } of devices) {
      this.#devices.inc({ class: deviceClass, state: isDraining ? 'draining' : 'ready' })
    }
    this.#undelivered.set(undelivered)
    while (this.#ended.size > 0) await this.#countEnded()
    this.#readAtMs = nowMs
  }

  async #countEnded(): Promise<void> {
    const ids = this.#ended.values().take(batch).toArray()
    const jobs = await readEnded(this.#database, ids)
    for (const id of ids) this.#ended.delete(id)
    for (const { state, lane, waitMs, costMicros, errorCode } of jobs) {
      this.#settled.inc({ state, lane })
      if (waitMs !== undefined) this.#wait.observe({ lane }, Math.max(0, waitMs) / 1000)
      if (state === 'done') this.#draw.observe({ lane }, costMicros / 1_000_000)
      if (state === 'failed') this.#failures.inc({ code: knownCode(errorCode) })
    }
  }

  readonly #gauge = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Gauge({ name: `zimagine_${name}`, help, labelNames, registers: [this.#registry] })

  readonly #counter = <Label extends string>(
    name: string,
    help: string,
    labelNames: Label[] = [],
  ) => new Counter({ name: `zimagine_${name}`, help, labelNames, registers: [this.#registry] })

  readonly #seconds = (name: string, help: string) =>
    new Histogram({
      name: `zimagine_${name}`,
      help,
      labelNames: ['lane'],
      buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600],
      registers: [this.#registry],
    })

  readonly #databaseUp = this.#gauge('database_up', 'Whether the database answered just now')
  readonly #jobs = this.#gauge('jobs', 'Jobs that have not ended', ['state', 'lane'])
  readonly #oldest = this.#gauge('oldest_wait_seconds', 'Age of the oldest queued job', ['lane'])
  readonly #undelivered = this.#gauge('undelivered_jobs', 'Ended jobs that nobody was told of yet')
  readonly #devices = this.#gauge('devices', 'Devices that are alive', ['class', 'state'])
  readonly #blobs = this.#gauge('blobs', 'Pictures in the blob store at its last sweep')
  readonly #blobBytes = this.#gauge('blob_bytes', 'Size of the blob store at its last sweep')
  readonly #gaps = this.#counter('event_gaps_total', 'Times that events may have been missed')
  readonly #dispatches = this.#counter('dispatches_total', 'Jobs handed to devices', ['attempt'])
  readonly #settled = this.#counter('jobs_settled_total', 'Jobs that ended', ['state', 'lane'])
  readonly #failures = this.#counter('jobs_failed_total', 'Jobs that failed, by code', ['code'])
  readonly #notifierFailures = this.#counter(
    'notifier_failures_total',
    'Answers that could not be delivered at once',
    ['platform'],
  )
  readonly #wait = this.#seconds('job_wait_seconds', 'From admission to the start on a device')
  readonly #draw = this.#seconds('job_device_seconds', 'True cost of jobs that are done')
}

/** A code of the closed list, so that labels stay few. */
function knownCode(code: string | undefined): string {
  return code !== undefined && Object.hasOwn(errorFacts, code) ? code : 'other'
}
