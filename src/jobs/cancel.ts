/**
 * Cancelling: a job that no device holds ends at once and is refunded; one that a device holds is
 * flagged, and ends when the device has stopped. To cancel twice is to cancel once.
 */
import { UserError } from '../core/errors.ts'
import { isTerminal } from '../core/job.ts'
import { checkMay, type Rank } from '../core/permission.ts'
import { publish } from '../queue/events.ts'
import { audit, type StoredGuild, type StoredMember } from '../store/guilds.ts'
import { lockJob, markCancelled, settleCancelled, type StoredJob } from '../store/jobs.ts'
import { type Database, inTransaction, type Transaction } from '../store/prisma.ts'
import { lockQueued } from '../store/waiting.ts'

/** Who wants a job cancelled, and what they are in this guild. */
export type Canceller = {
  readonly guild: StoredGuild
  readonly member: StoredMember
  readonly rank: Rank
}

/** What cancelling works with. */
export type Cancelling = {
  readonly database: Database
  /**
   * Takes a dispatch that nobody holds out of the queue (`removed`), or tells its holder to stop
   * (`requested`), when the transaction commits; `absent` if the queue has none.
   */
  readonly cancelDispatch: (
    jobId: string,
    transaction: Transaction,
  ) => Promise<'removed' | 'requested' | 'absent'>
  readonly now: () => number
}

/** `cancelled`: now, and refunded; `requested`: when its device stops; `ended`: it had, before. */
export type CancelOutcome = 'cancelled' | 'requested' | 'ended'

const jobsAtOnce = 50

/**
 * Cancels a job: one's own, or as a moderator anybody's in the guild, which is audited.
 *
 * @throws {UserError} job-unknown, for another guild's job as well; not-allowed, member-blocked
 */
export async function cancel(
  cancelling: Cancelling,
  canceller: Canceller,
  jobId: string,
): Promise<CancelOutcome> {
  const { guild, member, rank } = canceller
  const nowMs = cancelling.now()
  return inTransaction(cancelling.database, async (transaction) => {
    const job = await lockJob(transaction, jobId)
    if (job?.guild !== guild.id) throw new UserError('job-unknown', { job: jobId })
    const isOwn = job.member === member.id
    checkMay(rank, isOwn ? 'cancel own' : 'cancel any')
    if (isTerminal(job.state)) return 'ended'
    const isFree = await isOutOfDevices(cancelling, job, transaction)
    if (isFree) {
      await settleCancelled(transaction, jobId, job.attempt, { costMicros: 0, nowMs })
      await publish({ type: 'cancelled', jobId }, transaction)
    } else {
      await markCancelled(transaction, jobId, nowMs)
    }
    if (!isOwn && job.cancelledAtMs === undefined) {
      await audit(transaction, { guild, member, action: 'job cancelled', facts: { jobId }, nowMs })
    }
    return isFree ? 'cancelled' : 'requested'
  })
}

/**
 * Cancels what no device has yet: everybody's, or one member's. It is done in parts, each audited, so
 * that a long queue is no long transaction; what is asked for meanwhile may be among them or not.
 *
 * @returns how many jobs were cancelled
 * @throws {UserError} not-allowed, member-blocked
 */
export async function clearQueue(
  { database, now }: Pick<Cancelling, 'database' | 'now'>,
  { guild, member, rank }: Canceller,
  of?: Pick<StoredMember, 'row' | 'id'>,
): Promise<number> {
  checkMay(rank, 'studio clear')
  const clearPart = async (transaction: Transaction): Promise<number> => {
    const nowMs = now()
    const jobs = await lockQueued(transaction, guild, {
      ...(of && { member: of }),
      most: jobsAtOnce,
    })
    for (const { id, attempt } of jobs) {
      await settleCancelled(transaction, id, attempt, { costMicros: 0, nowMs })
      await publish({ type: 'cancelled', jobId: id }, transaction)
    }
    if (jobs.length > 0) {
      const facts = { target: of?.id ?? '', jobs: jobs.length }
      await audit(transaction, { guild, member, action: 'queue cleared', facts, nowMs })
    }
    return jobs.length
  }
  let cleared = 0
  for (;;) {
    const part = await inTransaction(database, clearPart)
    cleared += part
    if (part === 0) return cleared
  }
}

/** Whether no device has the job, nor will have it. */
async function isOutOfDevices(
  { cancelDispatch }: Cancelling,
  { id, state }: StoredJob,
  transaction: Transaction,
): Promise<boolean> {
  if (state === 'queued') return true
  // Careful: `absent` is no leave to end it; the lease may have been lost a moment ago with the job
  // still drawn. The flag makes whoever ends the job cancel it.
  return (await cancelDispatch(id, transaction)) === 'removed'
}
