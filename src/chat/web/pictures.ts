/**
 * Pictures, previews and files by address. Pictures are named by what they hold, so they never
 * change; they are served only while a job of the playground names them, and previews while it is
 * drawn. Whatever is served is of a type that we chose.
 */
import type { FastifyInstance } from 'fastify'
import { readPreview } from '../../queue/previews.ts'
import { contentTypeOf, isKey } from '../../store/blobs/blob-store.ts'
import { isWebJob, jobOfPicture } from '../../store/web-jobs.ts'
import type { Services } from '../services.ts'
import type { KeptFiles } from './kept-files.ts'
import { Refused } from './refusal.ts'

const previewTypes: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/webp'])
const isJobId = /^[0-9a-z]{10}$/
const isFileId = /^[0-9a-f]{32}$/

/** Serves what messages have addresses of. */
export function servePictures(
  app: FastifyInstance,
  { database, blobs }: Pick<Services, 'database' | 'blobs'>,
  files: KeptFiles,
): void {
  app.get<{ Params: { key: string } }>('/pictures/:key', async ({ params: { key } }, reply) => {
    const isOurs = isKey(key) && (await jobOfPicture(database, key)) !== undefined
    const bytes = isOurs ? await blobs.get(key) : undefined
    if (bytes === undefined) throw new Refused(404, 'web.gone')
    return reply
      .type(contentTypeOf(key))
      .header('cache-control', 'private, max-age=31536000, immutable')
      .send(asBuffer(bytes))
  })

  app.get<{ Params: { job: string } }>('/previews/:job', async ({ params: { job } }, reply) => {
    const isOurs = isJobId.test(job) && (await isWebJob(database, job))
    const preview = isOurs ? await readPreview(job, database) : undefined
    if (!preview || !previewTypes.has(preview.contentType)) throw new Refused(404, 'web.gone')
    return reply.type(preview.contentType).send(asBuffer(preview.bytes))
  })

  app.get<{ Params: { id: string } }>('/files/:id', ({ params: { id } }, reply) => {
    const file = isFileId.test(id) ? files.find(id) : undefined
    if (file === undefined) throw new Refused(404, 'web.gone')
    const name = encodeURIComponent(file.fileName).replaceAll("'", '%27')
    return reply
      .type(file.contentType)
      .header('content-disposition', `attachment; filename*=UTF-8''${name}`)
      .send(asBuffer(file.bytes))
  })
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength)
}
