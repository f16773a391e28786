/** The worker's loop on a real Postgres with the built-in model: what jobs become, and their money. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { decodeImage, encodeImage } from '../../src/engine/image.ts'
import { z } from 'zod'
import { keyOf } from '../../src/store/blobs/blob-store.ts'
import { forgetState, writeState } from '../../src/store/states.ts'
import type { PictureCheck } from '../../src/worker/pictures.ts'
import {
  blobs,
  database,
  ended,
  errors,
  events,
  eventually,
  liveDispatch,
  moneyOf,
  newDispatch,
  newWorker,
  toldOf,
} from './house.ts'
import { skip } from './nano-runner.ts'

const allow: PictureCheck = async () => ({ isAllowed: true, rule: '' })
let check = allow
const worker = skip ? undefined : await newWorker({ checkPicture: (png) => check(png) })

afterEach(() => {
  assert.deepEqual(errors.splice(0), [])
})

const asTimings = (json: unknown): Partial<Record<string, number>> =>
  z.record(z.string(), z.number()).parse(json)

/** A job that must have failed with a code, and was refunded. */
async function failureOf(id: string): Promise<unknown> {
  const job = await ended(id)
  assert.equal(job.state, 'failed')
  assert.deepEqual(await moneyOf(id), { ledger: 0, charges: 0 })
  assert.equal(await liveDispatch(id), undefined)
  return (await database.job.findUniqueOrThrow({ where: { id } })).error
}

describe('a dispatched job', { skip }, () => {
  it('is drawn, stored and told', async () => {
    const id = await newDispatch()

    const job = await ended(id)

    assert.equal(job.state, 'done')
    const { width, height } = await decodeImage((await blobs.get(job.resultKeys[0]!))!)
    assert.deepEqual([width, height], [64, 64])
    await eventually('the end is told', () => toldOf(id).includes('done'))
    assert.deepEqual(toldOf(id), ['step', 'done'])
    assert.equal(await liveDispatch(id), undefined)
  })

  it('is charged what it took, and its ledger adds up to that', async () => {
    const id = await newDispatch()

    const { costMicros } = await ended(id)

    const { ledger, charges } = await moneyOf(id)
    assert.ok(charges > 0)
    assert.deepEqual([ledger, costMicros], [-charges, charges])
    const { timings, device } = await database.job.findUniqueOrThrow({ where: { id } })
    const { encode = NaN, denoise = NaN, decode = NaN, batch, deviceMicros } = asTimings(timings)
    assert.deepEqual([encode + denoise + decode, deviceMicros, batch], [charges, charges, 1])
    assert.equal(device, worker!.device().id)
  })

  it('gives all its pictures, in order, each with the seed of its own', async () => {
    const [several, single] = await Promise.all([
      newDispatch({ seed: 4, count: 3, isPrivate: true }),
      newDispatch({ seed: 6, isPrivate: true }),
    ])

    const keys = (await ended(several)).resultKeys

    assert.equal(new Set(keys).size, 3)
    assert.equal(keys[2], (await ended(single)).resultKeys[0])
  })

  it('tells of its first and its last step', async () => {
    const id = await newDispatch()
    await ended(id)

    await eventually('the end is told', () => toldOf(id).includes('done'))

    const steps = events.flatMap((event) =>
      event.type === 'step' && event.jobId === id ? [event.index] : [],
    )
    assert.deepEqual([steps[0], steps.at(-1)], [0, 4])
  })

  it('starts from the picture that it names', async () => {
    const pixels = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(200) }
    const image = await blobs.put(await encodeImage(pixels, 'png'), 'image/png')

    const job = await ended(await newDispatch({ kind: 'edit', image, strength: 0.5 }))

    assert.equal(job.state, 'done')
  })

  it('fails when the picture that it starts from is gone', async () => {
    const image = `${'0'.repeat(64)}.png`

    const error = await failureOf(await newDispatch({ kind: 'edit', image }))

    assert.deepEqual(error, { code: 'image-missing', params: {} })
  })

  it("fails with the engine's refusal", async () => {
    const image = await blobs.put(new TextEncoder().encode('GIF89a'), 'image/png')

    const id = await newDispatch({ kind: 'edit', image })

    assert.deepEqual(await failureOf(id), {
      code: 'image-unsupported',
      params: { expected: 'png, jpeg or webp', got: 'gif' },
    })
    await eventually('the end is told', () => toldOf(id).includes('failed'))
  })

  it('fails with an apology for what nobody expected, and the next one is drawn', async () => {
    check = () => Promise.reject(new Error('internal: a bug'))

    const error = await failureOf(await newDispatch())

    check = allow
    assert.deepEqual(error, { code: 'drawing-failed', params: {} })
    assert.match(String(errors.splice(0)), /a bug/)
    assert.equal((await ended(await newDispatch())).state, 'done')
  })

  it('fails when the check refuses its picture, which is stored nowhere', async () => {
    let seen: Uint8Array | undefined
    check = async (png) => {
      seen = png
      return { isAllowed: false, rule: 'gore' }
    }

    const error = await failureOf(await newDispatch())

    check = allow
    assert.deepEqual(error, { code: 'picture-refused', params: { rule: 'gore' } })
    assert.equal(await blobs.has(keyOf(seen!, 'image/png')), false)
  })

  it('is charged in time of the reference device', async () => {
    const slow = { ratio: 1000, samples: 50 }
    await writeState(database, 'cost-model', { devices: { nano: slow }, kinds: {} })
    const other = await newWorker()
    await worker!.close()

    const id = await newDispatch()

    const { costMicros } = await ended(id)
    const { timings } = await database.job.findUniqueOrThrow({ where: { id } })
    assert.equal(costMicros, Math.round(asTimings(timings).deviceMicros! / 1000))
    await other.close()
    await forgetState(database, 'cost-model')
  })
})
