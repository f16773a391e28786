/** Previews in an unlogged table of a real Postgres. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import {
  deletePreview,
  maxPreviewBytes,
  readPreview,
  writePreview,
} from '../../src/queue/previews.ts'
import { TestPostgres } from './postgres.ts'

const jobId = '7k2mz0q9xa'
const picture = (sizeBytes: number): Uint8Array => new Uint8Array(sizeBytes).fill(0xa5)

describe('a preview', () => {
  let postgres: TestPostgres

  before(async () => {
    postgres = await TestPostgres.start()
    await postgres.query(
      `CREATE UNLOGGED TABLE preview (job_id text PRIMARY KEY, step int NOT NULL,
       image bytea NOT NULL, at timestamptz NOT NULL)`,
    )
  })
  after(() => postgres.stop())
  beforeEach(() => postgres.query('TRUNCATE preview'))

  const write = (step: number, sizeBytes: number): Promise<string | undefined> =>
    postgres.transaction((tx) => writePreview({ jobId, step, image: picture(sizeBytes) }, tx))
  const read = (previewId: string): ReturnType<typeof readPreview> =>
    postgres.transaction((tx) => readPreview(previewId, tx))

  it('is read back byte for byte by its id', async () => {
    const previewId = await write(2, 40_000)

    const preview = await read(previewId!)
    assert.equal(preview?.step, 2)
    assert.equal(Buffer.compare(preview.image, picture(40_000)), 0)
  })

  it('replaces the one before, also when a retried job starts again at the first step', async () => {
    await write(5, 100)
    await write(1, 200)

    const preview = await read(jobId)
    assert.deepEqual([preview?.step, preview?.image.byteLength], [1, 200])
  })

  it('may be as large as the limit', async () => {
    assert.equal(await write(1, maxPreviewBytes), jobId)
  })

  it('is left out when it is larger than the limit', async () => {
    assert.equal(await write(1, maxPreviewBytes + 1), undefined)
    assert.equal(await read(jobId), undefined)
  })

  it('is gone once it is deleted', async () => {
    await write(8, 100)

    await postgres.transaction((tx) => deletePreview(jobId, tx))

    assert.equal(await read(jobId), undefined)
  })

  it('stays when the transaction that ends the job is rolled back', async () => {
    await write(8, 100)

    await assert.rejects(
      postgres.transaction(async (tx) => {
        await deletePreview(jobId, tx)
        throw new Error('changed my mind')
      }),
    )

    assert.equal((await read(jobId))?.step, 8)
  })
})
