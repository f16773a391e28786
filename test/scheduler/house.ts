/**
 * A house without a model, on a real Postgres with the real queue: guilds that ask, leaders that can
 * be stopped and replaced, and workers that take leases and end them when a test says so.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JobSpec } from '../../src/core/job-spec.ts'
import type { Lane } from '../../src/core/queued-job.ts'
import { priceMicros } from '../../src/jobs/submit.ts'
import { JobEvents, publish } from '../../src/queue/events.ts'
import type { Lease } from '../../src/queue/lease.ts'
import { Queue } from '../../src/queue/pg-boss.ts'
import { runDispatcher } from '../../src/scheduler/dispatcher.ts'
import { announceDevice, type Device, retireDevice } from '../../src/store/devices.ts'
import {
  ensureGuild,
  ensureMember,
  saveSettings,
  type StoredGuild,
} from '../../src/store/guilds.ts'
import {
  findJob,
  insertJob,
  markStarted,
  settleDone,
  type StoredJob,
} from '../../src/store/jobs.ts'
import {
  closeDatabase,
  type Database,
  inTransaction,
  openDatabase,
} from '../../src/store/prisma.ts'
import { accountsOf } from '../../src/store/quota.ts'
import { newAsked, newJobId, newName, newSpec } from '../jobs/admission.ts'

/** Far above what anything takes; a machine may be slow. */
const longMs = 30_000
const deviceClass = 'test'

/** A large picture: it is drawn alone, and no device is given another one before it is done. */
export const largeSpec = newSpec({ width: 1024, height: 1024 })

/** Waits until something is so. */
export async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + longMs
  while (!(await isSo())) {
    assert.ok(performance.now() < deadline, `expected ${what}`)
    await sleep(10)
  }
}

/** All processes of one house. */
export class House {
  readonly database: Database
  readonly queue: Queue
  readonly events: JobEvents
  readonly #devices: TestDevice[] = []
  #leading: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined

  private constructor(database: Database, queue: Queue, events: JobEvents) {
    this.database = database
    this.queue = queue
    this.events = events
  }

  /** Opens the house on a database of its own. */
  static async open(url: string): Promise<House> {
    // Connections are lost when the server stops; what matters makes a test fail by itself.
    const onError = (): void => undefined
    const database = openDatabase(url, 5)
    const queue = await Queue.open(url, { onError, connections: 2 })
    return new House(database, queue, await JobEvents.open(url, onError))
  }

  /** Begins to lead; only one leads at a time. */
  lead(now: () => number = Date.now): void {
    const stop = new AbortController()
    const { database, queue, events } = this
    const ended = runDispatcher({ database, queue, events, now }, stop.signal)
    // A leader that fails is seen when it is stopped.
    ended.catch(() => undefined)
    this.#leading = { stop, ended }
  }

  /** Stops leading, and fails if leading has. */
  async resign(): Promise<void> {
    this.#leading?.stop.abort()
    const ended = this.#leading?.ended
    this.#leading = undefined
    await ended
  }

  /** Leaves nothing for the next test but the guilds. */
  async clear(): Promise<void> {
    await this.resign()
    for (const device of this.#devices.splice(0)) device.die()
    await this.database.job.deleteMany()
    await this.database.flow.deleteMany()
    await this.database.state.deleteMany()
    await this.queue.sql.executeSql('DELETE FROM pgboss.job')
  }

  /** Ends all of it. */
  async close(): Promise<void> {
    await this.resign()
    await this.events.close()
    await this.queue.close()
    await closeDatabase(this.database)
  }

  /** A new guild. */
  async guild(weight = 1): Promise<StoredGuild> {
    const guild = await ensureGuild(this.database, { platform: 'discord', platformId: newName() })
    await this.setWeight(guild, weight)
    return guild
  }

  /** Sets the weight of a guild, whose members may have any number of jobs at devices. */
  async setWeight(guild: StoredGuild, weight: number): Promise<void> {
    await inTransaction(this.database, async (transaction) => {
      const settings = { ...guild.settings, weight, memberInFlight: 50 }
      await saveSettings(transaction, guild, settings, Date.now())
      await publish({ type: 'guild', guild: String(guild.row) }, transaction)
    })
  }

  /** A member asks, as admission would have it. */
  async ask(
    guild: StoredGuild,
    facts: {
      readonly spec?: JobSpec
      readonly member?: string
      readonly lane?: Lane
      readonly isTold?: boolean
    } = {},
  ): Promise<string> {
    const { spec = largeSpec, lane = 'fast', isTold = true } = facts
    const id = newJobId()
    const member = await ensureMember(this.database, guild, {
      id: facts.member ?? 'somebody',
      roleIds: [],
    })
    const { invocationId, replyTo } = newAsked()
    await inTransaction(this.database, async (transaction) => {
      const nowMs = Date.now()
      const accounts = await accountsOf(transaction, { guild, member }, { isLocked: true, nowMs })
      const job = { id, guild, member, invocationId, spec, lane, replyTo }
      const estimateMicros = priceMicros(spec)
      await insertJob(transaction, { ...job, estimateMicros }, accounts, nowMs)
      if (isTold) await publish({ type: 'queued', jobId: id }, transaction)
    })
    return id
  }

  /** So many jobs of a guild, one after the other. */
  async askOften(guild: StoredGuild, times: number): Promise<string[]> {
    const ids: string[] = []
    for (let k = 0; k < times; k++) ids.push(await this.ask(guild))
    return ids
  }

  /** A job as its row is now. */
  async job(id: string): Promise<StoredJob> {
    const job = await findJob(this.database, id)
    assert.ok(job)
    return job
  }

  /** Waits until a job is in a state. */
  async reaches(id: string, state: StoredJob['state']): Promise<void> {
    await until(`job ${id} to be ${state}`, async () => (await this.job(id)).state === state)
  }

  /** A device that draws when it is told to. */
  async device(facts: Partial<Device> = {}): Promise<TestDevice> {
    const device = new TestDevice(this, {
      id: newName(),
      deviceClass,
      model: 'test',
      mostPixels: 2 ** 22,
      mostBatch: 1,
      isDraining: false,
      ...facts,
    })
    this.#devices.push(device)
    await device.announce()
    return device
  }
}

/** How a lease was ended, beside the charge. */
export type Drawn = { readonly costMicros?: number; readonly deviceMicros?: number }

/** A device whose every move is a test's. */
export class TestDevice {
  readonly #house: House
  readonly #facts: Device
  #heart: NodeJS.Timeout | undefined

