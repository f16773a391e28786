/**
 * Rotation and attention against naive loops: every pair of tokens in turn, no tricks.
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { Graph, type Value } from '../../../../src/engine/onnx/graph.ts'
import type { Dim } from '../../../../src/engine/onnx/model-proto.ts'
import {
  GroupQueryAttention,
  MultiHeadAttention,
  RotaryEmbedding,
} from '../../../../src/engine/onnx/ops/attention.ts'
import type { DType, Tensor } from '../../../../src/engine/tensor.ts'
import { input } from '../../../fixtures/closed-form.ts'
import { Loops, at, loop, operand, total } from '../against-loops.ts'

const loops = new Loops('attention')
after(() => loops.report())

const wrong = new Graph('wrong')

describe('RotaryEmbedding', () => {
  const x = input('x', [2, 3, 16])
  const [cos, sin] = [input('cos', [2, 3, 4]), input('sin', [2, 3, 4])]

  it('turns adjacent pairs of every head', () =>
    loops.check('RotaryEmbedding', {
      operands: { x, cos, sin },
      symbols: { batch: 2, seq: 3 },
      symbolic: { x: ['batch', 'seq', 16], cos: ['batch', 'seq', 4], sin: ['batch', 'seq', 4] },
      build: (graph, { x, cos, sin }) => [RotaryEmbedding(graph, x, cos, sin, 2)],
      expected: [
        loop([2, 3, 16], (b, i, k) => {
          const isOdd = k % 2 === 1
          const pair = Math.floor((k % 8) / 2)
          const other = isOdd ? at(x, b, i, k - 1) : -at(x, b, i, k + 1)
          return at(x, b, i, k) * at(cos, b, i, pair) + other * at(sin, b, i, pair)
        }),
      ],
    }))

  const tables: readonly [fact: string, cos: Dim[], sin: Dim[]][] = [
    ['as wide as a head', ['batch', 'seq', 8], ['batch', 'seq', 8]],
    ['of another length', ['batch', 'past', 4], ['batch', 'past', 4]],
    ['that differ', ['batch', 'seq', 4], ['batch', 'seq', 2]],
    ['without a batch', ['seq', 4], ['seq', 4]],
  ]
  for (const [fact, cos, sin] of tables) {
    it(`refuses tables ${fact}`, () => {
      const x = operand('x', ['batch', 'seq', 16])
      const shown = [cos, sin].map((shape) => `float32 \\[${shape.join(', ')}\\]`).join(' and .+')
      assert.throws(
        () => RotaryEmbedding(wrong, x, operand('cos', cos), operand('sin', sin), 2),
        new RegExp(`RotaryEmbedding: .+ tables \\[batch, seq, 4\\], got x .+ and cos ${shown}`),
      )
    })
  }
})

/** Attention of tokens to those of their keys that `sees` allows; one head a `headDim` of width. */
function attention(
  { query, key, value }: { readonly query: Tensor; readonly key: Tensor; readonly value: Tensor },
  { heads, keyHeads = heads }: { readonly heads: number; readonly keyHeads?: number },
  sees: (query: number, key: number) => boolean = () => true,
): Tensor {
  const [batch, seq, width] = query.shape as [number, number, number]
  const keys = key.shape[1]!
  const headDim = width / heads
  return loop([batch, seq, width], (b, i, k) => {
    const head = Math.floor(k / headDim)
    const keyHead = Math.floor(head / (heads / keyHeads))
    const weight = (j: number): number => {
      const dot = total(headDim, (f) => {
        return at(query, b, i, head * headDim + f) * at(key, b, j, keyHead * headDim + f)
      })
      return sees(i, j) ? Math.exp(dot / Math.sqrt(headDim)) : 0
    }
    const feature = keyHead * headDim + (k % headDim)
    return total(keys, (j) => weight(j) * at(value, b, j, feature)) / total(keys, weight)
  })
}

