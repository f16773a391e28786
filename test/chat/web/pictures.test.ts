/** Pictures, previews and files by address: which are served, how, and to whom no more. */
import assert from 'node:assert/strict'
import { after, afterEach, describe, it } from 'node:test'
import { KeptFiles } from '../../../src/chat/web/kept-files.ts'
import { submit } from '../../../src/jobs/submit.ts'
import { writePreview } from '../../../src/queue/previews.ts'
import { newAsked, newSpec } from '../../jobs/admission.ts'
import { newDatabase } from '../../store/database.ts'
import { here, House } from './playground.ts'

const house = new House(await newDatabase())

after(() => house.close())
afterEach(() => house.leave())

describe('a picture', () => {
  it('is served by its key for ever, as what it is', async () => {
    const { url } = await house.serve()
    const { id, key } = await house.draw()

    const response = await fetch(`${url}/pictures/${key}`)

    assert.equal(await response.text(), `picture of ${id}`)
    assert.equal(response.headers.get('content-type'), 'image/png')
    assert.match(response.headers.get('cache-control') ?? '', /immutable/)
    assert.equal(response.headers.get('x-content-type-options'), 'nosniff')
  })

  it('is gone once its job has deleted it, though its bytes may still be there', async () => {
    const { url } = await house.serve()
    const { id, key } = await house.draw()
    await house.database.job.update({ where: { id }, data: { resultKeys: [''] } })

    assert.equal((await fetch(`${url}/pictures/${key}`)).status, 404)
    assert.equal(await house.services.blobs.has(key), true)
  })

  it('is not served when no job, or one of another platform, has drawn it', async () => {
    const { url } = await house.serve()
    const stray = await house.services.blobs.put(Buffer.from('stray'), 'image/png')
    const asked = newAsked({ platform: 'discord' })
    const { job } = await submit(house.services.admission, asked, newSpec())
    const elsewhere = await house.services.blobs.put(Buffer.from('elsewhere'), 'image/png')
    await house.database.job.update({ where: { id: job.id }, data: { resultKeys: [elsewhere] } })

    for (const key of [stray, elsewhere, `${'0'.repeat(64)}.png`, '..%2f..%2fsecret', 'a.png']) {
      assert.equal((await fetch(`${url}/pictures/${key}`)).status, 404, key)
    }
  })
})

describe('a preview', () => {
  const newJob = async (): Promise<string> => {
    const asked = newAsked({ platform: 'web', ...here })
    return (await submit(house.services.admission, asked, newSpec())).job.id
  }
  const preview = { step: 3, evaluations: 8, bytes: Buffer.from('small') }

  it('is the newest look at a job, kept by nobody', async () => {
    const { url } = await house.serve()
    const jobId = await newJob()
    await writePreview({ jobId, ...preview, contentType: 'image/jpeg' }, house.database)

    const response = await fetch(`${url}/previews/${jobId}?step=3`)

    assert.equal(await response.text(), 'small')
    assert.equal(response.headers.get('content-type'), 'image/jpeg')
    assert.equal(response.headers.get('cache-control'), 'no-store')
  })

  it('is served as a picture or not at all', async () => {
    const { url } = await house.serve()
    const jobId = await newJob()
    await writePreview({ jobId, ...preview, contentType: 'text/html' }, house.database)

    assert.equal((await fetch(`${url}/previews/${jobId}`)).status, 404)
    assert.equal((await fetch(`${url}/previews/nothing`)).status, 404)
  })
})

describe('kept files', () => {
  const file = (sizeBytes: number) => ({
    fileName: 'a.bin',
    contentType: 'application/octet-stream',
    bytes: new Uint8Array(sizeBytes),
  })

  it('are there for an hour', () => {
    let nowMs = 0
    const files = new KeptFiles(() => nowMs)
    const id = files.keep(file(1))

    nowMs = 3_600_000 - 1
    const before = files.find(id)
    nowMs += 1

    assert.equal(before?.bytes.byteLength, 1)
    assert.equal(files.find(id), undefined)
  })

  it('make room for newer ones by number and by bytes, but never for themselves', () => {
    const files = new KeptFiles(() => 0)
    const ids = Array.from({ length: 65 }, () => files.keep(file(1)))
    const large = files.keep(file(300 * 2 ** 20))

    assert.equal(files.find(ids[0]!), undefined)
    assert.equal(files.find(ids[64]!), undefined)
    assert.equal(files.find(large)?.bytes.byteLength, 300 * 2 ** 20)
  })
})
