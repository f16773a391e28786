/**
 * Normalisations with their weights. Statistics are float32, as in the reference.
 */
import { quotient } from '../onnx/dim.ts'
import type { Network, Value } from '../onnx/graph.ts'
import { Reshape } from '../onnx/ops/movement.ts'
import { GroupNormalization, RMSNormalization } from '../onnx/ops/normalization.ts'

/** x / rms(x) * gain over the last axis of x [..., features]; the gain is tensor `name` itself. */
export function rmsNorm(
  { graph, weights }: Network,
  name: string,
  x: Value,
  epsilon: number,
): Value {
  const gain = graph.weight(weights.entry(name, [Number(x.shape.at(-1))]))
  return RMSNormalization(graph, x, gain, epsilon)
}

/** `rmsNorm` of every head by itself, one gain for all; x [batch, seq, heads * headDim]. */
export function headNorm(
  network: Network,
  name: string,
  x: Value,
  heads: number,
  epsilon: number,
): Value {
  const { graph } = network
  const [batch, seq, width] = x.shape
  const byHead = Reshape(graph, x, [batch!, seq!, heads, quotient(width!, heads)!])
  return Reshape(graph, rmsNorm(network, name, byHead, epsilon), x.shape)
}

/** Normalises each group of channels of x [batch, channels, ...]; `NAME.weight`, `NAME.bias`. */
export function groupNorm(
  { graph, weights }: Network,
  name: string,
  x: Value,
  groups: number,
): Value {
  const channels = Number(x.shape[1])
  const gain = graph.weight(weights.entry(`${name}.weight`, [channels]))
  const bias = graph.weight(weights.entry(`${name}.bias`, [channels]))
  return GroupNormalization(graph, x, gain, bias, groups, 1e-6)
}
