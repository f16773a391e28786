/**
 * Workers without a model: they take what the leader hands out and say at once that it is drawn.
 * Rows, queue and events are those of real ones.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { publish } from '../../src/queue/events.ts'
import type { Lease } from '../../src/queue/lease.ts'
import { Queue } from '../../src/queue/pg-boss.ts'
import { announceDevice, announceIntervalMs } from '../../src/store/devices.ts'
import { markStarted, settleDone } from '../../src/store/jobs.ts'
import { type Database, inTransaction } from '../../src/store/prisma.ts'

const deviceClass = 'soak'
/** What each job is said to have taken. */
const costMicros = 200_000

/** Some devices, until they are closed. */
export class Takers {
  readonly #database: Database
  readonly #queue: Queue
  readonly #closing = new AbortController()
  readonly #working: Promise<unknown>
  #taken = 0

  private constructor(database: Database, queue: Queue, count: number) {
    this.#database = database
    this.#queue = queue
    const ids = Array.from({ length: count }, (_, k) => `soak/${k + 1}`)
    this.#working = Promise.all(ids.flatMap((id) => [this.#announce(id), this.#take(id)]))
    // A taker that fails is seen when they are closed.
    this.#working.catch(() => this.#closing.abort())
  }

  /** So many devices begin to take. */
  static async open(database: Database, url: string, count: number): Promise<Takers> {
    // A house that is stopped meanwhile takes its database along; what matters is asked of rows.
    const queue = await Queue.open(url, { onError: () => undefined })
    return new Takers(database, queue, count)
  }

  /** How many jobs they have ended. */
  get taken(): number {
    return this.#taken
  }

  /** They end what they have. @throws what one of them has failed with */
  async close(): Promise<void> {
    this.#closing.abort()
    try {
      await this.#working
    } finally {
      await this.#queue.close()
    }
  }

  async #announce(id: string): Promise<void> {
    const { signal } = this.#closing
    const model = 'none'
    const device = { id, deviceClass, model, mostPixels: 2 ** 22, mostBatch: 4, isDraining: false }
    while (!signal.aborted) {
      await announceDevice(this.#database, device)
      await sleep(announceIntervalMs, undefined, { signal }).catch(() => undefined)
    }
  }

  async #take(device: string): Promise<void> {
    for (;;) {
      const lease = await this.#queue.take(deviceClass, this.#closing.signal)
      if (lease === undefined) return
      await this.#draw(lease, device)
      this.#taken += 1
    }
  }

  async #draw(lease: Lease, device: string): Promise<void> {
    const { jobId, attempt } = lease
    await markStarted(this.#database, jobId, { attempt, device, nowMs: Date.now() })
    await inTransaction(this.#database, async (transaction) => {
      await publish({ type: 'step', jobId, index: 1, evaluations: 8 }, transaction)
    })
    await inTransaction(this.#database, async (transaction) => {
      await settleDone(transaction, jobId, attempt, {
        costMicros,
        results: { keys: ['0'.repeat(64)], device, timings: { deviceMicros: costMicros } },
        nowMs: Date.now(),
      })
      await publish({ type: 'done', jobId }, transaction)
      await this.#queue.settle(lease, 'done', transaction)
    })
  }
}
