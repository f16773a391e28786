/**
 * Pictures between pixels and planes. Resizing is compared with Pillow 12.3 and the planes with numpy
 * 2.4 as diffusers uses it, mostly by the hash of all their bytes.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, it } from 'node:test'
import {
  type Pixels,
  floorToMultiple,
  pixelsToPlanes,
  planesToPixels,
  resize,
} from '../../src/engine/image.ts'
import { distance, paint } from './image-mutations.ts'

/** A closed-form picture, the same in Python. */
const pattern = (width: number, height: number): Pixels =>
  paint(width, height, (x, y) =>
    [0, 1, 2].map((c) => (x * 37 + y * 59 + c * 83 + x * y * 11) % 256),
  )

const hash = (data: Uint8Array): string =>
  createHash('sha256').update(data).digest('hex').slice(0, 16)

describe('floorToMultiple', () => {
  it('rounds down', () => {
    assert.deepEqual(
      [16, 31, 32, 1023].map((size) => floorToMultiple(size, 16)),
      [16, 16, 32, 1008],
    )
  })

  it('gives at least one multiple', () => {
    assert.deepEqual(
      [1, 15].map((size) => floorToMultiple(size, 16)),
      [16, 16],
    )
  })
})

describe('resize', () => {
  it('gives the bytes of Pillow', () => {
    const expected =
      '31 138 170 118 171 114 173 131 102 152 84 102 159 106 72 164 98 137 ' +
      '122 135 103 123 147 127 179 66 161 132 162 141 122 115 120 120 121 152'

    assert.equal(resize(pattern(7, 5), 4, 3).data.join(' '), expected)
  })

  const references: readonly (readonly [from: [number, number], to: [number, number], string])[] = [
    [[7, 5], [12, 9], 'e927a05b43dd4371'],
    [[100, 70], [96, 64], 'f10600bc69222de7'],
    [[100, 70], [96, 70], 'e8968d5b9e72b2bd'],
    [[100, 70], [100, 64], 'ddc4b46eae74ebe2'],
    [[300, 200], [16, 32], '8718f7d807ba4924'],
    [[64, 48], [160, 16], 'b2f117649ca23085'],
    [[1, 1], [5, 3], 'a95b2912b337f75c'],
    [[333, 1], [16, 16], 'fb744dd447220ff1'],
  ]
  for (const [from, to, expected] of references) {
    it(`gives the bytes of Pillow from ${from.join(' x ')} to ${to.join(' x ')}`, () => {
      const { width, height, data } = resize(pattern(...from), ...to)

      assert.deepEqual([[width, height], hash(data)], [to, expected])
    })
  }

  it('gives back a picture that has the size', () => {
    const picture = pattern(7, 5)

    assert.equal(resize(picture, 7, 5), picture)
  })
})

describe('pixelsToPlanes', () => {
  it('gives one plane a colour', () => {
    const planes = pixelsToPlanes({
      width: 2,
      height: 1,
      data: Uint8Array.of(0, 85, 255, 255, 0, 0),
    })

    assert.deepEqual([...planes], [-1, 1, Math.fround(2 * Math.fround(85 / 255) - 1), -1, 1, -1])
  })

  it('gives the numbers of numpy for all bytes', () => {
    const bytes = Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3))
    const plane = pixelsToPlanes({ width: 256, height: 1, data: bytes }).slice(0, 256)

    assert.equal(hash(new Uint8Array(plane.buffer)), 'd15e8ce722844464')
  })
})

describe('planesToPixels', () => {
  it('gives back what pixelsToPlanes was given', () => {
    const picture = pattern(256, 100)
    const back = planesToPixels(pixelsToPlanes(picture), 256, 100)

    assert.equal(distance(back, picture), 0)
  })

  it('rounds ties to even', () => {
    const ties = Float32Array.of(-0.4941176176071167, -0.32941177487373352, 0)

    assert.deepEqual([...planesToPixels(ties, 1, 1).data], [64, 86, 128])
  })

  it('gives the bytes of numpy, beyond the range too', () => {
    const values = Float32Array.from({ length: 30000 }, (_, i) => {
      return Math.fround(Math.fround(((i * 7919) % 30011) / 12000) - 1.25)
    })
    // Read as planes of one row; the bytes of numpy are in the order of the values.
    const { data } = planesToPixels(values, 10000, 1)
    const inOrder = Uint8Array.from(
      values,
      (_, i) => data[(i % 10000) * 3 + Math.floor(i / 10000)]!,
    )

    assert.equal(hash(inOrder), '2a6d44dc06159772')
  })

  it('clamps infinity', () => {
    assert.deepEqual(
      [...planesToPixels(Float32Array.of(Infinity, -Infinity, 9), 1, 1).data],
      [255, 0, 255],
    )
  })

  it('fails on a value that is no number', () => {
    assert.throws(() => planesToPixels(Float32Array.of(0, NaN, 0), 1, 1), /^Error: internal: NaN/)
  })

  it('fails on planes of another size', () => {
    assert.throws(
      () => planesToPixels(new Float32Array(12), 2, 1),
      /^Error: internal: planes of 2 x 1/,
    )
  })
})
