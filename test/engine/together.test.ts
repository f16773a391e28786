/**
 * Several specs drawn together, with the built-in model: each gets, to the byte, what it gets alone,
 * whatever becomes of the others; and what drawing with little memory changes.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it, mock } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type Pixels, encodeImage, resize } from '../../src/engine/image.ts'
import { LazySession } from '../../src/engine/onnx/session.ts'
import { Pipeline } from '../../src/engine/pipeline.ts'
import type { ItemStep, PictureSpec, Step } from '../../src/engine/spec.ts'

const nano = fileURLToPath(new URL('../../models/nano', import.meta.url))
const cat: PictureSpec = { prompt: 'a cat on the left', seed: 7, evaluations: 4 }
const dog: PictureSpec = { prompt: 'a dog on a red background', seed: 8, evaluations: 4 }
const lion: PictureSpec = { prompt: '绿色背景上的一头大狮子', seed: 11, evaluations: 4 }
/** Another padded caption length than the others'. */
const wordy: PictureSpec = { ...cat, prompt: 'two apples on a blue background, '.repeat(12) }
let pipeline: Pipeline

before(async () => {
  pipeline = await Pipeline.open(nano)
})
after(() => pipeline.close())

type Options = Parameters<Pipeline['generateTogether']>[1]

/** What came of each spec, in order. */
async function together(specs: readonly PictureSpec[], options?: Options) {
  const steps = specs.map((): Step[] => [])
  const errors = specs.map((): unknown => undefined)
  for await (const drawn of pipeline.generateTogether(specs, options)) {
    if ('error' in drawn) errors[drawn.item] = drawn.error
    else steps[drawn.item]!.push(drawn.step)
  }
  return { steps, errors }
}

function alone(spec: PictureSpec): Promise<Step[]> {
  return Array.fromAsync(pipeline.generate(spec))
}

function picturesIn(steps: readonly Step[]): Pixels[] {
  return steps.flatMap((step) => (step.kind === 'picture' ? [step.pixels] : []))
}

function previewsIn(steps: readonly Step[]): Pixels[] {
  return steps.flatMap((step) => (step.kind === 'step' ? (step.previews ?? []) : []))
}

/** Careful: `deepEqual` would build a difference of gigabytes out of two pictures that differ. */
function assertSame(actual: readonly Pixels[], expected: readonly Pixels[]): void {
  assert.equal(actual.length, expected.length)
  for (const [k, { width, height, data }] of actual.entries()) {
    assert.deepEqual([width, height], [expected[k]!.width, expected[k]!.height])
    assert.ok(Buffer.compare(data, expected[k]!.data) === 0, `picture ${k} differs`)
  }
}

/** Pictures in each run of the transformer during `draw`. */
async function runsOf(draw: () => Promise<unknown>): Promise<number[]> {
  const compute = mock.method(LazySession.prototype, 'compute')
  try {
    await draw()
    const feeds = compute.mock.calls.map((call) => call.arguments[0])
    return feeds.flatMap(({ refined }) => (refined ? [refined.shape[0]!] : []))
  } finally {
    compute.mock.restore()
  }
}

