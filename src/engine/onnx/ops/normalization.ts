/**
 * The normalisations of the networks, one function each, under its ONNX name and meaning.
 * Source: onnx/onnx, docs/Operators.md (opset 23).
 */
import type { Graph, Value } from '../graph.ts'
import { refuse, requireFloat32, sameShape, single } from './operator.ts'

/** x / rms(x) * scale over the last axis; statistics in float32. */
export function RMSNormalization(graph: Graph, x: Value, scale: Value, epsilon: number): Value {
  requireFloat32('RMSNormalization', x, scale)
  if (!sameShape(scale.shape, x.shape.slice(-1))) {
    refuse('RMSNormalization', 'a scale as long as the last axis', x, scale)
  }
  const attributes = { axis: -1, epsilon: { float: epsilon } }
  return single(
    graph,
    'RMSNormalization',
    [x, scale],
    { dtype: x.dtype, shape: x.shape },
    attributes,
  )
}

/** (x - mean) / deviation * scale over the last axis. */
export function LayerNormalization(graph: Graph, x: Value, scale: Value, epsilon: number): Value {
  requireFloat32('LayerNormalization', x, scale)
  if (!sameShape(scale.shape, x.shape.slice(-1))) {
    refuse('LayerNormalization', 'a scale as long as the last axis', x, scale)
  }
  const attributes = { axis: -1, epsilon: { float: epsilon } }
  return single(
    graph,
    'LayerNormalization',
    [x, scale],
    { dtype: x.dtype, shape: x.shape },
    attributes,
  )
}

/** Normalises [batch, channels, ...] over each group of channels and all that follows. */
export function GroupNormalization(
  graph: Graph,
  x: Value,
  scale: Value,
  bias: Value,
  groups: number,
  epsilon: number,
): Value {
  requireFloat32('GroupNormalization', x, scale, bias)
  const channels = x.shape[1]
  const fits = [scale, bias].every(({ shape }) => shape.length === 1 && shape[0] === channels)
  if (!fits || typeof channels !== 'number' || channels % groups !== 0) {
    refuse('GroupNormalization', `channels in ${groups} equal groups`, x, scale, bias)
  }
  const attributes = { num_groups: groups, epsilon: { float: epsilon } }
  const output = { dtype: x.dtype, shape: x.shape }
  return single(graph, 'GroupNormalization', [x, scale, bias], output, attributes)
}
