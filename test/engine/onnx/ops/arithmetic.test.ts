/**
 * Elementwise operators and matrix products against naive loops; convolution is in `conv.test.ts`.
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import * as fc from 'fast-check'
import { Graph } from '../../../../src/engine/onnx/graph.ts'
import {
  Add,
  Cast,
  FusedMatMul,
  MatMul,
  Mul,
  Sigmoid,
  Tanh,
  Where,
} from '../../../../src/engine/onnx/ops/arithmetic.ts'
import { type Tensor, float32 } from '../../../../src/engine/tensor.ts'
import { input } from '../../../fixtures/closed-form.ts'
import { Loops, at, loop, operand, total } from '../against-loops.ts'

const loops = new Loops('arithmetic')
after(() => loops.report())

describe('Add', () => {
  const [a, b] = [input('a', [2, 3, 4]), input('b', [3, 1])]

  it('adds, stretching axes of length 1', () =>
    loops.check('Add', {
      operands: { a, b },
      symbols: { batch: 2, width: 4 },
      symbolic: { a: ['batch', 3, 'width'] },
      build: (graph, { a, b }) => [Add(graph, a, b)],
      expected: [loop([2, 3, 4], (i, j, k) => at(a, i, j, k) + at(b, j, 0))],
    }))

  it('stretches a scalar, and the left operand too', async () => {
    const [scalar, row] = [input('scalar', []), input('row', [1, 4])]
    await loops.check('Add', {
      operands: { scalar, row, b },
      symbols: { width: 4, rows: 3 },
      symbolic: { row: [1, 'width'], b: ['rows', 1] },
      build: (graph, { scalar, row, b }) => [Add(graph, scalar, b), Add(graph, row, b)],
      expected: [
        loop([3, 1], (i) => at(scalar) + at(b, i, 0)),
        loop([3, 4], (i, j) => at(row, 0, j) + at(b, i, 0)),
      ],
    })
  })

  it('infers the shape of any two that broadcast', () => {
    // Two shapes of one common shape: every axis of each may have shrunk to 1, leading ones be gone.
    const shapes = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 }).chain((common) => {
      const part = fc
        .tuple(fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), fc.nat({ max: 4 }))
        .map(([shrunk, from]) => common.map((size, i) => (shrunk[i] ? 1 : size)).slice(from))
      return fc.tuple(part, part)
    })
    return fc.assert(
      fc.asyncProperty(shapes, async ([left, right]) => {
        const [a, b] = [input('a', left), input('b', right)]
        const rank = Math.max(left.length, right.length)
        const aligned = ({ shape }: Tensor, index: readonly number[]): number[] =>
          shape.map((size, axis) => (size === 1 ? 0 : index[axis + rank - shape.length]!))
        const shape = Array.from({ length: rank }, (_, axis) =>
          Math.max(left[axis - rank + left.length] ?? 1, right[axis - rank + right.length] ?? 1),
        )
        await loops.check('Add', {
          operands: { a, b },
          build: (graph, { a, b }) => [Add(graph, a, b)],
          expected: [
            loop(shape, (...index) => at(a, ...aligned(a, index)) + at(b, ...aligned(b, index))),
          ],
        })
      }),
      { numRuns: 40 },
    )
  })

  it('refuses shapes that do not broadcast', () => {
    assert.throws(
      () => Add(new Graph('wrong'), operand('a', [2, 3]), operand('b', [2])),
      /internal: Add: expected shapes that broadcast, got a float32 \[2, 3\] and b float32 \[2\]/,
    )
  })

  it('refuses symbols that it cannot know to be equal', () => {
    assert.throws(
      () => Add(new Graph('wrong'), operand('a', ['imageSeq', 3]), operand('b', ['seq', 3])),
      /internal: Add: .+ \[imageSeq, 3\] and b float32 \[seq, 3\]/,
    )
  })

  it('refuses operands of two element types', () => {
    assert.throws(
      () => Add(new Graph('wrong'), operand('a', [2]), operand('b', [2], 'bfloat16')),
      /internal: Add: expected operands of one element type, got a float32 .+ b bfloat16/,
    )
  })
})

describe('Mul', () => {
  it('multiplies, stretching axes of length 1', async () => {
    const [a, b] = [input('a', [2, 1, 4]), input('b', [2, 3, 1])]
    await loops.check('Mul', {
      operands: { a, b },
      symbols: { batch: 2, seq: 3 },
      symbolic: { a: ['batch', 1, 4], b: ['batch', 'seq', 1] },
      build: (graph, { a, b }) => [Mul(graph, a, b)],
      expected: [loop([2, 3, 4], (i, j, k) => at(a, i, 0, k) * at(b, i, j, 0))],
    })
  })

  it('refuses shapes that do not broadcast', () => {
    assert.throws(
      () => Mul(new Graph('wrong'), operand('a', [4, 3]), operand('b', [4, 1, 2])),
      /internal: Mul: .+ a float32 \[4, 3\] and b float32 \[4, 1, 2\]/,
    )
  })
})

/** Both ends, where naive formulas overflow, and the middle. */
const wide = float32([2, 4], Float32Array.of(-100, -20, -1, -1e-4, 0, 0.5, 20, 100))