describe('MultiHeadAttention', () => {
  const cases: readonly [fact: string, heads: number, seq: number, keys: number][] = [
    ['several heads', 4, 3, 3],
    ['one head', 1, 3, 3],
    ['more keys than queries', 2, 2, 5],
    ['more tokens than one block of the flash path', 2, 70, 130],
  ]
  for (const [fact, heads, seq, keys] of cases) {
    it(`attends with ${fact}`, () => {
      const [query, key] = [input('query', [2, seq, 16]), input('key', [2, keys, 16])]
      const value = input('value', [2, keys, 16])
      return loops.check('MultiHeadAttention', {
        operands: { query, key, value },
        symbols: { batch: 2, seq, keys },
        symbolic: {
          query: ['batch', 'seq', 16],
          key: ['batch', 'keys', 16],
          value: ['batch', 'keys', 16],
        },
        build: (graph, { query, key, value }) => [
          MultiHeadAttention(graph, query, key, value, heads),
        ],
        expected: [attention({ query, key, value }, { heads })],
      })
    })
  }

  const refused: readonly [fact: string, query: Dim[], key: Dim[], value: Dim[]][] = [
    ['a width that heads do not divide', [1, 'seq', 18], [1, 'seq', 18], [1, 'seq', 18]],
    ['keys of another width', [1, 'seq', 16], [1, 'seq', 8], [1, 'seq', 8]],
    ['fewer values than keys', [1, 'seq', 16], [1, 4, 16], [1, 3, 16]],
    ['heads as an axis', [1, 4, 'seq', 4], [1, 4, 'seq', 4], [1, 4, 'seq', 4]],
  ]
  for (const [fact, query, key, value] of refused) {
    it(`refuses ${fact}`, () => {
      const operands = [operand('q', query), operand('k', key), operand('v', value)] as const
      const shown = [query, key, value].map((shape) => `. float32 \\[${shape.join(', ')}\\]`)
      assert.throws(
        () => MultiHeadAttention(wrong, ...operands, 4),
        new RegExp(`MultiHeadAttention: .+ 4 heads.+ got ${shown.join(' and ')}`),
      )
    })
  }
})

/** Half of each head turned against the other half, by the tokens' positions from `past` on. */
function rotated(x: Tensor, cos: Tensor, sin: Tensor, headDim: number, past = 0): Tensor {
  const half = headDim / 2
  return loop(x.shape, (b, i, k) => {
    const isSecond = k % headDim >= half
    const other = isSecond ? at(x, b, i, k - half) : -at(x, b, i, k + half)
    const pair = k % half
    return at(x, b, i, k) * at(cos, past + i, pair) + other * at(sin, past + i, pair)
  })
}

/** [batch, seq, heads * headDim] as [batch, heads, seq, headDim]. */
function byHead(x: Tensor, headDim: number): Tensor {
  const [batch, seq, width] = x.shape as [number, number, number]
  const shape = [batch, width / headDim, seq, headDim]
  return loop(shape, (b, h, i, k) => at(x, b, i, h * headDim + k))
}

/** Rows `from` up to `to` of axis 1 of x [batch, seq, width], or of axis 2 of a cache. */
function tokens(x: Tensor, from: number, to: number): Tensor {
  const axis = x.shape.length - 2
  return loop(x.shape.with(axis, to - from), (...index) => {
    return at(x, ...index.with(axis, index[axis]! + from))
  })
}

