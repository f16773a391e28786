/** Previews in the store's unlogged table, through Prisma as in the product. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import {
  deletePreview,
  maxPreviewBytes,
  readPreview,
  writePreview,
} from '../../src/queue/previews.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../src/store/prisma.ts'
import { newDatabase } from '../store/database.ts'

const jobId = '7k2mz0q9xa'
const database = openDatabase(await newDatabase())
const picture = (sizeBytes: number): Uint8Array => new Uint8Array(sizeBytes).fill(0xa5)

after(() => closeDatabase(database))

describe('a preview', () => {
  before(async () => {
    const guild = await database.guild.create({ data: { platform: 'web', platformId: 'garden' } })
    const { id: memberId } = await database.member.create({
      data: { guildId: guild.id, platformId: 'ann' },
    })
    const wish = { kind: 'imagine', spec: { prompt: 'a fox' }, seed: 42n, replyTo: {} } as const
    await database.job.create({
      data: { ...wish, id: jobId, guildId: guild.id, memberId, estimateMicros: 1n },
    })
  })
  beforeEach(() => database.preview.deleteMany())

  const write = (step: number, sizeBytes: number): Promise<string | undefined> =>
    inTransaction(database, (tx) =>
      writePreview(
        { jobId, step, evaluations: 8, contentType: 'image/jpeg', bytes: picture(sizeBytes) },
        tx,
      ),
    )

  it('is read back byte for byte by its id', async () => {
    const previewId = await write(2, 40_000)

    const { bytes, ...facts } = (await readPreview(previewId!, database))!
    assert.deepEqual(facts, { jobId, step: 2, evaluations: 8, contentType: 'image/jpeg' })
    assert.equal(Buffer.compare(bytes, picture(40_000)), 0)
  })

  it('replaces the one before, also when a retried job starts again at the first step', async () => {
    await write(5, 100)
    await write(1, 200)

    const preview = await readPreview(jobId, database)
    assert.deepEqual([preview?.step, preview?.bytes.byteLength], [1, 200])
  })

  it('may be as large as the limit', async () => {
    assert.equal(await write(1, maxPreviewBytes), jobId)
  })

  it('is left out when it is larger than the limit', async () => {
    assert.equal(await write(1, maxPreviewBytes + 1), undefined)
    assert.equal(await readPreview(jobId, database), undefined)
  })

  it('is gone once it is deleted', async () => {
    await write(8, 100)

    await inTransaction(database, (tx) => deletePreview(jobId, tx))

    assert.equal(await readPreview(jobId, database), undefined)
  })

  it('stays when the transaction that ends the job is rolled back', async () => {
    await write(8, 100)

    await assert.rejects(
      inTransaction(database, async (tx) => {
        await deletePreview(jobId, tx)
        throw new Error('changed my mind')
      }),
    )

    assert.equal((await readPreview(jobId, database))?.step, 8)
  })
})
