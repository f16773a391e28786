/**
 * Operators that only move elements against naive loops: the numbers come out bit for bit.
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import * as fc from 'fast-check'
import { Graph } from '../../../../src/engine/onnx/graph.ts'
import type { Dim } from '../../../../src/engine/onnx/model-proto.ts'
import { Cast } from '../../../../src/engine/onnx/ops/arithmetic.ts'
import {
  Concat,
  Gather,
  Reshape,
  Slice,
  Split,
  Transpose,
} from '../../../../src/engine/onnx/ops/movement.ts'
import {
  type Tensor,
  bfloat16ToFloat32,
  float32,
  float32ToBfloat16,
} from '../../../../src/engine/tensor.ts'
import { input } from '../../../fixtures/closed-form.ts'
import { Loops, at, loop, operand } from '../against-loops.ts'

const loops = new Loops('movement', 0)
after(() => loops.report())

const wrong = new Graph('wrong')

describe('Concat', () => {
  const [a, b, c] = [input('a', [2, 3, 4]), input('b', [2, 1, 4]), input('c', [2, 0, 4])]

  for (const axis of [1, -2]) {
    it(`joins along axis ${axis}, empty parts too`, () =>
      loops.check('Concat', {
        operands: { a, b, c },
        symbols: { batch: 2, imageSeq: 3, captionSeq: 1, past: 0 },
        symbolic: {
          a: ['batch', 'imageSeq', 4],
          b: ['batch', 'captionSeq', 4],
          c: ['batch', 'past', 4],
        },
        build: (graph, { a, b, c }) => [Concat(graph, [a, b], axis), Concat(graph, [c, a], axis)],
        expected: [loop([2, 4, 4], (i, j, k) => (j < 3 ? at(a, i, j, k) : at(b, i, j - 3, k))), a],
      }))
  }

  it('refuses parts that differ in another axis', () => {
    assert.throws(
      () => Concat(wrong, [operand('a', ['batch', 3, 4]), operand('b', ['batch', 3, 5])], 1),
      /internal: Concat: .+ axis 1 only, got a float32 \[batch, 3, 4\] and b float32 \[batch, 3, 5\]/,
    )
  })

  it('refuses an axis that there is not', () => {
    assert.throws(
      () => Concat(wrong, [operand('a', [3, 4])], 2),
      /internal: Concat: expected a rank above axis 2, got a float32 \[3, 4\]/,
    )
  })

  it('refuses to join nothing', () => {
    assert.throws(() => Concat(wrong, [], 0), /internal: Concat: .+ at least one/)
  })
})

describe('Split', () => {
  const x = input('x', [2, 6, 3])

  it('cuts into equal parts', () =>
    loops.check('Split', {
      operands: { x },
      symbols: { batch: 2, width: 2 },
      symbolic: { x: ['batch', '3*width', 3] },
      build: (graph, { x }) => Split(graph, x, 3, -2),
      expected: [0, 1, 2].map((part) => loop([2, 2, 3], (i, j, k) => at(x, i, 2 * part + j, k))),
    }))

  it('refuses an axis that has no equal parts', () => {
    assert.throws(
      () => Split(wrong, operand('x', ['batch', 6]), 4, 1),
      /internal: Split: expected axis 1 in 4 equal parts, got x float32 \[batch, 6\]/,
    )
    assert.throws(
      () => Split(wrong, operand('x', ['batch', 6]), 2, 0),
      /internal: Split: expected axis 0 in 2 equal parts, got x float32 \[batch, 6\]/,
    )
  })
})

describe('Slice', () => {
  const x = input('x', [2, 5, 3])

  it('cuts out a range', () =>
    loops.check('Slice', {
      operands: { x },
      symbols: { batch: 2, seq: 5 },
      symbolic: { x: ['batch', 'seq', 3] },
      build: (graph, { x }) => [Slice(graph, x, 1, 1, 4, 3), Slice(graph, x, 2, 0, 2, 2)],
      expected: [
        loop([2, 3, 3], (i, j, k) => at(x, i, j + 1, k)),
        loop([2, 5, 2], (i, j, k) => at(x, i, j, k)),
      ],
    }))

  it('takes the last elements up to the end, however long the axis is', () =>
    loops.check('Slice', {
      operands: { x },
      symbols: { batch: 2, seq: 5 },
      symbolic: { x: ['batch', 'seq', 3] },
      build: (graph, { x }) => [Slice(graph, x, -2, -1, Number.MAX_SAFE_INTEGER, 1)],
      expected: [loop([2, 1, 3], (i, _, k) => at(x, i, 4, k))],
    }))

  it('refuses an axis that there is not', () => {
    assert.throws(
      () => Slice(wrong, operand('x', ['seq', 3]), 2, 0, 1, 1),
      /internal: Slice: expected a rank above axis 2, got x float32 \[seq, 3\]/,
    )
  })
})

describe('Gather', () => {
  const table = input('table', [5, 4])
  const data = BigInt64Array.of(4n, 0n, 0n, 3n, 1n, 2n)
  const ids: Tensor<'int64'> = { dtype: 'int64', shape: [2, 3], data }

  it('picks rows by their numbers', () =>
    loops.check('Gather', {
      operands: { table, ids },
      symbols: { batch: 2, seq: 3, rows: 5 },
      symbolic: { table: ['rows', 4], ids: ['batch', 'seq'] },
      build: (graph, { table, ids }) => [Gather(graph, table, ids)],
      expected: [loop([2, 3, 4], (i, j, k) => at(table, at(ids, i, j), k))],
    }))

  it('picks rows of a bfloat16 table before they are widened', async () => {
    const bits = float32ToBfloat16(table.data)
    const rounded = float32(table.shape, bfloat16ToFloat32(bits))
    await loops.check('Gather', {
      operands: { ids },
      symbols: { batch: 2, seq: 3 },
      symbolic: { ids: ['batch', 'seq'] },
      build: (graph, { ids }) => {
        const stored = graph.constant({ dtype: 'bfloat16', shape: table.shape, data: bits })
        return [Cast(graph, Gather(graph, stored, ids), 'float32')]
      },
      expected: [loop([2, 3, 4], (i, j, k) => at(rounded, at(ids, i, j), k))],
    })
  })

  it('refuses numbers that are not int64', () => {
    assert.throws(
      () => Gather(wrong, operand('table', [5, 4]), operand('ids', ['seq'], 'int32')),
      /internal: Gather: expected int64 .+ table float32 \[5, 4\] and ids int32 \[seq\]/,
    )
  })
})

describe('Transpose', () => {
  const x = input('x', [2, 3, 4])

  it('reorders axes', () =>
    loops.check('Transpose', {
      operands: { x },
      symbols: { batch: 2, height: 3, width: 4 },
      symbolic: { x: ['batch', 'height', 'width'] },
      build: (graph, { x }) => [Transpose(graph, x, [0, 2, 1]), Transpose(graph, x, [2, 0, 1])],
      expected: [
        loop([2, 4, 3], (i, j, k) => at(x, i, k, j)),
        loop([4, 2, 3], (i, j, k) => at(x, j, k, i)),
      ],
    }))

  const orders = [
    [0, 1],
    [0, 1, 1],
    [0, 1, 3],
    [0, 1, 2, 3],
  ]
  for (const order of orders) {
    it(`refuses the order ${order.join()} of three axes`, () => {
      assert.throws(
        () => Transpose(wrong, operand('x', ['batch', 3, 4]), order),
        new RegExp(`Transpose: .+ not ${order.join()}, got x float32 \\[batch, 3, 4\\]`),
      )
    })
  }
})

describe('Reshape', () => {
  const x = input('x', [2, 3, 4, 6])

  const targets: readonly [fact: string, shape: readonly Dim[], expected: readonly number[]][] = [
    ['keeps symbols at their axes', ['batch', 'seq', 4, 2, 3], [2, 3, 4, 2, 3]],
    ['moves one symbol', ['batch', 4, 'seq', 6], [2, 4, 3, 6]],
    ['merges axes into one symbol', ['batch', '24*seq'], [2, 72]],
    ['merges symbols', ['batch*seq', 4, 6], [6, 4, 6]],
    ['flattens', ['24*batch*seq'], [144]],
    ['cuts a number out of a symbol', [2, '3*batch*seq', 4], [2, 18, 4]],
  ]
  for (const [fact, shape, expected] of targets) {
    it(`${fact}: [${shape.join(', ')}]`, () =>
      loops.check('Reshape', {
        operands: { x },
        symbols: { batch: 2, seq: 3 },
        symbolic: { x: ['batch', 'seq', 4, 6] },
        build: (graph, { x }) => {
          const isStatic = x.shape.every((dim) => typeof dim === 'number')
          return [Reshape(graph, x, isStatic ? expected : shape)]
        },
        expected: [float32(expected, x.data)],
      }))
  }

  it('takes the shape of another tensor, where several symbols move', async () => {
    const like = input('like', [2, 4, 2, 3])
    const flat = input('flat', [2, 4, 6])
    await loops.check('Reshape', {
      operands: { flat, like },
      symbols: { batch: 2, height: 2, width: 3 },
      symbolic: {
        flat: ['batch', 4, 'height*width'],
        like: ['batch', 4, 'height', 'width'],
      },
      build: (graph, { flat, like }) => [Reshape(graph, flat, like.shape, like)],
      expected: [float32([2, 4, 2, 3], flat.data)],
    })
  })

  it('gives any shape of as many elements', () => {
    const numbers = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })
    const shapes = numbers.chain((shape) =>
      fc.tuple(fc.constant(shape), fc.shuffledSubarray(shape, { minLength: shape.length })),
    )
    return fc.assert(
      fc.asyncProperty(shapes, async ([from, to]) => {
        const x = input('any', from)
        await loops.check('Reshape', {
          operands: { x },
          build: (graph, { x }) => [Reshape(graph, x, to)],
          expected: [float32(to, x.data)],
        })
      }),
      { numRuns: 40 },
    )
  })

  it('refuses another number of elements', () => {
    assert.throws(
      () => Reshape(wrong, operand('x', ['batch', 6]), ['batch', 2, 4]),
      /internal: Reshape: expected elements of \[batch, 2, 4\], got x float32 \[batch, 6\]/,
    )
  })

  it('refuses a length of 0, which ONNX would take for the old length', () => {
    assert.throws(
      () => Reshape(wrong, operand('x', [2, 0]), [0, 5]),
      /internal: Reshape: expected lengths above 0 in \[0, 5\], got x float32 \[2, 0\]/,
    )
  })

  it('refuses two moved symbols that nothing tells apart', () => {
    assert.throws(
      () => Reshape(wrong, operand('x', [4, 'height*width']), ['height', 'width', 4]),
      /internal: Reshape: .+ one moved symbol in \[height, width, 4\], got x float32 \[4, height\*width\]/,
    )
  })

  it('refuses to take the shape of a tensor that has another', () => {
    const [x, like] = [operand('x', [6]), operand('like', [3, 2])]
    assert.throws(
      () => Reshape(wrong, x, [2, 3], like),
      /internal: Reshape: expected \[2, 3\], got like float32 \[3, 2\]/,
    )
  })
})