describe('GroupQueryAttention', () => {
  const [heads, keyHeads, headDim] = [4, 2, 16]
  type Operand = 'query' | 'key' | 'value' | 'lastKey' | 'total' | 'cos' | 'sin'
  type Cache = 'pastKey' | 'pastValue'
  type Of<T> = Readonly<Record<Operand, T> & Partial<Record<Cache, T>>>
  type Attended = ReturnType<typeof GroupQueryAttention>

  function attend(graph: Graph, { pastKey, pastValue, ...operands }: Of<Value>): Attended {
    const past = pastKey && pastValue && { past: { key: pastKey, value: pastValue } }
    return GroupQueryAttention(graph, { ...operands, ...past, heads, keyHeads })
  }

  /** Checks a run of the last `seq` tokens, given the cache of the others, against a run of all. */
  function checkRun(batch: number, past: number, seq: number): Promise<void> {
    const all = past + seq
    const query = input('query', [batch, all, heads * headDim])
    const key = input('key', [batch, all, keyHeads * headDim])
    const value = input('value', [batch, all, keyHeads * headDim])
    const [cos, sin] = [input('cos', [all + 3, 8]), input('sin', [all + 3, 8])]
    const lastKey = new Int32Array(batch).fill(all - 1)
    const turned = {
      query: rotated(query, cos, sin, headDim),
      key: rotated(key, cos, sin, headDim),
      value,
    }
    const attended = attention(turned, { heads, keyHeads }, (i, j) => j <= i)
    const [keys, values] = [byHead(turned.key, headDim), byHead(value, headDim)]
    const cache = { pastKey: tokens(keys, 0, past), pastValue: tokens(values, 0, past) }
    const operands: Readonly<Record<string, Tensor<DType>>> = {
      query: tokens(query, past, all),
      key: tokens(key, past, all),
      value: tokens(value, past, all),
      lastKey: { dtype: 'int32', shape: [batch], data: lastKey },
      total: { dtype: 'int32', shape: [], data: Int32Array.of(all) },
      cos,
      sin,
      ...(past > 0 ? cache : {}),
    }
    return loops.check('GroupQueryAttention', {
      operands,
      symbols: { batch, past, seq, positions: all + 3 },
      symbolic: {
        query: ['batch', 'seq', heads * headDim],
        key: ['batch', 'seq', keyHeads * headDim],
        value: ['batch', 'seq', keyHeads * headDim],
        lastKey: ['batch'],
        cos: ['positions', 8],
        sin: ['positions', 8],
        pastKey: ['batch', keyHeads, 'past', headDim],
        pastValue: ['batch', keyHeads, 'past', headDim],
      },
      build: (graph, values) => {
        const { output, presentKey, presentValue } = attend(graph, values as Of<Value>)
        return [output, presentKey, presentValue]
      },
      expected: [tokens(attended, past, all), keys, values],
    })
  }

  it('is causal, rotates half against half and shares key heads', () => checkRun(2, 0, 5))

  it('goes on after a cache by one token, several rows at once', () => checkRun(2, 4, 1))

  it('goes on after a cache by several tokens', () => checkRun(1, 3, 4))

  const good: Of<Value> = {
    query: operand('query', [1, 'seq', 64]),
    key: operand('key', [1, 'seq', 32]),
    value: operand('value', [1, 'seq', 32]),
    lastKey: operand('last', [1], 'int32'),
    total: operand('total', [], 'int32'),
    cos: operand('cos', ['rows', 8]),
    sin: operand('sin', ['rows', 8]),
  }
  const refused: readonly [fact: string, bad: Partial<Of<Value>>, message: RegExp][] = [
    [
      'keys of another width',
      { key: operand('key', [1, 'seq', 64]) },
      /keys .+ \[1, seq, 32\], got query float32 \[1, seq, 64\] and key float32 \[1, seq, 64\]/,
    ],
    [
      'fewer values than keys',
      { value: operand('value', [1, 2, 32]) },
      /key float32 \[1, seq, 32\] and value float32 \[1, 2, 32\]/,
    ],
    [
      'heads that are no multiple of 16',
      { query: operand('query', [1, 'seq', 32]) },
      /multiple of 16 .+ got query float32 \[1, seq, 32\] and key/,
    ],
    [
      'tables as wide as a head',
      { cos: operand('cos', ['rows', 16]) },
      /tables \[rows, 8\], got query .+ and cos float32 \[rows, 16\]/,
    ],
    [
      'tables that would turn half of each head',
      { cos: operand('cos', ['rows', 4]), sin: operand('sin', ['rows', 4]) },
      /tables \[rows, 8\], got query .+ and cos float32 \[rows, 4\]/,
    ],
    [
      'tables of two lengths',
      { sin: operand('sin', ['others', 8]) },
      /cos float32 \[rows, 8\] and sin float32 \[others, 8\]/,
    ],
    [
      'a past of other heads',
      {
        pastKey: operand('past', [1, 4, 'past', 16]),
        pastValue: operand('past', [1, 4, 'past', 16]),
      },
      /a past \[1, 2, past, 16\], got query .+ and past float32 \[1, 4, past, 16\]/,
    ],
    [
      'a past of fewer values than keys',
      { pastKey: operand('old', [1, 2, 'past', 16]), pastValue: operand('new', [1, 2, 'p', 16]) },
      /old float32 \[1, 2, past, 16\] and new float32 \[1, 2, p, 16\]/,
    ],
  ]
  for (const [fact, bad, message] of refused) {
    it(`refuses ${fact}`, () => {
      const pattern = new RegExp(`internal: GroupQueryAttention: expected .*${message.source}`)
      assert.throws(() => attend(wrong, { ...good, ...bad }), pattern)
    })
  }

  it('refuses key heads that do not divide the heads', () => {
    assert.throws(
      () => GroupQueryAttention(wrong, { ...good, heads, keyHeads: 3 }),
      /internal: GroupQueryAttention: expected 4 heads .+ by 3, got query float32 \[1, seq, 64\]/,
    )
  })
})
