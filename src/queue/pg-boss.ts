/**
 * Dispatched jobs on their way to a device, and the leases on them: delivered to one worker at a
 * time, delivered again when it dies, settled once. The queue keeps no order of its own (the
 * scheduler dispatches when a device is free) and no money: `settle` runs in the transaction that
 * charges. Workers fetch, they do not use pg-boss' `work()`, which sleeps through short jobs.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type JobWithMetadata, PgBoss } from 'pg-boss'
import { z } from 'zod'
import {
  activeClaims,
  attemptId,
  beat,
  cancelDispatch,
  dispatchPrefix,
  handBack,
  type LiveDispatch,
  liveDispatches,
  lostJobs,
  retriesLeft,
  withdrawDispatch,
} from './dispatch-rows.ts'
import { type Dispatch, dispatchData, Lease, type Outcome } from './lease.ts'
import { Listener } from './listener.ts'
import { type Sql, sqlOf, type Transaction } from './transaction.ts'
import { Wakes } from './wakes.ts'

/** Wakes takers and tells holders of a cancel; a poll and a heartbeat find out by themselves, later. */
const channel = 'zimagine_queue'
/** Dispatches whose last retry was lost, for the leader. */
const lostQueue = 'lost'

/** Three attempts in all, as `core/job.ts` has it. */
const mostRetries = 2
/** pg-boss' least. */
const heartbeatSeconds = 10
const beatIntervalMs = 2_000
const pollIntervalMs = 1_000
/** pg-boss' most: a lease is over when its heart stops, not when its work is slow. */
const expireInSeconds = 24 * 60 * 60
/** How long the leader may take over a lost dispatch before it is told again. */
const lostExpireSeconds = 60
const deleteAfterSeconds = 24 * 60 * 60
const maxPayloadBytes = 4096

/** How a queue is opened. */
export type QueueOptions = {
  /** Told of errors that the queue outlives: a lost connection, a failed heartbeat. */
  readonly onError: (error: unknown) => void
  /** Connections to the database at most, the listening one aside (default 4). */
  readonly connections?: number
}

/** The hand-over between scheduler and workers; one in each process. */
export class Queue {
  readonly #boss: PgBoss
  readonly #onError: (error: unknown) => void
  readonly #held = new Set<Lease>()
  /** Settled in a transaction that may yet be rolled back: their hearts go on beating. */
  readonly #settling = new WeakSet<Lease>()
  readonly #takers = new Set<Promise<unknown>>()
  readonly #queues = new Set<string>()
  readonly #wakes = new Wakes()
  readonly #closing = new AbortController()
  #listener: Listener | undefined
  #heart: NodeJS.Timeout | undefined
  #isBeating = false

  private constructor(boss: PgBoss, onError: (error: unknown) => void) {
    this.#boss = boss
    this.#onError = onError
  }

