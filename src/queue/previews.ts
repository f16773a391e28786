/**
 * Small pictures of unfinished work, on their way from the worker to the bot: one row a job in an
 * UNLOGGED table (a preview is worth nothing after a crash), announced by the `step` event that
 * carries its id, deleted at the end of the job. NOTIFY itself holds less than 8000 bytes.
 */
import { z } from 'zod'
import { type Transaction, sqlOf } from './transaction.ts'

/** The largest preview that is kept. */
export const maxPreviewBytes = 256 * 1024

/** An encoded picture of a job after so many evaluations. */
export type Preview = {
  readonly jobId: string
  readonly step: number
  readonly image: Uint8Array
}

/**
 * Keeps the newest preview of a job.
 *
 * @returns the id for the `step` event; undefined if the picture is larger than `maxPreviewBytes`:
 *   it is not kept, for the lack of a preview is no reason to fail a job
 */
export async function writePreview(
  { jobId, step, image }: Preview,
  transaction: Transaction,
): Promise<string | undefined> {
  if (image.byteLength > maxPreviewBytes) return undefined
  await sqlOf(transaction).executeSql(
    `INSERT INTO preview (job_id, step, image, at) VALUES ($1, $2::int, $3, now())
     ON CONFLICT (job_id) DO UPDATE SET step = excluded.step, image = excluded.image, at = excluded.at
     RETURNING job_id`,
    [jobId, step, image],
  )
  return jobId
}

const rowSchema = z.object({
  job_id: z.string(),
  step: z.number(),
  image: z.instanceof(Uint8Array),
})

/** The newest preview under an id of a `step` event; undefined when the job has ended since. */
export async function readPreview(
  previewId: string,
  transaction: Transaction,
): Promise<Preview | undefined> {
  const { rows } = await sqlOf(transaction).executeSql(
    'SELECT job_id, step, image FROM preview WHERE job_id = $1',
    [previewId],
  )
  if (rows.length === 0) return undefined
  const { job_id: jobId, step, image } = rowSchema.parse(rows[0])
  return { jobId, step, image }
}

/** Forgets the preview of a job that has ended, in the transaction that ends it. */
export async function deletePreview(jobId: string, transaction: Transaction): Promise<void> {
  await sqlOf(transaction).executeSql('DELETE FROM preview WHERE job_id = $1', [jobId])
}