describe('Pipeline.generateTogether', () => {
  it('gives every spec to the byte what it gets alone', async () => {
    const [start] = picturesIn(await alone(cat))
    const image = await encodeImage(start!, 'png')
    const specs: Record<string, PictureSpec> = {
      cat,
      dog: { ...dog, count: 2 },
      guided: { ...lion, guidance: 1.5, negativePrompt: 'a cat', guidanceTruncation: 0.2 },
      redrawn: { ...lion, image, strength: 0.5 },
      wordy,
      wide: { ...dog, width: 192, height: 96 },
      previewed: { ...dog, preview: true },
      hasty: { ...lion, evaluations: 2 },
    }

    const { steps, errors } = await together(Object.values(specs))

    assert.deepEqual(errors.filter(Boolean), [])
    for (const [i, spec] of Object.values(specs).entries()) {
      const own = await alone(spec)
      assertSame(picturesIn(steps[i]!), picturesIn(own))
      assertSame(previewsIn(steps[i]!), previewsIn(own))
      const told = ({ kind, index }: Step): string => `${kind} ${index}`
      assert.deepEqual(steps[i]!.map(told), own.map(told))
    }
  })

  it('takes one step for each before the next of any, and the pictures at the end', async () => {
    const order: string[] = []

    for await (const drawn of pipeline.generateTogether([cat, dog])) {
      assert.ok('step' in drawn)
      order.push(`${drawn.item}: ${drawn.step.kind} ${drawn.step.index}`)
    }

    const rounds = [1, 2, 3].flatMap((n) => [`0: step ${n}`, `1: step ${n}`])
    const last = [0, 1].flatMap((item) => [`${item}: step 4`, `${item}: picture 0`])
    assert.deepEqual(order, [...rounds, ...last])
  })

  it('draws captions of equal padded length in the same runs, others in their own', async () => {
    const equal = await runsOf(() => together([cat, dog, lion]))
    const unequal = await runsOf(() => together([cat, wordy, dog]))

    assert.deepEqual(equal, [3, 3, 3, 3])
    assert.deepEqual(unequal, [2, 1, 2, 1, 2, 1, 2, 1])
  })

  it('drops a spec whose signal is aborted, and draws the others as if it had never been', async () => {
    const stop = new AbortController()
    const reason = new Error('the member changed their mind')
    const drawn: ItemStep[] = []

    const runs = await runsOf(async () => {
      const signals = [undefined, stop.signal]
      for await (const step of pipeline.generateTogether([cat, dog, lion], { signals })) {
        drawn.push(step)
        if (drawn.length === 6) stop.abort(reason)
      }
    })

    const of = (item: number): Step[] =>
      drawn.flatMap((step) => (step.item === item && 'step' in step ? [step.step] : []))
    assert.deepEqual(runs, [3, 3, 2, 2])
    assert.equal(of(1).length, 2)
    assert.deepEqual(
      drawn.find((step) => 'error' in step),
      { item: 1, error: reason },
    )
    assertSame(picturesIn(of(0)), picturesIn(await alone(cat)))
    assertSame(picturesIn(of(2)), picturesIn(await alone(lion)))
  })

  it('tells what is wrong with a spec before any is drawn, and draws the others', async () => {
    const image = new TextEncoder().encode('GIF89a, or so it says')
    const specs = [{ ...cat, image }, dog, { ...lion, evaluations: 0 }]
    const kinds: string[] = []

    const codes: unknown[] = []
    const pictures: Pixels[] = []
    for await (const drawn of pipeline.generateTogether(specs)) {
      kinds.push('error' in drawn ? 'error' : drawn.step.kind)
      if ('error' in drawn) codes.push((drawn.error as { code?: unknown }).code)
      else pictures.push(...picturesIn([drawn.step]))
    }

    assert.deepEqual(kinds, ['error', 'error', 'step', 'step', 'step', 'step', 'picture'])
    assert.deepEqual(codes, ['image-unsupported', 'spec-invalid'])
    assertSame(pictures, picturesIn(await alone(dog)))
  })

  it('ends when all are dropped', async () => {
    const signals = [cat, dog].map(() => AbortSignal.abort(new Error('enough')))

    const { steps, errors } = await together([cat, dog], { signals })

    assert.deepEqual(steps.flat(), [])
    assert.deepEqual(
      errors,
      signals.map(({ reason }): unknown => reason),
    )
  })

  it('takes eight specs at most', async () => {
    await assert.rejects(together(Array.from({ length: 9 }, () => cat)), /at most 8 specs/)
  })
})

describe('a frugal drawing', () => {
  it('evaluates one picture after another', async () => {
    const runs = await runsOf(() => together([{ ...cat, count: 2 }, dog], { isFrugal: true }))

    assert.deepEqual(
      runs,
      Array.from({ length: 3 * 4 }, () => 1),
    )
  })

  it('decodes in tiles, which change large pictures a little and small ones not at all', async () => {
    const large = { width: 640, height: 64, evaluations: 2 }
    const specs = [{ ...cat, ...large }, { ...dog, ...large }, { ...lion, ...large }, cat]

    const { steps } = await together(specs, { isFrugal: true })

    const differences: number[] = []
    for (const [i, spec] of specs.entries()) {
      const [whole] = picturesIn(await alone(spec))
      const [tiled] = picturesIn(steps[i]!)
      const sum = whole!.data.reduce((sum, v, at) => sum + Math.abs(v - tiled!.data[at]!), 0)
      differences.push(sum / whole!.data.length)
    }
    console.log(
      `measured: frugal against whole, mean of 255: ${differences.map((d) => d.toFixed(2)).join()}`,
    )
    assert.equal(differences.pop(), 0)
    for (const difference of differences) assert.ok(difference > 0 && difference < 8)
  })

  it('encodes a starting picture in tiles', async () => {
    const [start] = picturesIn(await alone(cat))
    const image = await encodeImage(resize(start!, 640, 64), 'png')
    const spec = { ...dog, image, strength: 0.25 }
    const encodings = async (isFrugal: boolean): Promise<number> => {
      const compute = mock.method(LazySession.prototype, 'compute')
      await Array.fromAsync(pipeline.generate(spec, { isFrugal }))
      compute.mock.restore()
      const pixelFeeds = compute.mock.calls.map((call) => call.arguments[0]['image']?.shape.length)
      return pixelFeeds.filter((axes) => axes === 4).length
    }

    assert.deepEqual([await encodings(false), await encodings(true)], [1, 2])
  })
})