describe('Sigmoid', () => {
  it('is 1 / (1 + exp(-x))', () =>
    loops.check('Sigmoid', {
      operands: { x: wide },
      symbols: { seq: 2 },
      symbolic: { x: ['seq', 4] },
      build: (graph, { x }) => [Sigmoid(graph, x)],
      expected: [loop([2, 4], (i, j) => 1 / (1 + Math.exp(-at(wide, i, j))))],
    }))

  it('refuses whole numbers', () => {
    assert.throws(
      () => Sigmoid(new Graph('wrong'), operand('x', [2, 4], 'int64')),
      /internal: Sigmoid: expected .+, got x int64 \[2, 4\]/,
    )
  })
})

describe('Tanh', () => {
  it('is the hyperbolic tangent', () =>
    loops.check('Tanh', {
      operands: { x: wide },
      symbols: { seq: 2 },
      symbolic: { x: ['seq', 4] },
      build: (graph, { x }) => [Tanh(graph, x)],
      expected: [loop([2, 4], (i, j) => Math.tanh(at(wide, i, j)))],
    }))

  it('refuses whole numbers', () => {
    assert.throws(
      () => Tanh(new Graph('wrong'), operand('x', [2, 4], 'int64')),
      /internal: Tanh: expected .+, got x int64 \[2, 4\]/,
    )
  })
})

describe('Cast', () => {
  const x = float32([2, 3], Float32Array.of(-2.7, -0.5, 0, 0.5, 2.7, 1e6))

  for (const dtype of ['int32', 'int64'] as const) {
    it(`cuts off what ${dtype} cannot hold, toward zero`, () =>
      loops.check('Cast', {
        operands: { x },
        symbols: { seq: 2 },
        symbolic: { x: ['seq', 3] },
        build: (graph, { x }) => [Cast(graph, Cast(graph, x, dtype), 'float32')],
        expected: [loop([2, 3], (i, j) => Math.trunc(at(x, i, j)))],
      }))
  }

  it('takes all but zero for true', () =>
    loops.check('Cast', {
      operands: { x },
      symbols: { seq: 2 },
      symbolic: { x: ['seq', 3] },
      build: (graph, { x }) => [Cast(graph, Cast(graph, x, 'bool'), 'float32')],
      expected: [loop([2, 3], (i, j) => (at(x, i, j) === 0 ? 0 : 1))],
    }))

  it('widens whole numbers and truth', async () => {
    const ids: Tensor<'int64'> = {
      dtype: 'int64',
      shape: [2],
      data: BigInt64Array.of(-7n, 151_935n),
    }
    const mask: Tensor<'bool'> = { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) }
    await loops.check('Cast', {
      operands: { ids, mask },
      symbols: { seq: 2 },
      symbolic: { ids: ['seq'] },
      build: (graph, { ids, mask }) => [Cast(graph, ids, 'float32'), Cast(graph, mask, 'float32')],
      expected: [loop([2], (i) => at(ids, i)), loop([3], (i) => at(mask, i))],
    })
  })

  it('refuses targets that no kernel computes with', () => {
    assert.throws(
      () => Cast(new Graph('wrong'), operand('x', [2, 3]), 'bfloat16'),
      /internal: Cast: expected a target other than bfloat16, got x float32 \[2, 3\]/,
    )
  })
})

