/**
 * Convolutions with their weights. Axes: [batch, channels, height, width].
 */
import type { Network, Value } from '../onnx/graph.ts'
import { Conv, type Padding } from '../onnx/ops/arithmetic.ts'

/** Output channels, side of the square kernel, stride and padding; by default 1 step, same size. */
export type ConvSize = {
  readonly to: number
  readonly kernel: 1 | 3
  readonly stride?: number
  readonly pads?: Padding
}

/** Convolution by `NAME.weight` [to, from, kernel, kernel] and `NAME.bias` [to]. */
export function conv({ graph, weights }: Network, name: string, x: Value, size: ConvSize): Value {
  const { to, kernel, stride = 1 } = size
  const margin = (kernel - 1) / 2
  const { pads = [margin, margin, margin, margin] } = size
  const from = Number(x.shape[1])
  const weight = graph.weight(weights.entry(`${name}.weight`, [to, from, kernel, kernel]))
  const bias = graph.weight(weights.entry(`${name}.bias`, [to]))
  return Conv(graph, x, weight, bias, stride, pads)
}