  /**
   * Connects, and creates or migrates pg-boss' schema if need be.
   *
   * @throws the driver's error when the database cannot be reached
   */
  static async open(databaseUrl: string, options: QueueOptions): Promise<Queue> {
    const { onError, connections = 4 } = options
    const boss = new PgBoss({
      connectionString: databaseUrl,
      application_name: 'zimagine-queue',
      max: connections,
      // Every process looks for lost leases; pg-boss lets one a second do it.
      superviseIntervalSeconds: 1,
      monitorIntervalSeconds: 1,
      schedule: false,
      registerInstance: false,
    })
    // Careful: an emitter without a listener for `error` throws.
    boss.on('error', onError)
    const queue = new Queue(boss, onError)
    try {
      await boss.start()
      await boss.createQueue(lostQueue, {
        expireInSeconds: lostExpireSeconds,
        retryLimit: 1_000_000,
        deleteAfterSeconds,
      })
      queue.#listener = await Listener.open(databaseUrl, channel, {
        hear: (payload) => queue.#hear(payload),
        onGap: () => queue.#catchUp(),
        onError,
      })
    } catch (error) {
      await queue.close()
      throw error
    }
    queue.#heart = setInterval(() => void queue.#beatAll(), beatIntervalMs)
    return queue
  }

  /** Runs single statements outside of any transaction, for whoever has no client of its own. */
  get sql(): Sql {
    return this.#boss.getDb()
  }

  /**
   * Hands a job to the devices of a class. Dispatches of one transaction are taken in any order.
   *
   * @returns false, and nothing is dispatched, if this attempt was dispatched before (in the last
   *   day) or another dispatch of the job to the same class has not ended
   * @throws ZodError or an internal error if a field is out of bounds
   */
  async dispatch(dispatch: Dispatch, transaction?: Transaction): Promise<boolean> {
    const { jobId, attempt, deviceClass, payload = {} } = dispatch
    const data = dispatchData.parse({ jobId, attempt, payload })
    if (Buffer.byteLength(JSON.stringify(payload)) > maxPayloadBytes) {
      throw new Error(
        `internal: the payload of job ${jobId} is larger than ${maxPayloadBytes} bytes`,
      )
    }
    const name = await this.#queueOf(deviceClass)
    const sql = transaction ? sqlOf(transaction) : this.sql
    const id = await this.#boss.send(name, data, {
      id: attemptId(jobId, attempt),
      singletonKey: jobId,
      retryLimit: (await retriesLeft(sql, name, { jobId, attempt })) ?? mostRetries,
      heartbeatSeconds,
      expireInSeconds,
      deleteAfterSeconds,
      deadLetter: lostQueue,
      ...within(transaction),
    })
    if (id === null) return false
    await this.#notify(`wake ${name}`, transaction)
    return true
  }

  /**
   * Waits for a dispatch to a class of devices and holds it, its heart beaten by us, until it is
   * settled, retried or given back. Outlives the loss of the database. Whoever could do without one
   * lets others go first by so much patience, asked anew before each look.
   *
   * @returns undefined once the signal is aborted or the queue is closed
   */
  async take(
    deviceClass: string,
    signal: AbortSignal,
    patienceMs = (): number => 0,
  ): Promise<Lease | undefined> {
    return this.#take(await this.#queueOf(deviceClass), signal, patienceMs)
  }

  /**
   * Waits for a dispatch that was lost with every retry: for the leader, who fails the job and
   * refunds it, then settles this lease in the same transaction.
   *
   * @returns undefined once the signal is aborted or the queue is closed
   */
  async takeLost(signal: AbortSignal): Promise<Lease | undefined> {
    return this.#take(lostQueue, signal, () => 0)
  }

  /**
   * Beats once, now; leases are beaten by themselves every 2 s, so this is for whoever wants to know
   * before something costly. Aborts the lease's signal unless it is `held`.
   */
  async heartbeat(lease: Lease): Promise<'held' | 'cancelled' | 'lost'> {
    const state = await beat(this.sql, lease.claim)
    if (state === 'cancelled') lease.end('cancelled')
    if (state === 'lost') {
      this.#held.delete(lease)
      if (!this.#settling.has(lease)) lease.end('lost')
    }
    return state
  }

  /**
   * Ends a dispatch for good, in the caller's transaction if there is one: with its charge or not at
   * all. After a rollback the lease is held as before.
   *
   * @returns `stale` if the lease was lost: nothing is changed, so roll the transaction back
   */
  async settle(
    lease: Lease,
    outcome: Outcome,
    transaction?: Transaction,
  ): Promise<'settled' | 'stale'> {
    const { name, id, retryCount } = lease.claim
    const attempt = { id, retryCount }
    const isOurs = hasHit(
      await this.#boss.complete(name, attempt, { outcome }, within(transaction)),
    )
    if (isOurs && transaction !== undefined) this.#settling.add(lease)
    else this.#held.delete(lease)
    return isOurs ? 'settled' : 'stale'
  }

  /**
   * Lets somebody try again after a failure that was not the job's (its runner died): costs a retry,
   * and without any left it is lost. `reason` is a code, for the record.
   *
   * @returns whether the lease was still held
   */
  async retry(lease: Lease, reason: string): Promise<boolean> {
    const { name, id, retryCount } = lease.claim
    const response = await this.#boss.fail(name, { id, retryCount }, { reason })
    this.#held.delete(lease)
    await this.#notify(`wake ${name}`)
    await this.#notify(`wake ${lostQueue}`)
    return hasHit(response)
  }

  /**
   * Hands a lease back, for the next taker and at no cost in retries; its signal is aborted.
   *
   * @returns whether the lease was still held
   */
  async giveBack(lease: Lease): Promise<boolean> {
    const isBack = await handBack(this.sql, lease.claim)
    this.#held.delete(lease)
    lease.end('lost')
    await this.#notify(`wake ${lease.claim.name}`)
    return isBack
  }

  /**
   * Gives back, at the cost of a retry, every lease that anybody holds. Only for a database that
   * nobody else can be using: the embedded one, started anew after a crash.
   *
   * @returns how many there were
   */
  async giveBackAll(): Promise<number> {
    const claims = await activeClaims(this.sql, lostQueue)
    for (const [name, ofQueue] of Map.groupBy(claims, ({ name }) => name)) {
      await this.#boss.fail(name, ofQueue, { reason: 'restart' })
    }
    return claims.length
  }

  /**
   * Cancels a job's dispatch: a waiting one is `removed`; for a held one its holder's signal is
   * aborted (`requested`), and the holder settles it with what it cost; `absent` if there is none.
   * Careful: in a transaction lock the job's row first and call this, like `settle`, after it, or the
   * two lock each other out.
   */
  async cancel(
    jobId: string,
    transaction?: Transaction,
  ): Promise<'removed' | 'requested' | 'absent'> {
    const result = await cancelDispatch(transaction ? sqlOf(transaction) : this.sql, jobId)
    if (result === 'requested') await this.#notify(`cancel ${jobId}`, transaction)
    return result
  }

  /**
   * Takes a dispatch that nobody holds back into the scheduler, whose devices may have died; a held
   * one stays.
   *
   * @returns whether there was one
   */
  async withdraw(jobId: string, transaction?: Transaction): Promise<boolean> {
    return withdrawDispatch(transaction ? sqlOf(transaction) : this.sql, jobId)
  }

  /** Dispatches that have not ended, oldest first: where a new leader begins. */
  async live(): Promise<LiveDispatch[]> {
    return liveDispatches(this.sql)
  }

  /** Jobs that `takeLost` is about to give: neither live nor to be dispatched again. */
  async lost(): Promise<string[]> {
    return lostJobs(this.sql, lostQueue)
  }

  /** Drains: takers get nothing any more, leases are given back, connections are closed. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearInterval(this.#heart)
    // Whoever is in the middle of a fetch may get a lease yet.
    await Promise.all(this.#takers)
    await Promise.all([...this.#held].map((lease) => this.giveBack(lease).catch(this.#onError)))
    await this.#listener?.close()
    await this.#boss.stop({ timeout: 1_000 })
  }

  async #queueOf(deviceClass: string): Promise<string> {
    if (!/^[\w.-]{1,64}$/.test(deviceClass)) {
      throw new Error(`internal: ${JSON.stringify(deviceClass)} cannot name a class of devices`)
    }
    const name = `${dispatchPrefix}${deviceClass}`
    if (!this.#queues.has(name)) {
      await this.#boss.createQueue(name, { policy: 'exclusive' })
      this.#queues.add(name)
    }
    return name
  }

  async #take(
    name: string,
    taker: AbortSignal,
    patienceMs: () => number,
  ): Promise<Lease | undefined> {
    const taking = this.#waitFor(name, AbortSignal.any([taker, this.#closing.signal]), patienceMs)
    this.#takers.add(taking)
    try {
      return await taking
    } finally {
      this.#takers.delete(taking)
    }
  }

  async #waitFor(
    name: string,
    signal: AbortSignal,
    patienceMs: () => number,
  ): Promise<Lease | undefined> {
    while (!signal.aborted) {
      const wakeCount = this.#wakes.count(name)
      const waitMs = patienceMs()
      if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return undefined
      try {
        const [row] = await this.#boss.fetch<unknown>(name, { includeMetadata: true })
        if (row) {
          const lease = leaseOf(row)
          this.#held.add(lease)
          if (!signal.aborted) return lease
          await this.giveBack(lease)
        }
      } catch (error) {
        this.#onError(error)
      }
      await this.#wakes.sleep(name, wakeCount, pollIntervalMs, signal)
    }
    return undefined
  }

  async #notify(payload: string, transaction?: Transaction): Promise<void> {
    const sql = transaction ? sqlOf(transaction) : this.sql
    await sql.executeSql('SELECT pg_notify($1, $2)::text AS sent', [channel, payload])
  }

  #hear(payload: string): void {
    const [verb, name] = payload.split(' ')
    if (verb === 'wake') this.#wakes.call(name!)
    if (verb === 'cancel') {
      for (const lease of this.#held) if (lease.jobId === name) lease.end('cancelled')
    }
  }

  /** What was told while the listener was away is in the rows. */
  #catchUp(): void {
    this.#wakes.callAll()
    void this.#beatAll()
  }

  async #beatAll(): Promise<void> {
    if (this.#isBeating) return
    this.#isBeating = true
    await Promise.all([...this.#held].map((lease) => this.heartbeat(lease).catch(this.#onError)))
    this.#isBeating = false
  }
}

/** pg-boss' options for a statement in somebody's transaction. */
function within(transaction: Transaction | undefined): { db?: Sql } {
  return transaction ? { db: sqlOf(transaction) } : {}
}

/** Whether a fenced statement met its row; pg-boss keeps `affected` out of its types. */
function hasHit(response: unknown): boolean {
  return z.object({ affected: z.number() }).parse(response).affected === 1
}

function leaseOf(row: JobWithMetadata<unknown>): Lease {
  const { name, id, retryCount, retryLimit, sourceRetryCount } = row
  const data = dispatchData.parse(row.data)
  // A lost dispatch begins anew in its own queue, but its job's attempts go on.
  if (name === lostQueue) data.attempt += sourceRetryCount ?? 0
  return new Lease({ name, id, retryCount }, data, retryLimit - retryCount)
}
