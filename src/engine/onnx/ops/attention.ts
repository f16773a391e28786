/**
 * Attention and the rotation of its queries and keys, one function each, under its ONNX name.
 * Source: onnx/onnx, docs/Operators.md (opset 23); onnxruntime, docs/ContribOperators.md.
 */
import { quotient, showShape, sum } from '../dim.ts'
import type { Graph, Value } from '../graph.ts'
import { microsoft, refuse, requireFloat32, sameShape, single } from './operator.ts'

/**
 * Rotates adjacent pairs of every head of x [batch, seq, heads * headDim]; cos and sin
 * [batch, seq, headDim / 2].
 */
export function RotaryEmbedding(
  graph: Graph,
  x: Value,
  cos: Value,
  sin: Value,
  heads: number,
): Value {
  requireFloat32('RotaryEmbedding', x, cos, sin)
  const [batch, seq, width] = x.shape
  const half = width === undefined ? undefined : quotient(width, 2 * heads)
  const table = [batch!, seq!, half!]
  if (x.shape.length !== 3 || !sameShape(cos.shape, table) || !sameShape(sin.shape, table)) {
    refuse('RotaryEmbedding', `tables ${showShape(table)}`, x, cos, sin)
  }
  const output = { dtype: x.dtype, shape: x.shape }
  const attributes = { interleaved: 1, num_heads: heads }
  return single(graph, 'RotaryEmbedding', [x, cos, sin], output, attributes)
}

/**
 * Attention of every query to every key, scores scaled by headDim^-0.5; all three
 * [batch, seq, heads * headDim]. Careful: never give it a mask, which costs its flash path.
 */
export function MultiHeadAttention(
  graph: Graph,
  query: Value,
  key: Value,
  value: Value,
  heads: number,
): Value {
  requireFloat32('MultiHeadAttention', query, key, value)
  const fits =
    query.shape.length === 3 &&
    sameShape(key.shape, value.shape) &&
    query.shape[0] === key.shape[0] &&
    query.shape[2] === key.shape[2] &&
    quotient(query.shape[2]!, heads) !== undefined
  if (!fits) refuse('MultiHeadAttention', `[batch, seq, ${heads} heads]`, query, key, value)
  const output = { dtype: query.dtype, shape: query.shape }
  return single(
    graph,
    'MultiHeadAttention',
    [query, key, value],
    output,
    { num_heads: heads },
    microsoft,
  )
}

/** Operands of GroupQueryAttention. */
export type GroupQuery = {
  /** [batch, seq, heads * headDim] */
  readonly query: Value
  /** [batch, seq, keyHeads * headDim], before rotation */
  readonly key: Value
  /** [batch, seq, keyHeads * headDim] */
  readonly value: Value
  /** [batch, keyHeads, past, headDim] each; none for a run from the start */
  readonly past?: { readonly key: Value; readonly value: Value }
  /** int32 [batch]: index of the last key of each row */
  readonly lastKey: Value
  /** int32 scalar: keys in all, those of the past included */
  readonly total: Value
  /** [positions, headDim / 2] */
  readonly cos: Value
  readonly sin: Value
  readonly heads: number
  readonly keyHeads: number
}

/**
 * Causal attention with shared key heads; rotates query and key half against half by their
 * positions, and appends to the past. Yields the result and the grown keys and values.
 */
export function GroupQueryAttention(
  graph: Graph,
  { query, key, value, past, lastKey, total, cos, sin, heads, keyHeads }: GroupQuery,
): { readonly output: Value; readonly presentKey: Value; readonly presentValue: Value } {
  requireFloat32('GroupQueryAttention', query, key, value, cos, sin)
  const [batch, seq, width] = query.shape
  const headDim = width === undefined ? undefined : quotient(width, heads)
  if (typeof headDim !== 'number' || headDim % 16 !== 0 || heads % keyHeads !== 0) {
    const expected = `${heads} heads of a multiple of 16 features, shared by ${keyHeads}`
    refuse('GroupQueryAttention', expected, query, key)
  }
  const keyShape = [batch!, seq!, headDim * keyHeads]
  if (!sameShape(key.shape, keyShape) || !sameShape(value.shape, keyShape)) {
    refuse('GroupQueryAttention', `keys and values ${showShape(keyShape)}`, query, key, value)
  }
  // Careful: onnxruntime takes a narrower table to mean that it shall rotate only part of each head.
  const table = [cos.shape[0] ?? 'positions', headDim / 2]
  if (!sameShape(cos.shape, table) || !sameShape(sin.shape, table)) {
    refuse('GroupQueryAttention', `tables ${showShape(table)}`, query, cos, sin)
  }
  const cache = past && [batch!, keyHeads, past.key.shape[2] ?? 'past', headDim]
  if (cache && !(sameShape(past.key.shape, cache) && sameShape(past.value.shape, cache))) {
    refuse('GroupQueryAttention', `a past ${showShape(cache)}`, query, past.key, past.value)
  }
  const keys = past ? sum([past.key.shape[2]!, seq!]) : seq!
  const present = { dtype: key.dtype, shape: [batch!, keyHeads, keys, headDim] }
  const [output, presentKey, presentValue] = graph.node(
    'GroupQueryAttention',
    [query, key, value, past?.key, past?.value, lastKey, total, cos, sin],
    [{ dtype: query.dtype, shape: query.shape }, present, present],
    { num_heads: heads, kv_num_heads: keyHeads, do_rotary: 1, rotary_interleaved: 0 },
    microsoft,
  )
  return { output: output!, presentKey: presentKey!, presentValue: presentValue! }
}
