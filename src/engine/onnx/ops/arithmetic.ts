/**
 * Operators that compute element by element, matrix products and convolution; one function each,
 * under its ONNX name and with its ONNX meaning.
 * Source: onnx/onnx, docs/Operators.md (opset 23); onnxruntime, docs/ContribOperators.md.
 */
import type { DType } from '../../tensor.ts'
import { product, quotient } from '../dim.ts'
import type { Graph, Value } from '../graph.ts'
import { broadcast, microsoft, refuse, requireFloat32, sameShape, single } from './operator.ts'

const onnxDataType: Partial<Record<DType, number>> = { float32: 1, int32: 6, int64: 7, bool: 9 }

function unary(graph: Graph, opType: string, x: Value): Value {
  requireFloat32(opType, x)
  return single(graph, opType, [x], { dtype: x.dtype, shape: x.shape })
}

function binary(graph: Graph, opType: string, a: Value, b: Value): Value {
  if (a.dtype !== b.dtype) refuse(opType, 'operands of one element type', a, b)
  return single(graph, opType, [a, b], { dtype: a.dtype, shape: broadcast(opType, a, b) })
}

/** a + b, broadcast. */
export function Add(graph: Graph, a: Value, b: Value): Value {
  return binary(graph, 'Add', a, b)
}

/** a * b, broadcast. */
export function Mul(graph: Graph, a: Value, b: Value): Value {
  return binary(graph, 'Mul', a, b)
}

/** 1 / (1 + exp(-x)). */
export function Sigmoid(graph: Graph, x: Value): Value {
  return unary(graph, 'Sigmoid', x)
}

/** tanh(x). */
export function Tanh(graph: Graph, x: Value): Value {
  return unary(graph, 'Tanh', x)
}

/** `x` as another element type. */
export function Cast(graph: Graph, x: Value, dtype: DType): Value {
  const to = onnxDataType[dtype]
  if (to === undefined) refuse('Cast', `a target other than ${dtype}`, x)
  return single(graph, 'Cast', [x], { dtype, shape: x.shape }, { to })
}

/** `condition ? a : b`, broadcast. */
export function Where(graph: Graph, condition: Value, a: Value, b: Value): Value {
  if (condition.dtype !== 'bool' || a.dtype !== b.dtype) {
    refuse('Where', 'a bool and two operands of one element type', condition, a, b)
  }
  const branches = { ...a, shape: broadcast('Where', a, b) }
  const shape = broadcast('Where', condition, branches)
  return single(graph, 'Where', [condition, a, b], { dtype: a.dtype, shape })
}

/** a [..., m, k] times b [k, n]. */
export function MatMul(graph: Graph, a: Value, b: Value): Value {
  requireFloat32('MatMul', a, b)
  if (b.shape.length !== 2 || a.shape.at(-1) !== b.shape[0]) {
    refuse('MatMul', '[..., m, k] and [k, n]', a, b)
  }
  return single(graph, 'MatMul', [a, b], {
    dtype: a.dtype,
    shape: [...a.shape.slice(0, -1), b.shape[1]!],
  })
}

/** a [..., m, k] times the transpose of b [n, k], which is how checkpoints store linear layers. */
export function FusedMatMul(graph: Graph, a: Value, b: Value): Value {
  requireFloat32('FusedMatMul', a, b)
  if (b.shape.length !== 2 || a.shape.at(-1) !== b.shape[1]) {
    refuse('FusedMatMul', '[..., m, k] and [n, k]', a, b)
  }
  const shape = [...a.shape.slice(0, -1), b.shape[0]!]
  return single(graph, 'FusedMatMul', [a, b], { dtype: a.dtype, shape }, { transB: 1 }, microsoft)
}

/** Padding of a convolution in rows and columns, before and after. */
export type Padding = readonly [top: number, left: number, bottom: number, right: number]

/** Two-dimensional convolution of x [batch, in, height, width] with weight [out, in, k, k]. */
export function Conv(
  graph: Graph,
  x: Value,
  weight: Value,
  bias: Value,
  stride: number,
  pads: Padding,
): Value {
  requireFloat32('Conv', x, weight, bias)
  const [batch, channels, ...sides] = x.shape
  const [outChannels, , kernel] = weight.shape
  const fits =
    sides.length === 2 &&
    sameShape(weight.shape, [outChannels!, channels!, kernel!, kernel!]) &&
    sameShape(bias.shape, [outChannels!])
  if (!fits) {
    refuse('Conv', '[batch, in, height, width], [out, in, k, k] and [out]', x, weight, bias)
  }
  const [height, width] = sides.map((side, axis) => {
    const padded = pads[axis]! + pads[axis + 2]! - Number(kernel)
    if (typeof side === 'number') {
      if (side + padded < 0) refuse('Conv', 'a kernel that fits the padded sides', x, weight)
      return Math.floor((side + padded) / stride) + 1
    }
    // A symbolic side is a multiple of all strides that follow: exact iff the padding just fits.
    const out = padded + stride >= 0 && padded + 1 <= 0 ? quotient(side, stride) : undefined
    return out ?? refuse('Conv', `sides divisible by stride ${stride}`, x, weight)
  })
  const shape = [batch!, outChannels!, height!, width!]
  const attributes = {
    kernel_shape: [Number(kernel), Number(kernel)],
    strides: [stride, stride],
    pads,
  }
  return single(graph, 'Conv', [x, weight, bias], { dtype: x.dtype, shape }, attributes)
}

/** Doubles rows and columns of x [batch, channels, height, width], each pixel becoming four. */
export function Resize(graph: Graph, x: Value): Value {
  const [batch, channels, height, width] = x.shape
  if (x.shape.length !== 4) refuse('Resize', '[batch, channels, height, width]', x)
  const scales = graph.constant({ dtype: 'float32', shape: [4], data: Float32Array.of(1, 1, 2, 2) })
  const shape = [batch!, channels!, product([2, height!]), product([2, width!])]
  return single(
    graph,
    'Resize',
    [x, undefined, scales],
    { dtype: x.dtype, shape },
    {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    },
  )
}
