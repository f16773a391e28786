/**
 * Linear layers and the activation between them. Axes: [..., features].
 */
import type { Network, Value } from '../onnx/graph.ts'
import { Add, FusedMatMul, Mul, Sigmoid } from '../onnx/ops/arithmetic.ts'

/** Input and output width of a linear layer, and whether it adds a bias. */
export type LinearSize = { readonly from: number; readonly to: number; readonly hasBias?: boolean }

/** y = x W^T + b with `NAME.weight` [to, from] and `NAME.bias` [to]; x [..., from] to [..., to]. */
export function linear(
  { graph, weights }: Network,
  name: string,
  x: Value,
  size: LinearSize,
): Value {
  const { from, to, hasBias = false } = size
  const weight = graph.weight(weights.entry(`${name}.weight`, [to, from]))
  const y = FusedMatMul(graph, x, weight)
  return hasBias ? Add(graph, y, graph.weight(weights.entry(`${name}.bias`, [to]))) : y
}

/** x * sigmoid(x). */
export function silu({ graph }: Network, x: Value): Value {
  return Mul(graph, x, Sigmoid(graph, x))
}

/** Names of a gated feed-forward block's three linear layers. */
export type GatedNames = { readonly gate: string; readonly up: string; readonly down: string }

/** down(silu(gate(x)) * up(x)); x [..., width], `inner` features inside. */
export function gatedFeedForward(
  network: Network,
  names: GatedNames,
  x: Value,
  { width, inner }: { readonly width: number; readonly inner: number },
): Value {
  const gate = silu(network, linear(network, names.gate, x, { from: width, to: inner }))
  const up = linear(network, names.up, x, { from: width, to: inner })
  return linear(network, names.down, Mul(network.graph, gate, up), { from: inner, to: width })
}
