/**
 * Deleting pictures: the rows first, then the blobs that no job names any more. Everyone is told, so
 * that the message that shows them shows them no longer. What is charged stays charged.
 */
import { UserError } from '../core/errors.ts'
import { isTerminal } from '../core/job.ts'
import { checkMay, type Rank } from '../core/permission.ts'
import { publish } from '../queue/events.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { keysInUse, removePictures } from '../store/gallery.ts'
import { audit, type StoredGuild, type StoredMember } from '../store/guilds.ts'
import { lockJob } from '../store/jobs.ts'
import { type Database, inTransaction } from '../store/prisma.ts'

/** Who deletes, and where pictures are kept. */
export type Removing = {
  readonly database: Database
  readonly blobs: BlobStore
  readonly guild: StoredGuild
  readonly member: StoredMember
  readonly rank: Rank
  readonly nowMs: number
}

/**
 * Deletes a picture of a job, counted from 1, or all of them: one's own, or as a moderator
 * anybody's, which is audited. Gives back how many there were.
 *
 * @throws {UserError} job-unknown, not-allowed, member-blocked, job-not-ended, picture-unknown
 */
export async function removePicturesOf(
  { database, blobs, guild, member, rank, nowMs }: Removing,
  jobId: string,
  picture: number | undefined,
): Promise<number> {
  const keys = await inTransaction(database, async (transaction) => {
    const job = await lockJob(transaction, jobId)
    if (job?.guild !== guild.id) throw new UserError('job-unknown', { job: jobId })
    const isOwn = job.member === member.id
    checkMay(rank, isOwn ? 'delete own' : 'delete any')
    if (!isTerminal(job.state)) throw new UserError('job-not-ended', { job: jobId })
    const removed = await removePictures(transaction, job, picture)
    if (removed.length === 0) {
      throw new UserError('picture-unknown', { job: jobId, picture: picture ?? 1 })
    }
    if (!isOwn) {
      const facts = { jobId, pictures: removed.length }
      await audit(transaction, { guild, member, action: 'pictures deleted', facts, nowMs })
    }
    await publish({ type: 'done', jobId }, transaction)
    return removed
  })
  await forgetBlobs(database, blobs, keys)
  return keys.length
}

/** Deletes those blobs that no job names. */
export async function forgetBlobs(
  database: Database,
  blobs: BlobStore,
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return
  const used = await keysInUse(database, keys)
  for (const key of new Set(keys)) if (!used.has(key)) await blobs.delete(key)
}