describe('Where', () => {
  const [a, b] = [input('a', [3]), input('b', [2, 2, 1])]
  const data = Uint8Array.of(1, 0, 0, 0, 1, 1)
  const condition: Tensor<'bool'> = { dtype: 'bool', shape: [2, 1, 3], data }

  it('chooses, stretching axes of length 1', () =>
    loops.check('Where', {
      operands: { condition, a, b },
      symbols: { batch: 2, seq: 2 },
      symbolic: { condition: ['batch', 1, 3], b: ['batch', 'seq', 1] },
      build: (graph, { condition, a, b }) => [Where(graph, condition, a, b)],
      expected: [
        loop([2, 2, 3], (i, j, k) => (at(condition, i, 0, k) === 1 ? at(a, k) : at(b, i, j, 0))),
      ],
    }))

  it('refuses branches that do not broadcast', () => {
    const [yes, a, b] = [operand('yes', [1], 'bool'), operand('a', [2]), operand('b', [3])]
    assert.throws(
      () => Where(new Graph('wrong'), yes, a, b),
      /internal: Where: .+ a float32 \[2\] and b float32 \[3\]/,
    )
  })

  it('refuses a condition that does not broadcast', () => {
    const [yes, a] = [operand('yes', [4], 'bool'), operand('a', [2])]
    assert.throws(
      () => Where(new Graph('wrong'), yes, a, a),
      /internal: Where: .+ yes bool \[4\] and a float32 \[2\]/,
    )
  })

  it('refuses a condition that is not bool', () => {
    const [yes, a] = [operand('yes', [2]), operand('a', [2])]
    assert.throws(
      () => Where(new Graph('wrong'), yes, a, a),
      /internal: Where: expected a bool .+ yes float32 \[2\]/,
    )
  })
})

describe('MatMul', () => {
  const [a, b] = [input('a', [2, 3, 4]), input('b', [4, 5])]

  it('sums over the last axis of one and the first of the other', () =>
    loops.check('MatMul', {
      operands: { a, b },
      symbols: { batch: 2, seq: 3, out: 5 },
      symbolic: { a: ['batch', 'seq', 4], b: [4, 'out'] },
      build: (graph, { a, b }) => [MatMul(graph, a, b)],
      expected: [loop([2, 3, 5], (i, m, n) => total(4, (k) => at(a, i, m, k) * at(b, k, n)))],
    }))

  it('refuses inner lengths that differ', () => {
    assert.throws(
      () => MatMul(new Graph('wrong'), operand('a', [2, 3, 4]), operand('b', [5, 4])),
      /internal: MatMul: .+ a float32 \[2, 3, 4\] and b float32 \[5, 4\]/,
    )
  })

  it('refuses weights that were not widened', () => {
    assert.throws(
      () => MatMul(new Graph('wrong'), operand('a', [3, 4]), operand('b', [4, 5], 'bfloat16')),
      /internal: MatMul: .+ a float32 \[3, 4\] and b bfloat16 \[4, 5\]/,
    )
  })
})

describe('FusedMatMul', () => {
  const [a, b] = [input('a', [2, 3, 4]), input('b', [5, 4])]

  it('sums over the last axes of both', () =>
    loops.check('FusedMatMul', {
      operands: { a, b },
      symbols: { batch: 2, seq: 3 },
      symbolic: { a: ['batch', 'seq', 4] },
      build: (graph, { a, b }) => [FusedMatMul(graph, a, b)],
      expected: [loop([2, 3, 5], (i, m, n) => total(4, (k) => at(a, i, m, k) * at(b, n, k)))],
    }))

  it('refuses inner lengths that differ', () => {
    assert.throws(
      () => FusedMatMul(new Graph('wrong'), operand('a', ['seq', 4]), operand('b', [4, 5])),
      /internal: FusedMatMul: .+ a float32 \[seq, 4\] and b float32 \[4, 5\]/,
    )
  })

  it('refuses weights that were not widened', () => {
    assert.throws(
      () => FusedMatMul(new Graph('wrong'), operand('a', [3, 4]), operand('b', [5, 4], 'bfloat16')),
      /internal: FusedMatMul: .+ a float32 \[3, 4\] and b bfloat16 \[5, 4\]/,
    )
  })
})
