/** The worker's loop on a real Postgres with the built-in model: what jobs become, and their money. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeImage } from '../../src/engine/image.ts'
import {
  blobs,
  database,
  ended,
  errors,
  eventually,
  liveDispatch,
  moneyOf,
  newDispatch,
  newWorker,
  toldOf,
} from './house.ts'
import { skip } from './nano-runner.ts'

const worker = await newWorker()

describe('a dispatched job', { skip }, () => {
  it('is drawn, stored, charged and told', async () => {
    const id = await newDispatch()

    const job = await ended(id)

    assert.equal(job.state, 'done')
    const { ledger, charges } = await moneyOf(id)
    assert.ok(charges > 0)
    assert.equal(ledger, -charges)
    assert.equal(job.costMicros, charges)
    const { width, height } = await decodeImage((await blobs.get(job.resultKeys[0]!))!)
    assert.deepEqual([width, height], [64, 64])
    await eventually('the end is told', () => toldOf(id).includes('done'))
    assert.deepEqual(toldOf(id), ['step', 'done'])
    assert.equal(await liveDispatch(id), undefined)
    console.log(`measured: ${charges} us`, worker.device())
    assert.deepEqual(errors, [])
    assert.equal(await database.preview.count({ where: { jobId: id } }), 0)
  })
})
