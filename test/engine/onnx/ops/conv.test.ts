/**
 * Convolution and resizing of pictures against naive loops. Axes: [batch, channels, height, width].
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import * as fc from 'fast-check'
import { Graph } from '../../../../src/engine/onnx/graph.ts'
import { Conv, type Padding, Resize } from '../../../../src/engine/onnx/ops/arithmetic.ts'
import type { Tensor } from '../../../../src/engine/tensor.ts'
import { input } from '../../../fixtures/closed-form.ts'
import { Loops, at, loop, operand, total } from '../against-loops.ts'

const loops = new Loops('pictures')
after(() => loops.report())

/** The convolution of x [batch, in, height, width], zeros beyond its edges. */
function convolution(
  x: Tensor,
  weight: Tensor,
  bias: Tensor,
  stride: number,
  [top, left, bottom, right]: Padding,
): Tensor {
  const [batch, from, height, width] = x.shape as [number, number, number, number]
  const [to, , kernel] = weight.shape as [number, number, number]
  const rows = Math.floor((height + top + bottom - kernel) / stride) + 1
  const columns = Math.floor((width + left + right - kernel) / stride) + 1
  const pixel = (b: number, c: number, y: number, z: number): number =>
    y >= 0 && y < height && z >= 0 && z < width ? at(x, b, c, y, z) : 0
  return loop([batch, to, rows, columns], (b, o, y, z) => {
    const sum = total(from, (c) =>
      total(kernel, (i) =>
        total(kernel, (j) => {
          return pixel(b, c, y * stride + i - top, z * stride + j - left) * at(weight, o, c, i, j)
        }),
      ),
    )
    return sum + at(bias, o)
  })
}

describe('Conv', () => {
  const small = fc.integer({ min: 1, max: 3 })
  const margins = fc.tuple(...Array.from({ length: 4 }, () => fc.nat({ max: 2 })))
  const convolutions = fc.record({
    channels: fc.tuple(small, small),
    kernel: small,
    stride: small,
    pads: margins.map((list) => list as unknown as Padding),
    sides: fc.tuple(fc.integer({ min: 3, max: 7 }), fc.integer({ min: 3, max: 7 })),
  })

  it('convolves at any size, stride and padding, asymmetric ones too', () =>
    fc.assert(
      fc.asyncProperty(
        convolutions,
        async ({ channels: [from, to], kernel, stride, pads, sides }) => {
          const [x, weight] = [
            input('x', [2, from, ...sides]),
            input('w', [to, from, kernel, kernel]),
          ]
          const bias = input('bias', [to])
          await loops.check('Conv', {
            operands: { x, weight, bias },
            build: (graph, { x, weight, bias }) => [Conv(graph, x, weight, bias, stride, pads)],
            expected: [convolution(x, weight, bias, stride, pads)],
          })
        },
      ),
      { numRuns: 40 },
    ))

  const symbolic: readonly [name: string, kernel: number, stride: number, pads: Padding][] = [
    ['3x3 that keeps the size', 3, 1, [1, 1, 1, 1]],
    ['1x1', 1, 1, [0, 0, 0, 0]],
    ['3x3 that keeps the size off centre', 3, 1, [2, 0, 0, 2]],
    ['3x3 of stride 2 padded at right and bottom', 3, 2, [0, 0, 1, 1]],
    ['2x2 of stride 2', 2, 2, [0, 0, 0, 0]],
    ['3x3 of stride 4', 3, 4, [0, 0, 0, 0]],
  ]
  for (const [name, kernel, stride, pads] of symbolic) {
    it(`knows the symbolic shape of ${name}`, async () => {
      const [x, weight] = [input('x', [1, 2, 8, 12]), input('w', [3, 2, kernel, kernel])]
      const bias = input('bias', [3])
      await loops.check('Conv', {
        operands: { x, weight, bias },
        symbols: { batch: 1, height: 2, width: 3 },
        symbolic: { x: ['batch', 2, '4*height', '4*width'] },
        build: (graph, { x, weight, bias }) => [Conv(graph, x, weight, bias, stride, pads)],
        expected: [convolution(x, weight, bias, stride, pads)],
      })
    })
  }

  const refused: readonly [
    fact: string,
    shapes: [(number | string)[], number[], number[]],
    stride: number,
    pads: Padding,
  ][] = [
    ['channels that differ', [[1, 3, 8, 8], [4, 2, 3, 3], [4]], 1, [1, 1, 1, 1]],
    ['a bias of another length', [[1, 2, 8, 8], [4, 2, 3, 3], [2]], 1, [1, 1, 1, 1]],
    ['a kernel that is not square', [[1, 2, 8, 8], [4, 2, 3, 1], [4]], 1, [1, 1, 1, 1]],
    ['a kernel larger than the padded picture', [[1, 2, 1, 8], [4, 2, 3, 3], [4]], 1, [0, 0, 0, 0]],
    ['a symbolic side that shrinks', [[1, 2, 'h', 'w'], [4, 2, 3, 3], [4]], 1, [0, 0, 0, 0]],
    ['a symbolic side that grows', [[1, 2, 'h', 'w'], [4, 2, 3, 3], [4]], 1, [1, 1, 2, 2]],
    [
      'a symbolic side that the stride may not divide',
      [[1, 2, 'h', 'w'], [4, 2, 3, 3], [4]],
      2,
      [0, 0, 1, 1],
    ],
  ]
  for (const [fact, [x, weight, bias], stride, pads] of refused) {
    it(`refuses ${fact}`, () => {
      const shown = [x, weight].map((shape) => `float32 \\[${shape.join(', ')}\\]`).join('.+')
      const operands = [operand('x', x), operand('w', weight), operand('b', bias)] as const
      assert.throws(
        () => Conv(new Graph('wrong'), ...operands, stride, pads),
        new RegExp(`internal: Conv: expected .+, got x ${shown}`),
      )
    })
  }
})

describe('Resize', () => {
  const x = input('x', [2, 3, 4, 5])

  it('makes each pixel four', () =>
    loops.check('Resize', {
      operands: { x },
      symbols: { batch: 2, height: 2, width: 5 },
      symbolic: { x: ['batch', 3, '2*height', 'width'] },
      build: (graph, { x }) => [Resize(graph, x)],
      expected: [
        loop([2, 3, 8, 10], (b, c, y, z) => at(x, b, c, Math.floor(y / 2), Math.floor(z / 2))),
      ],
    }))

  it('refuses what is not a picture', () => {
    assert.throws(
      () => Resize(new Graph('wrong'), operand('x', [3, 4, 5])),
      /internal: Resize: expected \[batch, .+, got x float32 \[3, 4, 5\]/,
    )
  })
})
