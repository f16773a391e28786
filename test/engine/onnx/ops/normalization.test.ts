/**
 * Normalisations against naive loops. Statistics of the loops are in double precision.
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { Graph } from '../../../../src/engine/onnx/graph.ts'
import {
  GroupNormalization,
  LayerNormalization,
  RMSNormalization,
} from '../../../../src/engine/onnx/ops/normalization.ts'
import { input } from '../../../fixtures/closed-form.ts'
import { Loops, at, loop, operand, total } from '../against-loops.ts'

const loops = new Loops('normalisations')
after(() => loops.report())

const mean = (count: number, value: (i: number) => number): number => total(count, value) / count
const wrong = new Graph('wrong')

describe('RMSNormalization', () => {
  const [x, scale] = [input('x', [2, 3, 8]), input('scale', [8])]

  for (const epsilon of [1e-6, 0.5]) {
    it(`divides by the root of the mean square and ${epsilon}`, () =>
      loops.check('RMSNormalization', {
        operands: { x, scale },
        symbols: { batch: 2, seq: 3 },
        symbolic: { x: ['batch', 'seq', 8] },
        build: (graph, { x, scale }) => [RMSNormalization(graph, x, scale, epsilon)],
        expected: [
          loop([2, 3, 8], (i, j, k) => {
            const square = mean(8, (f) => at(x, i, j, f) ** 2)
            return (at(x, i, j, k) / Math.sqrt(square + epsilon)) * at(scale, k)
          }),
        ],
      }))
  }

  it('normalises each head by itself when heads are an axis', async () => {
    const heads = input('heads', [1, 2, 3, 4])
    const gain = input('gain', [4])
    await loops.check('RMSNormalization', {
      operands: { heads, gain },
      symbols: { seq: 2 },
      symbolic: { heads: [1, 'seq', 3, 4] },
      build: (graph, { heads, gain }) => [RMSNormalization(graph, heads, gain, 1e-6)],
      expected: [
        loop([1, 2, 3, 4], (b, i, h, k) => {
          const square = mean(4, (f) => at(heads, b, i, h, f) ** 2)
          return (at(heads, b, i, h, k) / Math.sqrt(square + 1e-6)) * at(gain, k)
        }),
      ],
    })
  })

  it('refuses a scale of another length', () => {
    assert.throws(
      () => RMSNormalization(wrong, operand('x', ['seq', 8]), operand('scale', [4]), 1e-6),
      /internal: RMSNormalization: .+ x float32 \[seq, 8\] and scale float32 \[4\]/,
    )
  })

  it('refuses a scale that was not widened', () => {
    assert.throws(
      () => RMSNormalization(wrong, operand('x', [3, 8]), operand('w', [8], 'bfloat16'), 1e-6),
      /internal: RMSNormalization: .+ x float32 \[3, 8\] and w bfloat16 \[8\]/,
    )
  })
})

describe('LayerNormalization', () => {
  const [x, scale] = [input('x', [2, 3, 8]), input('scale', [8])]

  for (const epsilon of [1e-6, 0.5]) {
    it(`takes the mean away and divides by the deviation and ${epsilon}`, () =>
      loops.check('LayerNormalization', {
        operands: { x, scale },
        symbols: { batch: 2, seq: 3 },
        symbolic: { x: ['batch', 'seq', 8] },
        build: (graph, { x, scale }) => [LayerNormalization(graph, x, scale, epsilon)],
        expected: [
          loop([2, 3, 8], (i, j, k) => {
            const centre = mean(8, (f) => at(x, i, j, f))
            const variance = mean(8, (f) => (at(x, i, j, f) - centre) ** 2)
            return ((at(x, i, j, k) - centre) / Math.sqrt(variance + epsilon)) * at(scale, k)
          }),
        ],
      }))
  }

  it('refuses a scale of another length', () => {
    assert.throws(
      () => LayerNormalization(wrong, operand('x', [2, 8]), operand('scale', [2]), 1e-6),
      /internal: LayerNormalization: .+ x float32 \[2, 8\] and scale float32 \[2\]/,
    )
  })
})

describe('GroupNormalization', () => {
  const [x, scale, bias] = [input('x', [2, 6, 4, 3]), input('scale', [6]), input('bias', [6])]

  for (const groups of [1, 2, 6]) {
    it(`normalises over channels and pixels in ${groups} groups`, () => {
      const channels = 6 / groups
      return loops.check('GroupNormalization', {
        operands: { x, scale, bias },
        symbols: { batch: 2, height: 2, width: 3 },
        symbolic: { x: ['batch', 6, '2*height', 'width'] },
        build: (graph, { x, scale, bias }) => [
          GroupNormalization(graph, x, scale, bias, groups, 1e-6),
        ],
        expected: [
          loop([2, 6, 4, 3], (b, c, y, z) => {
            const first = c - (c % channels)
            const over = (value: (x: number) => number): number =>
              mean(channels, (k) =>
                mean(4, (i) => mean(3, (j) => value(at(x, b, first + k, i, j)))),
              )
            const centre = over((value) => value)
            const variance = over((value) => (value - centre) ** 2)
            const normal = (at(x, b, c, y, z) - centre) / Math.sqrt(variance + 1e-6)
            return normal * at(scale, c) + at(bias, c)
          }),
        ],
      })
    })
  }

  it('refuses groups that do not divide the channels', () => {
    const channels = operand('scale', [6])
    assert.throws(
      () => GroupNormalization(wrong, operand('x', [1, 6, 'h', 'w']), channels, channels, 4, 1e-6),
      /internal: GroupNormalization: .+ 4 equal groups, got x float32 \[1, 6, h, w\] and scale float32 \[6\]/,
    )
  })

  it('refuses a bias of another length', () => {
    const [x, scale, bias] = [operand('x', [1, 6, 4]), operand('s', [6]), operand('b', [3])]
    assert.throws(
      () => GroupNormalization(wrong, x, scale, bias, 3, 1e-6),
      /internal: GroupNormalization: .+ x float32 \[1, 6, 4\] and s float32 \[6\] and b float32 \[3\]/,
    )
  })
})
