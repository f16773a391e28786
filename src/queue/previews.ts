/**
 * Small pictures of unfinished work, on their way from the worker to the bot: one row a job in the
 * store's UNLOGGED table `previews` (a preview is worth nothing after a crash), announced by the
 * `step` event that carries its id, deleted at the end of the job. NOTIFY itself holds less than
 * 8000 bytes.
 */
import { z } from 'zod'
import { type Transaction, sqlOf } from './transaction.ts'

/** The largest preview that is kept. */
export const maxPreviewBytes = 256 * 1024

/** An encoded picture of a job after `step` of its `evaluations`. */
export type Preview = {
  readonly jobId: string
  readonly step: number
  readonly evaluations: number
  /** What the bytes are, such as `image/jpeg`. */
  readonly contentType: string
  readonly bytes: Uint8Array
}

/**
 * Keeps the newest preview of a job.
 *
 * @returns the id for the `step` event; undefined if the picture is larger than `maxPreviewBytes`:
 *   it is not kept, for the lack of a preview is no reason to fail a job
 * @throws the driver's error, if the job has no row (any more) too
 */
export async function writePreview(
  { jobId, step, evaluations, contentType, bytes }: Preview,
  transaction: Transaction,
): Promise<string | undefined> {
  if (bytes.byteLength > maxPreviewBytes) return undefined
  await sqlOf(transaction).executeSql(
    `INSERT INTO previews (job_id, step, evaluations, content_type, bytes, updated_at)
     VALUES ($1, $2::int, $3::int, $4, $5, now())
     ON CONFLICT (job_id) DO UPDATE SET step = excluded.step, evaluations = excluded.evaluations,
       content_type = excluded.content_type, bytes = excluded.bytes, updated_at = excluded.updated_at
     RETURNING job_id`,
    [jobId, step, evaluations, contentType, bytes],
  )
  return jobId
}

const rowSchema = z.object({
  jobId: z.string(),
  step: z.number(),
  evaluations: z.number(),
  contentType: z.string(),
  bytes: z.instanceof(Uint8Array),
})

/** The newest preview under an id of a `step` event; undefined when the job has ended since. */
export async function readPreview(
  previewId: string,
  transaction: Transaction,
): Promise<Preview | undefined> {
  const { rows } = await sqlOf(transaction).executeSql(
    `SELECT job_id AS "jobId", step, evaluations, content_type AS "contentType", bytes
     FROM previews WHERE job_id = $1`,
    [previewId],
  )
  return rows.length === 0 ? undefined : rowSchema.parse(rows[0])
}

/** Forgets the preview of a job that has ended, in the transaction that ends it. */
export async function deletePreview(jobId: string, transaction: Transaction): Promise<void> {
  await sqlOf(transaction).executeSql('DELETE FROM previews WHERE job_id = $1', [jobId])
}