  constructor(house: House, facts: Device) {
    this.#house = house
    this.#facts = facts
  }

  /** Tells of itself, now and from now on. */
  async announce(): Promise<void> {
    const { database } = this.#house
    const tell = (): Promise<void> => announceDevice(database, this.#facts)
    await inTransaction(database, async (transaction) => {
      await announceDevice(transaction, this.#facts)
      const device = this.#facts.id
      await publish({ type: 'device', device, state: 'up' }, transaction)
    })
    this.#heart = setInterval(() => void tell().catch(() => undefined), 2_000)
    this.#heart.unref()
  }

  /** Is gone, and says so. */
  async retire(): Promise<void> {
    this.die()
    await inTransaction(this.#house.database, async (transaction) => {
      await retireDevice(transaction, this.#facts.id)
      const device = this.#facts.id
      await publish({ type: 'device', device, state: 'down' }, transaction)
    })
  }

  /** Says nothing any more. */
  die(): void {
    clearInterval(this.#heart)
  }

  /** Waits for a lease and begins to draw; none is a failure. */
  async take(): Promise<Lease> {
    const { database, queue } = this.#house
    const lease = await queue.take(this.#facts.deviceClass, AbortSignal.timeout(longMs))
    assert.ok(lease, 'expected a dispatch')
    const { jobId, attempt } = lease
    const { id: device } = this.#facts
    assert.ok(await markStarted(database, jobId, { attempt, device, nowMs: Date.now() }))
    return lease
  }

  /** Whether nothing comes for a while. */
  async getsNothing(forMs = 300): Promise<boolean> {
    const lease = await this.#house.queue.take(this.#facts.deviceClass, AbortSignal.timeout(forMs))
    if (lease) await this.#house.queue.giveBack(lease)
    return lease === undefined
  }

  /** Tells that so many evaluations of a job are done. */
  async step({ jobId }: Lease, index: number, evaluations: number): Promise<void> {
    await inTransaction(this.#house.database, (transaction) =>
      publish({ type: 'step', jobId, index, evaluations }, transaction),
    )
  }

  /** The pictures are there. */
  async finish(lease: Lease, drawn: Drawn = {}): Promise<void> {
    const { database, queue } = this.#house
    const { jobId, attempt } = lease
    const { costMicros = (await this.#house.job(jobId)).estimateMicros, deviceMicros } = drawn
    await inTransaction(database, async (transaction) => {
      const timings = deviceMicros === undefined ? {} : { timings: { deviceMicros } }
      const settlement = await settleDone(transaction, jobId, attempt, {
        costMicros,
        results: { keys: ['blob'], device: this.#facts.id, ...timings },
        nowMs: Date.now(),
      })
      assert.equal(settlement, 'settled')
      await publish({ type: 'done', jobId }, transaction)
      assert.equal(await queue.settle(lease, 'done', transaction), 'settled')
    })
  }

  /** Draws whatever comes, so many times, and tells the jobs in order. */
  async draw(times: number, drawn: Drawn = {}): Promise<string[]> {
    const ids: string[] = []
    for (let k = 0; k < times; k++) {
      const lease = await this.take()
      ids.push(lease.jobId)
      await this.finish(lease, drawn)
    }
    return ids
  }
}
