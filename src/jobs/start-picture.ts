/**
 * Pictures that somebody wants to start from. An upload is hostile: its format and size are judged
 * before it is decoded, one at a time, and it is kept as plain pixels, without whatever else was in
 * the file, above all the place where it was taken. Another member's upload takes that member's
 * consent; what the bot drew for everyone may be changed by everyone.
 */
import { UserError, isFault } from '../core/errors.ts'
import { Turns } from '../core/turns.ts'
import type { StartPicture } from '../core/wish.ts'
import { EngineError } from '../engine/error.ts'
import { type Pixels, decodeImage, encodeImage } from '../engine/image.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { findMember, type StoredGuild, type StoredMember } from '../store/guilds.ts'
import { findJob, type StoredJob } from '../store/jobs.ts'
import type { Database } from '../store/prisma.ts'

/** A file that somebody sent. */
export type Upload = {
  readonly bytes: Uint8Array
  readonly fileName: string
  /** Whose it is, by the platform's id. */
  readonly owner: string
}

/** Who wants to start from a picture, and where pictures are kept. */
export type Starting = {
  readonly database: Database
  readonly blobs: BlobStore
  readonly guild: StoredGuild
  readonly member: StoredMember
}

/** The largest file and the largest picture that are let in. */
const uploadLimits = { maxBytes: 20 * 2 ** 20, maxPixels: 4096 * 4096, maxSide: 16_384 } as const

// Decoded, the largest picture takes 48 MB: never two at once.
const decoding = new Turns()

/**
 * Takes an upload in.
 *
 * @throws {UserError} consent-missing; image-unsupported, image-broken, image-too-large
 */
export async function startFromUpload(
  { database, blobs, guild, member }: Starting,
  { bytes, fileName, owner }: Upload,
): Promise<StartPicture> {
  await checkConsent(database, { guild, member }, owner)
  const endTurn = await decoding.take()
  try {
    const pixels = await decoded(bytes, fileName)
    const key = await blobs.put(await encodeImage(pixels, 'png'), 'image/png')
    return { key, width: pixels.width, height: pixels.height, owner }
  } finally {
    endTurn()
  }
}

/** A picture of ours, counted from 1. @throws {UserError} job-unknown, picture-unknown */
export async function startFromJob(
  starting: Starting,
  jobId: string,
  picture: number,
): Promise<{ readonly start: StartPicture; readonly parent: StoredJob }> {
  const parent = await visibleJob(starting.database, starting, jobId)
  const key = parent.resultKeys[picture - 1] ?? ''
  if (key === '') throw new UserError('picture-unknown', { job: parent.id, picture })
  const { width, height } = parent.spec
  return { start: { key, width, height, parent: parent.id }, parent }
}

/**
 * A job that a member may look at: one of this guild, and if it is private, their own.
 *
 * @throws {UserError} job-unknown, so that nobody learns which private jobs there are
 */
export async function visibleJob(
  database: Database,
  { guild, member }: Pick<Starting, 'guild' | 'member'>,
  jobId: string,
): Promise<StoredJob> {
  const job = await findJob(database, jobId)
  const isTheirs = job?.member === member.id
  if (job?.guild !== guild.id || (job.spec.isPrivate && !isTheirs)) {
    throw new UserError('job-unknown', { job: jobId })
  }
  return job
}

/** Whether a member may start from what another uploaded. @throws {UserError} consent-missing */
export async function checkConsent(
  database: Database,
  { guild, member }: Pick<Starting, 'guild' | 'member'>,
  owner: string,
): Promise<void> {
  if (owner === member.id) return
  const uploader = await findMember(database, guild, owner)
  if (uploader?.isEditConsented !== true) throw new UserError('consent-missing', {})
}

/** Pixels of a file; what the engine refuses is refused in its words. */
async function decoded(bytes: Uint8Array, name: string): Promise<Pixels> {
  return decodeImage(bytes, { ...uploadLimits, name }).catch((error: unknown) => {
    if (!(error instanceof EngineError)) throw error
    const fault = [error.code, error.params] as const
    if (!isFault(fault)) throw error
    throw new UserError(...fault)
  })
}
