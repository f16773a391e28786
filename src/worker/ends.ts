/**
 * The ends of a job at a device, each in one transaction: the row with its money, its preview gone,
 * the event, and last the lease of the queue, which is the fence. Rows are locked job, balances,
 * lease, as everywhere. An end that the database cannot take is tried again for as long as the lease
 * is ours; what somebody else has ended or begun anew is let go without a word.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isTerminal } from '../core/job.ts'
import { type JobEvent, publish } from '../queue/events.ts'
import { type Lease, LeaseEnded, type Outcome } from '../queue/lease.ts'
import type { Queue } from '../queue/pg-boss.ts'
import { deletePreview } from '../queue/previews.ts'
import {
  findJob,
  type JobError,
  type Results,
  type Settlement,
  settleCancelled,
  settleDone,
  settleFailed,
} from '../store/jobs.ts'
import { type Database, inTransaction, type Transaction } from '../store/prisma.ts'

/** What ends are written with. */
export type EndsOptions = {
  readonly database: Database
  readonly queue: Queue
  readonly now: () => number
  /** Told of attempts to write an end that failed. */
  readonly onError: (error: unknown) => void
  /** Gives up on ends that cannot be written; their leases go back when the queue is closed. */
  readonly signal: AbortSignal
}

const firstWaitMs = 100
const longestWaitMs = 3_000

/** The job is no longer ours to end. */
class Stale extends Error {}

/** Writes the ends of jobs. */
export class Ends {
  readonly #options: EndsOptions

  constructor(options: EndsOptions) {
    this.#options = options
  }

  /** The job is drawn; its pictures are stored. */
  done(lease: Lease, costMicros: number, results: Results): Promise<void> {
    const { jobId, attempt } = lease
    const facts = { costMicros, results, nowMs: this.#options.now() }
    return this.#end(
      lease,
      'done',
      (transaction) => settleDone(transaction, jobId, attempt, facts),
      async () => ({ type: 'done', jobId }),
    )
  }

  /** The job cannot be drawn. */
  failed(lease: Lease, error: JobError, costMicros: number): Promise<void> {
    const { jobId, attempt } = lease
    const facts = { error, costMicros, nowMs: this.#options.now() }
    return this.#end(
      lease,
      'failed',
      (transaction) => settleFailed(transaction, jobId, attempt, facts),
      async (transaction) => {
        // One that was to be cancelled has been.
        const job = await findJob(transaction, jobId)
        if (job?.state === 'cancelled') return { type: 'cancelled', jobId }
        return { type: 'failed', jobId, code: error.code }
      },
    )
  }

  /** The job was to be cancelled, and its device has stopped. */
  cancelled(lease: Lease, costMicros: number): Promise<void> {
    const { jobId, attempt } = lease
    const facts = { costMicros, nowMs: this.#options.now() }
    return this.#end(
      lease,
      'cancelled',
      (transaction) => settleCancelled(transaction, jobId, attempt, facts),
      async () => ({ type: 'cancelled', jobId }),
    )
  }

  /**
   * Somebody else has the say about this job: the lease ends as the row says. Careful: a job that
   * waits for nobody but us must not lose its dispatch, so that one is given back.
   */
  async letGo(lease: Lease): Promise<void> {
    const { database, queue } = this.#options
    await this.persist(lease, async () => {
      const job = await findJob(database, lease.jobId)
      const isAtDevice = job?.state === 'dispatched' || job?.state === 'running'
      if (isAtDevice && job.attempt <= lease.attempt) await queue.giveBack(lease)
      else await queue.settle(lease, job ? outcomeOf(job.state) : 'cancelled')
    })
  }

  /**
   * Does something again and again until it is done; undefined when the lease is lost meanwhile, or
   * the worker gives up. @throws what went wrong last, once that has gone on for `limitMs`
   */
  async persist<Result>(
    lease: Lease,
    work: () => Promise<Result>,
    limitMs = Infinity,
  ): Promise<Result | undefined> {
    const { onError, signal } = this.#options
    const startMs = performance.now()
    for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
      try {
        return await work()
      } catch (error) {
        if (error instanceof Stale || performance.now() - startMs > limitMs) throw error
        onError(error)
      }
      if (isLost(lease) || signal.aborted) return undefined
      await sleep(waitMs, undefined, { signal }).catch(() => {})
    }
  }

  async #end(
    lease: Lease,
    outcome: Outcome,
    settleRow: (transaction: Transaction) => Promise<Settlement>,
    eventOf: (transaction: Transaction) => Promise<JobEvent>,
  ): Promise<void> {
    const { database, queue } = this.#options
    try {
      await this.persist(lease, () =>
        inTransaction(database, async (transaction) => {
          if ((await settleRow(transaction)) === 'stale') throw new Stale()
          await deletePreview(lease.jobId, transaction)
          await publish(await eventOf(transaction), transaction)
          if ((await queue.settle(lease, outcome, transaction)) === 'stale') throw new Stale()
        }),
      )
    } catch (error) {
      if (!(error instanceof Stale)) throw error
      await this.letGo(lease)
    }
  }
}

/** Whether somebody else has the job by now. */
export function isLost({ signal }: Lease): boolean {
  return signal.reason instanceof LeaseEnded && signal.reason.why === 'lost'
}

function outcomeOf(state: Parameters<typeof isTerminal>[0]): Outcome {
  return state === 'done' || state === 'failed' ? state : 'cancelled'
}
