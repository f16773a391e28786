/**
 * A member's right to what is kept about them: all of it in a file, in parts where it is large, or
 * all of it deleted, after their jobs have been cancelled.
 */
import { publish } from '../queue/events.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { openJobs } from '../store/gallery.ts'
import { audit } from '../store/guilds.ts'
import { lockJob, settleCancelled } from '../store/jobs.ts'
import { type Erased, eraseMember, filesOf, type Person, recordsOf } from '../store/privacy.ts'
import { type Database, inTransaction } from '../store/prisma.ts'
import { cancel, type Cancelling } from './cancel.ts'
import { forgetBlobs } from './remove-pictures.ts'
import { zip, type ZipEntry } from './zip.ts'

/** A part of an export. */
export type ExportPart = {
  readonly bytes: Uint8Array
  /** The files in it, counted from 1; `to` is less than `from` if there are none. */
  readonly from: number
  readonly to: number
  /** Files in all parts. */
  readonly files: number
}

/** Platforms take files of 10 MB; a single larger picture is a part of its own. */
export const partBytes = 8 * 2 ** 20

const attempts = 5
const mostOpenJobs = 10_000

/** A part of what is kept: all rows, in the first part, and files from that one on, while they fit. */
export async function exportPart(
  { database, blobs }: { readonly database: Database; readonly blobs: BlobStore },
  person: Person,
  {
    from,
    nowMs,
    mostBytes = partBytes,
  }: {
    readonly from: number
    readonly nowMs: number
    readonly mostBytes?: number
  },
): Promise<ExportPart> {
  const files = await filesOf(database, person)
  const entries: ZipEntry[] = []
  if (from === 1) {
    const records = JSON.stringify(await recordsOf(database, person, nowMs), plain, 2)
    entries.push({ name: 'records.json', bytes: Buffer.from(records), isDeflated: true })
  }
  let sizeBytes = 0
  let to = from - 1
  for (const { name, key } of files.slice(from - 1)) {
    const bytes = await blobs.get(key)
    const isFirst = to < from
    if (bytes && !isFirst && sizeBytes + bytes.length > mostBytes) break
    to += 1
    if (!bytes) continue
    sizeBytes += bytes.length
    entries.push({ name, bytes, isDeflated: false })
  }
  return { bytes: await zip(entries), from, to, files: files.length }
}

/**
 * Deletes everything that is kept about a member: jobs and pictures, settings, favourites, words.
 * Whoever is blocked may do it too, and stays blocked.
 */
export async function deleteEverything(
  {
    database,
    blobs,
    cancelling,
  }: {
    readonly database: Database
    readonly blobs: BlobStore
    readonly cancelling: Cancelling
  },
  person: Person,
  nowMs: number,
): Promise<Erased> {
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    await endJobs({ database, cancelling }, person, nowMs)
    const erased = await inTransaction(database, async (transaction) => {
      const gone = await eraseMember(transaction, person, nowMs)
      if (gone) {
        const facts = { jobs: gone.jobs, pictures: gone.pictures }
        const { guild } = person
        await audit(transaction, { guild, action: 'member deleted', facts, nowMs })
      }
      return gone
    })
    // None: the member has asked for a picture meanwhile.
    if (!erased) continue
    await forgetBlobs(database, blobs, erased.keys)
    return erased
  }
  throw new Error('internal: a member who deletes everything goes on asking for pictures')
}

/** Cancels what has not ended; what a device holds ends here at once, and there when it hears of it. */
async function endJobs(
  { database, cancelling }: { readonly database: Database; readonly cancelling: Cancelling },
  person: Person,
  nowMs: number,
): Promise<void> {
  const { jobs } = await openJobs(database, person, mostOpenJobs)
  for (const { id } of jobs) {
    const outcome = await cancel(cancelling, { ...person, rank: 'member' }, id)
    if (outcome !== 'requested') continue
    await inTransaction(database, async (transaction) => {
      const job = await lockJob(transaction, id)
      if (!job) return
      await settleCancelled(transaction, id, job.attempt, { costMicros: 0, nowMs })
      await publish({ type: 'cancelled', jobId: id }, transaction)
    })
  }
}

/** Numbers of the database that JSON does not have. */
function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}
