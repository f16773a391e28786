/**
 * Hands jobs to devices and takes them back: each a single transaction over the job's row, the queue
 * and the event, so that whoever dies in the middle has done nothing. What the row says goes: a
 * leader that was frozen finds its jobs gone, and does no harm.
 */
import { isTerminal } from '../core/job.ts'
import { publish } from '../queue/events.ts'
import type { Lease, Payload } from '../queue/lease.ts'
import type { Queue } from '../queue/pg-boss.ts'
import {
  findJob,
  lockJob,
  markDispatched,
  markQueued,
  settleCancelled,
  settleFailed,
} from '../store/jobs.ts'
import { type Database, inTransaction } from '../store/prisma.ts'

/** What handing over works with. */
export type HandOver = {
  readonly database: Database
  readonly queue: Queue
  readonly now: () => number
}

/** A job for a device, with what its worker is told. */
export type Parcel = { readonly jobId: string; readonly payload: Payload }

/**
 * `handed`; `gone`: it does not wait any more; `not yet`: a dispatch that should not be was in the
 * way, and is cleared for a later try.
 */
export type Handing = 'handed' | 'gone' | 'not yet'

/** Hands jobs to the devices of a class, all in one transaction. */
export async function handOver(
  { database, queue, now }: HandOver,
  deviceClass: string,
  parcels: readonly Parcel[],
): Promise<Map<string, Handing>> {
  return inTransaction(database, async (transaction) => {
    const outcomes = new Map<string, Handing>()
    for (const { jobId, payload } of parcels) {
      const attempt = await markDispatched(transaction, jobId, now())
      if (attempt === undefined) {
        outcomes.set(jobId, 'gone')
        continue
      }
      if (await queue.dispatch({ jobId, attempt, deviceClass, payload }, transaction)) {
        await publish({ type: 'dispatched', jobId, attempt, device: deviceClass }, transaction)
        outcomes.set(jobId, 'handed')
        continue
      }
      // The number of the attempt is used up, so the next try has a new one.
      await queue.withdraw(jobId, transaction)
      await markQueued(transaction, jobId, attempt)
      outcomes.set(jobId, 'not yet')
    }
    return outcomes
  })
}

/**
 * Takes back a job that nobody holds, to wait again, or to end if it was to be cancelled. `attempt`
 * is the last one that anybody may have had. With `isInQueue` its dispatch is withdrawn, unless a
 * worker has taken it meanwhile: `held`.
 */
export async function takeBack(
  { database, queue, now }: HandOver,
  jobId: string,
  { attempt, isInQueue }: { readonly attempt: number; readonly isInQueue: boolean },
): Promise<'queued' | 'held' | 'ended'> {
  return inTransaction(database, async (transaction) => {
    const job = await lockJob(transaction, jobId)
    if (job === undefined || isTerminal(job.state)) return 'ended'
    if (isInQueue && !(await queue.withdraw(jobId, transaction))) return 'held'
    const last = Math.max(attempt, job.attempt)
    if (job.cancelledAtMs === undefined) {
      await markQueued(transaction, jobId, last)
      return 'queued'
    }
    await settleCancelled(transaction, jobId, last, { costMicros: 0, nowMs: now() })
    await publish({ type: 'cancelled', jobId }, transaction)
    return 'ended'
  })
}

/** Fails and refunds jobs whose dispatch was lost with every retry, until the signal is aborted. */
export async function failLost(options: HandOver, signal: AbortSignal): Promise<void> {
  for (;;) {
    const lease = await options.queue.takeLost(signal)
    if (lease === undefined) return
    await failLostJob(options, lease)
  }
}

async function failLostJob({ database, queue, now }: HandOver, lease: Lease): Promise<void> {
  const { jobId, attempt } = lease
  const code = 'device-lost'
  await inTransaction(database, async (transaction) => {
    const settlement = await settleFailed(transaction, jobId, attempt, {
      error: { code, params: {} },
      costMicros: 0,
      nowMs: now(),
    })
    if (settlement === 'settled') {
      const job = await findJob(transaction, jobId)
      if (job?.state === 'cancelled') await publish({ type: 'cancelled', jobId }, transaction)
      else await publish({ type: 'failed', jobId, code }, transaction)
    }
    const isOurs = (await queue.settle(lease, 'failed', transaction)) === 'settled'
    if (!isOurs) throw new Error(`internal: another leader fails the lost job ${jobId}`)
  })
}
