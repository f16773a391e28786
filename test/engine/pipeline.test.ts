/**
 * The engine's door, with the built-in model: seeds, batches, pauses, cancels, starting pictures,
 * guidance, previews, and what it refuses.
 */
import assert from 'node:assert/strict'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { EngineError } from '../../src/engine/error.ts'
import { type Pixels, encodeImage, resize } from '../../src/engine/image.ts'
import { Pipeline } from '../../src/engine/pipeline.ts'
import { fitPreviewMap, previewPixels } from '../../src/engine/preview.ts'
import type { PictureSpec, Step } from '../../src/engine/spec.ts'
import { type Tensor, float32 } from '../../src/engine/tensor.ts'
import { temporaryFolder } from '../fixtures/closed-form-checkpoint.ts'
import { refusalOf } from './refusal.ts'

const nano = fileURLToPath(new URL('../../models/nano', import.meta.url))
const cat: PictureSpec = {
  prompt: 'a cat on the left and a dog on the right, blue background',
  seed: 7,
}
const lion: PictureSpec = { prompt: '绿色背景上的一头大狮子', seed: 11 }
let pipeline: Pipeline

before(async () => {
  pipeline = await Pipeline.open(nano)
})
after(() => pipeline.close())

async function stepsOf(spec: PictureSpec, from = pipeline): Promise<Step[]> {
  return Array.fromAsync(from.generate(spec))
}

function picturesIn(steps: readonly Step[]): Pixels[] {
  return steps.flatMap((step) => (step.kind === 'picture' ? [step.pixels] : []))
}

async function pictures(spec: PictureSpec, from = pipeline): Promise<Pixels[]> {
  return picturesIn(await stepsOf(spec, from))
}

/** Careful: `deepEqual` would build a difference of gigabytes out of two pictures that differ. */
function assertSame(actual: Pixels | undefined, expected: Pixels | undefined): void {
  assert.ok(actual && expected)
  assert.deepEqual([actual.width, actual.height], [expected.width, expected.height])
  assert.ok(Buffer.compare(actual.data, expected.data) === 0, 'the pictures differ')
}

function meanDifference(a: Pixels, b: Pixels): number {
  assert.equal(a.data.length, b.data.length)
  return a.data.reduce((sum, value, i) => sum + Math.abs(value - b.data[i]!), 0) / a.data.length
}

