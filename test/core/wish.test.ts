/** From what was said to a spec: what holds over what, and that nothing unasked is ever refused. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { readPrompt } from '../../src/core/flags.ts'
import { checkSpecLimits } from '../../src/core/job-spec.ts'
import { redrawnSize } from '../../src/core/size.ts'
import {
  edited,
  imagined,
  readPreferences,
  seedOf,
  type Unsaid,
  varied,
} from '../../src/core/wish.ts'
import { redrawnSize as engineSize } from '../../src/engine/spec.ts'
import { refusalOf } from './refusal.ts'

const ink = { name: 'ink', key: 'ink', template: 'ink, {prompt}', negativePrompt: 'colour' }
const unsaid: Unsaid = {
  model: { width: 1024, height: 1024, evaluations: 8, guidance: 0 },
  limits: {
    leastSide: 64,
    mostSide: 2048,
    mostPixels: 2_097_152,
    mostPictures: 4,
    mostEvaluations: 50,
  },
  preferences: {},
  styles: () => [ink],
  seed: 5,
}
const sides = fc.integer({ min: 1, max: 16_384 })
const sixteens = (least: number, most: number) =>
  fc.integer({ min: least / 16, max: most / 16 }).map((sixteenth) => sixteenth * 16)
const limits = fc.record({
  leastSide: fc.constant(64),
  mostSide: sixteens(256, 4096),
  mostPixels: fc.integer({ min: 262_144, max: 4_194_304 }),
  mostPictures: fc.integer({ min: 1, max: 8 }),
  mostEvaluations: fc.integer({ min: 1, max: 200 }),
})
const models = fc.record({
  width: sixteens(64, 2048),
  height: sixteens(64, 2048),
  evaluations: fc.integer({ min: 1, max: 200 }),
  guidance: fc.constant(0),
})

describe('what nobody asked for', () => {
  it('is never refused by admission, whatever the model likes and the guild allows', () => {
    const shapes = fc.constantFrom('1:1', '16:9', '1:4', '4:1')
    const counts = fc.integer({ min: 1, max: 8 })
    fc.assert(
      fc.property(limits, models, shapes, counts, (limits, model, shape, count) => {
        const open = { ...unsaid, limits, model, preferences: { shape, count } }
        checkSpecLimits(imagined(readPrompt('a fox'), open), limits)
      }),
    )
  })

  it('nor is a picture to start from of any size', () => {
    fc.assert(
      fc.property(limits, models, sides, sides, (limits, model, width, height) => {
        const start = { key: 'k', width, height }
        checkSpecLimits(
          edited(readPrompt('a fox'), { ...unsaid, limits, model }, start, {}),
          limits,
        )
      }),
    )
  })
})

describe('redrawnSize', () => {
  it('is the engine’s where the guild allows as much', () => {
    const wide = { leastSide: 16, mostSide: 16_384, mostPixels: 2048 * 2048 }
    const transformer = { axes_lens: [1, 1024, 1024] } as never
    fc.assert(
      fc.property(sides, sides, models, (width, height, defaults) => {
        const size = { width, height }
        const { width: engineWidth, height: engineHeight } = engineSize(size, {
          transformer,
          defaults,
        })
        // What the engine would make a thread is brought to an allowed shape by us.
        fc.pre(Math.min(engineWidth, engineHeight) > 16)
        assert.deepEqual(redrawnSize(size, defaults, wide), {
          width: engineWidth,
          height: engineHeight,
        })
      }),
    )
  })
})

describe('varied', () => {
  const parent = { id: 'p', spec: imagined(readPrompt('a fox --style ink --no snow'), unsaid) }
  const again = (text: string) =>
    varied(readPrompt(text), { ...unsaid, seed: 6 }, parent, { isSameSeed: false })

  it('of an unchanged job is the job with another seed', () => {
    const { kind, parent: from, ...rest } = again('')
    assert.deepEqual([kind, from], ['again', 'p'])
    assert.deepEqual({ ...rest, kind: 'imagine' }, { ...parent.spec, seed: 6 })
  })

  it('says what a style keeps away from once, however often it is applied', () => {
    const { spec } = parent
    const once = again('a bear')
    const twice = varied(readPrompt('a cat'), unsaid, { id: 'q', spec: once }, { isSameSeed: true })
    assert.deepEqual(
      [spec, once, twice].map(({ negativePrompt }) => negativePrompt),
      ['snow, colour', 'snow, colour', 'snow, colour'],
    )
  })

  it('takes a new shape of the default area', () => {
    const { width, height } = again('--ar 1:2')
    assert.deepEqual([width, height], [720, 1456])
  })
})

describe('edited', () => {
  const start = { key: 'k', width: 512, height: 512, parent: 'p' }
  const parent = { id: 'p', spec: imagined(readPrompt('a fox --style ink'), unsaid) }

  it('describes the picture and the change, then puts the style around both', () => {
    const { prompt, asked } = edited(readPrompt('in snow'), unsaid, start, { parent })
    assert.deepEqual([prompt, asked], ['ink, a fox, in snow', 'a fox, in snow'])
  })

  it('refuses no words, and words that have become too many', () => {
    assert.equal(
      refusalOf(() => edited(readPrompt(''), unsaid, start, { parent }))[0],
      'prompt-empty',
    )
    const spec = { ...parent.spec, asked: 'x'.repeat(3_995) }
    const attempt = () =>
      edited(readPrompt('in snow'), unsaid, start, { parent: { id: 'p', spec } })
    assert.deepEqual(refusalOf(attempt), ['text-too-long', { limit: 4_000, got: 4_004 }])
  })
})

describe('seedOf', () => {
  it('goes round', () => {
    assert.equal(seedOf({ ...imagined(readPrompt('a fox'), unsaid), seed: 2 ** 32 - 1 }, 2), 0)
  })
})

describe('readPreferences', () => {
  it('drops what cannot be one', () => {
    const stored = { shape: '9:1', count: 99, style: 7, other: true }
    assert.deepEqual(readPreferences(stored), {})
  })

  it('keeps what can', () => {
    const stored = { shape: '16:9', count: 2, style: 'ink' }
    assert.deepEqual(readPreferences(stored), stored)
  })
})
