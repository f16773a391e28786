/** Sizes and shapes: reading, computing, limits. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import {
  type SizeLimits,
  checkSize,
  readAspect,
  readSize,
  sizeOfAspect,
  sizeText,
} from '../../src/core/size.ts'
import { refusalOf } from './refusal.ts'

const square = { width: 1024, height: 1024 }
const aspects = fc
  .tuple(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100 }))
  .map(([across, down]) => ({ across, down }))
  .filter(({ across, down }) => across <= 4 * down && down <= 4 * across)
const limits: SizeLimits = { leastSide: 64, mostSide: 2048, mostPixels: 2 ** 21 }

describe('readAspect', () => {
  for (const [typed, across, down] of [
    ['16:9', 16, 9],
    ['16：9', 16, 9],
    ['１６：９', 16, 9],
    ['2/3', 2, 3],
    ['16∶9', 16, 9],
    ['1.85:1', 1.85, 1],
    ['4:1', 4, 1],
  ] as const) {
    it(`reads ${typed}`, () => {
      assert.deepEqual(readAspect(typed), { across, down })
    })
  }

  for (const typed of [
    '',
    '16',
    '16:',
    ':9',
    '0:0',
    '0:1',
    '1:0',
    '4.1:1',
    '-1:1',
    '1e1:9',
    'a:b',
  ]) {
    it(`refuses ${typed || 'nothing'}`, () => {
      assert.equal(readAspect(typed), undefined)
    })
  }
})

describe('readSize', () => {
  for (const typed of ['512x768', '512X768', '512×768', '512*768', '５１２ｘ７６８']) {
    it(`reads ${typed}`, () => {
      assert.deepEqual(readSize(typed), { width: 512, height: 768 })
    })
  }

  for (const typed of ['512', '512x', 'x512', '-1x512', '5.5x512', '512x768x2', '1000000x1']) {
    it(`refuses ${typed}`, () => {
      assert.equal(readSize(typed), undefined)
    })
  }

  it('reads what sizeText says', () => {
    fc.assert(
      fc.property(fc.nat(99_999), fc.nat(99_999), (width, height) => {
        assert.deepEqual(readSize(sizeText({ width, height })), { width, height })
      }),
    )
  })
})

describe('sizeOfAspect', () => {
  for (const [across, down, size] of [
    [1, 1, '1024x1024'],
    [16, 9, '1360x768'],
    [9, 16, '768x1360'],
    [3, 2, '1248x832'],
    [4, 1, '2048x512'],
  ] as const) {
    it(`gives ${size} for ${across}:${down} of a megapixel`, () => {
      assert.equal(sizeText(sizeOfAspect({ across, down }, square)), size)
    })
  }

  it('has sides of whole tokens', () => {
    fc.assert(
      fc.property(aspects, (aspect) => {
        const { width, height } = sizeOfAspect(aspect, square)
        assert.ok(width % 16 === 0 && height % 16 === 0 && width > 0 && height > 0)
      }),
    )
  })

  it('keeps the area within 2.5 %', () => {
    fc.assert(
      fc.property(aspects, (aspect) => {
        const { width, height } = sizeOfAspect(aspect, square)
        assert.ok(Math.abs((width * height) / 1024 ** 2 - 1) <= 0.025, `${width}x${height}`)
      }),
    )
  })

  it('has each side within half a token of the exact one', () => {
    fc.assert(
      fc.property(aspects, fc.integer({ min: 8, max: 128 }), ({ across, down }, tokens) => {
        const side = tokens * 16
        const size = sizeOfAspect({ across, down }, { width: side, height: side })
        assert.ok(Math.abs(size.width - side * Math.sqrt(across / down)) <= 8)
        assert.ok(Math.abs(size.height - side * Math.sqrt(down / across)) <= 8)
      }),
    )
  })

  it('never leads over a limit that the default keeps', () => {
    fc.assert(
      fc.property(aspects, fc.integer({ min: 8, max: 128 }), (aspect, tokens) => {
        const like = { width: tokens * 16, height: tokens * 16 }
        const mostPixels = like.width * like.height
        const { width, height } = sizeOfAspect(aspect, like, mostPixels)
        assert.ok(width * height <= mostPixels, `${width}x${height}`)
      }),
    )
  })
})

describe('checkSize', () => {
  for (const [typed, reason, nearest] of [
    ['1000x1000', 'multiple', '1008x1008'],
    ['16x512', 'side', '64x512'],
    ['4096x512', 'side', '2048x512'],
    ['2048x2048', 'area', '1456x1440'],
    ['0x0', 'side', '64x64'],
  ] as const) {
    it(`refuses ${typed} by its ${reason} and offers ${nearest}`, () => {
      const [code, params] = refusalOf(() => checkSize(readSize(typed)!, limits))

      assert.deepEqual(
        [code, params.size, params.reason, params.nearest],
        ['size-not-allowed', typed, reason, nearest],
      )
    })
  }

  it('allows what is on the limits', () => {
    assert.equal(checkSize({ width: 2048, height: 1024 }, limits), undefined)
    assert.equal(checkSize({ width: 64, height: 64 }, limits), undefined)
  })

  it('offers only what it allows', () => {
    const sizes = fc.record({ width: fc.nat(99_999), height: fc.nat(99_999) })
    const someLimits = fc.record({
      leastSide: fc.constantFrom(16, 64),
      mostSide: fc.constantFrom(256, 1024, 4096),
      mostPixels: fc.integer({ min: 2 ** 18, max: 2 ** 22 }),
    })
    fc.assert(
      fc.property(sizes, someLimits, (size, within) => {
        try {
          checkSize(size, within)
        } catch {
          const [, { nearest }] = refusalOf(() => checkSize(size, within))
          checkSize(readSize(String(nearest))!, within)
        }
      }),
    )
  })
})