describe('Pipeline', () => {
  it('says what the model is', () => {
    assert.deepEqual(pipeline.facts, {
      name: 'nano',
      defaults: { width: 128, height: 128, evaluations: 8, guidance: 0 },
      parameters: 5_136_992,
    })
  })

  it('yields every step with its falling noise level, then the picture', async () => {
    const steps = await stepsOf(cat)

    const levels = steps.flatMap((step) => (step.kind === 'step' ? [step.sigma] : []))
    assert.deepEqual(
      steps.map(({ kind }) => kind),
      [...levels.map(() => 'step'), 'picture'],
    )
    assert.deepEqual(
      levels.map((sigma) => sigma.toFixed(4)),
      ['0.9545', '0.9000', '0.8333', '0.7500', '0.6429', '0.5000', '0.3000', '0.0000'],
    )
    const picture = steps.at(-1)
    assert.ok(picture?.kind === 'picture')
    assert.deepEqual([picture.pixels.width, picture.pixels.height, picture.seed], [128, 128, 7])
  })

  it('draws the same PNG bytes for the same seed twice, from a model opened anew', async () => {
    const again = await Pipeline.open(nano, { threads: 1 })
    const [first, second] = [await pictures(cat), await pictures(cat, again)]
    await again.close()

    const [one, other] = [await encodeImage(first[0]!, 'png'), await encodeImage(second[0]!, 'png')]
    assert.ok(Buffer.compare(one, other) === 0)
    assert.ok(meanDifference(first[0]!, (await pictures({ ...cat, seed: 8 }))[0]!) > 0.5)
  })

  it('draws picture k of several exactly as the single picture of seed + k - 1', async () => {
    const steps = await stepsOf({ ...cat, seed: 2 ** 32 - 2, count: 4 })

    const seeds = steps.flatMap((step) => (step.kind === 'picture' ? [step.seed] : []))
    assert.deepEqual(seeds, [2 ** 32 - 2, 2 ** 32 - 1, 0, 1])
    for (const [k, pixels] of picturesIn(steps).entries()) {
      assertSame((await pictures({ ...cat, seed: seeds[k]! }))[0], pixels)
    }
  })

  it('draws the same whether paused for another picture or straight through', async () => {
    const straight = [...(await pictures({ ...cat, count: 2 })), ...(await pictures(lion))]

    const [paused, other] = [pipeline.generate({ ...cat, count: 2 }), pipeline.generate(lion)]
    const seen: Step[] = []
    for (let i = 0; i < 3; i++) seen.push((await paused.next()).value as Step)
    const between = await Array.fromAsync(other)
    seen.push(...(await Array.fromAsync(paused)))

    const drawn = [...picturesIn(seen), ...picturesIn(between)]
    assert.equal(drawn.length, straight.length)
    for (const [i, picture] of drawn.entries()) assertSame(picture, straight[i])
  })

  it('draws interleaved generations as it draws them alone', async () => {
    const alone = [...(await pictures(cat)), ...(await pictures(lion))]

    const together = await Promise.all([pictures(cat), pictures(lion)])

    for (const [i, picture] of together.flat().entries()) assertSame(picture, alone[i])
  })

  it('stops at the next step once aborted, with the reason, and draws on afterwards', async () => {
    const stop = new AbortController()
    const reason = new Error('the member changed their mind')
    const seen: number[] = []

    await assert.rejects(async () => {
      for await (const step of pipeline.generate(cat, { signal: stop.signal })) {
        seen.push(step.index)
        if (step.index === 3) stop.abort(reason)
      }
    }, reason)

    assert.deepEqual(seen, [1, 2, 3])
    assert.equal((await pictures(cat)).length, 1)
  })

  it('never begins when aborted before', async () => {
    const steps = pipeline.generate(cat, { signal: AbortSignal.abort() })

    await assert.rejects(steps.next(), { name: 'AbortError' })
  })

  it('ends what is still open when it is closed, and opens nothing again', async () => {
    const closed = await Pipeline.open(nano)
    const begun = closed.generate(cat)
    await begun.next()

    await closed.close()

    await assert.rejects(begun.next(), /the model was closed/)
    await assert.rejects(closed.generate(cat).next(), /the model was closed/)
  })

  it('draws other shapes than its default', async () => {
    const [wide, tall] = [
      { ...lion, width: 192, height: 96 },
      { ...lion, width: 64, height: 160 },
    ]

    const [first] = await pictures(wide)
    const [second] = await pictures(tall)

    assert.deepEqual(
      [first!.width, first!.height, second!.width, second!.height],
      [192, 96, 64, 160],
    )
  })

  it('is guided away from a negative prompt', async () => {
    const plain = { ...cat, evaluations: 6 }
    const guided = { ...plain, guidance: 1.5, negativePrompt: 'a cat' }

    const [[first], [second], [third]] = [
      await pictures(plain),
      await pictures(guided),
      await pictures({ ...guided, negativePrompt: 'a red apple' }),
    ]

    assert.ok(meanDifference(first!, second!) > 0.5)
    assert.ok(meanDifference(second!, third!) > 0.5)
  })

  it('keeps more of a starting picture the lower the strength, in fewer evaluations', async () => {
    const [start] = await pictures(cat)
    const image = await encodeImage(start!, 'png')
    const redraw = (strength: number): Promise<Step[]> => stepsOf({ ...lion, image, strength })

    const differences: number[] = []
    for (const [strength, evaluations] of [
      [0.2, 2],
      [0.6, 5],
      [1, 8],
    ] as const) {
      const steps = await redraw(strength)
      assert.equal(steps.length, evaluations + 1)
      differences.push(meanDifference(start!, picturesIn(steps)[0]!))
    }

    assert.ok(differences[0]! < differences[1]! && differences[1]! < differences[2]!)
  })

  it("redraws a photo at four times its default area, not at the photo's", async () => {
    const [start] = await pictures(cat)
    const image = await encodeImage(resize(start!, 1600, 1200), 'jpeg')

    const [picture] = await pictures({ ...lion, image, evaluations: 1, strength: 1 })

    assert.deepEqual([picture!.width, picture!.height], [288, 208])
  })

  it('takes the size of the starting picture, rounded down to 16, unless told another', async () => {
    const [start] = await pictures(cat)
    const image = await encodeImage(resize(start!, 150, 90), 'jpeg')

    const [own] = await pictures({ ...lion, image })
    const [other] = await pictures({ ...lion, image, width: 64, height: 64 })

    assert.deepEqual([own!.width, own!.height, other!.width, other!.height], [144, 80, 64, 64])
  })

  it('makes a starting picture smaller that is longer than the model has positions', async () => {
    const long = { width: 16384, height: 8, data: new Uint8Array(3 * 16384 * 8) }
    const image = await encodeImage(long, 'png')

    const [picture] = await pictures({ ...lion, image, strength: 0.1 })

    assert.deepEqual([picture!.width, picture!.height], [8192, 16])
  })

  it('remembers prompts without ever mixing them up', async () => {
    const [first] = await pictures(cat)
    for (let i = 0; i < 33; i++) {
      await pictures({ prompt: `${i} cats`, seed: 1, evaluations: 1, width: 32, height: 32 })
    }

    assertSame((await pictures(cat))[0], first)
    assert.ok(
      meanDifference((await pictures({ ...cat, prompt: `${cat.prompt}.` }))[0]!, first!) > 0,
    )
  })

  it('previews each picture at an eighth of its size, and each its own', async () => {
    const steps = await stepsOf({ ...cat, count: 2, preview: true })

    const previews = steps.flatMap((step) => (step.kind === 'step' ? [step.previews!] : []))
    const [other] = await pictures(lion)
    assert.equal(previews.length, 8)
    for (const [k, picture] of picturesIn(steps).entries()) {
      const last = previews[7]![k]!
      const own = meanDifference(last, resize(picture, 16, 16))
      const foreign = meanDifference(last, resize(other!, 16, 16))
      // A linear map is a rough likeness: the built-in model's is off by about a tenth of the range.
      assert.ok(own < 30 && own < foreign / 2, `own picture ${own}, another's ${foreign}`)
      assert.ok(meanDifference(previews[0]![k]!, last) > 0)
    }
  })

  const refused: Record<string, Partial<PictureSpec>> = {
    prompt: { prompt: 'a'.repeat(20_001) },
    negativePrompt: { negativePrompt: 'a'.repeat(20_001) },
    seed: { seed: -1 },
    count: { count: 9 },
    evaluations: { evaluations: 2.5 },
    guidance: { guidance: NaN },
    guidanceNormalization: { guidanceNormalization: -1 },
    guidanceTruncation: { guidanceTruncation: 2 },
    width: { width: 100 },
    height: { height: 0 },
    size: { width: 4096, height: 4096 },
    strength: { strength: 0.5 },
  }
  for (const [field, change] of Object.entries(refused)) {
    it(`refuses a spec whose ${field} is out of range, naming it`, async () => {
      await assert.rejects(stepsOf({ ...cat, ...change }), (error) => {
        assert.ok(error instanceof EngineError)
        assert.equal(error.code, 'spec-invalid')
        assert.equal(error.params['field'], field)
        return true
      })
    })
  }

  it('refuses a tokenizer that knows more tokens than the text encoder', async () => {
    await using copy = await temporaryFolder()
    await cp(nano, copy.path, { recursive: true })
    const file = join(copy.path, 'tokenizer', 'tokenizer.json')
    const tokenizer = JSON.parse(await readFile(file, 'utf8')) as {
      added_tokens: { id: number; content: string }[]
    }
    const last = tokenizer.added_tokens.at(-1)!
    tokenizer.added_tokens.push({ ...last, id: 1070, content: '<|one_too_many|>' })
    await writeFile(file, JSON.stringify(tokenizer))

    const { code, params } = await refusalOf(() => Pipeline.open(copy.path))

    const { field, expected, got } = params
    assert.deepEqual(
      [code, field, expected, got],
      ['file-invalid', 'vocab_size', "at least 1071, the tokenizer's", '1070'],
    )
  })

  it('refuses a starting picture that is none', async () => {
    const image = new TextEncoder().encode('GIF89a, or so it says')

    await assert.rejects(stepsOf({ ...cat, image }), { code: 'image-unsupported' })
  })
})

describe('fitPreviewMap', () => {
  it('finds the map of a decoder that is linear', async () => {
    const weight = [
      [0.3, -0.2, 0.1],
      [0.05, 0.4, -0.3],
    ]
    const bias = [0.5, 0.4, 0.6]
    const decode = async (latents: Tensor): Promise<Tensor> => {
      const [, height = 0, width = 0] = latents.shape
      const area = height * width
      const data = Float32Array.from({ length: 3 * area }, (_, i) => {
        const [colour, pixel] = [Math.floor(i / area), i % area]
        const mixed = weight.reduce(
          (sum, row, c) => sum + row[colour]! * latents.data[c * area + pixel]!,
          bias[colour]!,
        )
        return 2 * mixed - 1
      })
      return float32([3, height, width], data)
    }

    const map = await fitPreviewMap(2, decode)

    const close = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-4, `${a} ${b}`)
    map.weight.forEach((row, c) => row.forEach((value, i) => close(value, weight[c]![i]!)))
    map.bias.forEach((value, i) => close(value, bias[i]!))
    const preview = previewPixels(float32([2, 1, 1], Float32Array.of(1, -1)), map)
    assert.deepEqual([...preview.data], [191, 0, 255])
  })
})
