/**
 * Operators that only move elements: joining, cutting, picking, reordering, reshaping; one function
 * each, under its ONNX name. Source: onnx/onnx, docs/Operators.md (opset 23).
 */
import { product, quotient, showShape, sum } from '../dim.ts'
import type { Graph, Value } from '../graph.ts'
import type { Dim } from '../model-proto.ts'
import { axisOf, int64, refuse, sameShape, single } from './operator.ts'

/** Joins tensors along an axis. */
export function Concat(graph: Graph, parts: readonly Value[], axis: number): Value {
  const first = parts[0]
  if (!first) throw new Error('internal: Concat: expected at least one tensor, got none')
  const at = axisOf('Concat', first, axis)
  for (const part of parts) {
    const fits =
      part.dtype === first.dtype &&
      part.shape.length === first.shape.length &&
      part.shape.every((dim, i) => i === at || dim === first.shape[i])
    if (!fits) refuse('Concat', `shapes that differ in axis ${at} only`, first, part)
  }
  const shape = first.shape.with(at, sum(parts.map((part) => part.shape[at]!)))
  return single(graph, 'Concat', parts, { dtype: first.dtype, shape }, { axis: at })
}

/** Cuts `x` into `count` equal parts along an axis of known length. */
export function Split(graph: Graph, x: Value, count: number, axis: number): Value[] {
  const at = axisOf('Split', x, axis)
  const part = quotient(x.shape[at]!, count)
  if (part === undefined) refuse('Split', `axis ${at} in ${count} equal parts`, x)
  const output = { dtype: x.dtype, shape: x.shape.with(at, part) }
  const outputs = Array.from({ length: count }, () => output)
  return graph.node('Split', [x], outputs, { axis: at, num_outputs: count })
}

/** Elements `start` up to the end, or `start` up to `end`, of an axis; -1 counts from the end. */
export function Slice(
  graph: Graph,
  x: Value,
  axis: number,
  start: number,
  end: number,
  length: Dim,
): Value {
  const at = axisOf('Slice', x, axis)
  const bounds = [[start], [end], [at]].map((values) => graph.constant(int64(values)))
  return single(graph, 'Slice', [x, ...bounds], { dtype: x.dtype, shape: x.shape.with(at, length) })
}

/** Rows of `table` [rows, ...] by int64 `indices`. */
export function Gather(graph: Graph, table: Value, indices: Value): Value {
  if (indices.dtype !== 'int64') refuse('Gather', 'int64 indices', table, indices)
  const shape = [...indices.shape, ...table.shape.slice(1)]
  return single(graph, 'Gather', [table, indices], { dtype: table.dtype, shape }, { axis: 0 })
}

/** Reorders axes. */
export function Transpose(graph: Graph, x: Value, order: readonly number[]): Value {
  const isOrder = order.toSorted((a, b) => a - b).every((axis, i) => axis === i)
  if (!isOrder || order.length !== x.shape.length)
    refuse('Transpose', `an order of axes, not ${order.join()}`, x)
  const shape = order.map((axis) => x.shape[axis]!)
  return single(graph, 'Transpose', [x], { dtype: x.dtype, shape }, { perm: order })
}

/**
 * The same elements in another shape, none of its lengths 0. Lengths known only at run time must
 * stand at their old axis, or be the only one that moved, or come from `like`, a tensor of just the
 * target shape.
 */
export function Reshape(graph: Graph, x: Value, shape: readonly Dim[], like?: Value): Value {
  if (product(shape) !== product(x.shape)) refuse('Reshape', `elements of ${showShape(shape)}`, x)
  // To ONNX a 0 means the length of the old axis.
  if (shape.includes(0)) refuse('Reshape', `lengths above 0 in ${showShape(shape)}`, x)
  let target: Value
  if (like) {
    if (!sameShape(like.shape, shape)) refuse('Reshape', showShape(shape), like)
    target = single(graph, 'Shape', [like], { dtype: 'int64', shape: [shape.length] })
  } else {
    const lengths = shape.map((dim, axis) => {
      if (typeof dim === 'number') return dim
      return dim === x.shape[axis] ? 0 : -1
    })
    if (lengths.filter((length) => length === -1).length > 1) {
      refuse('Reshape', `at most one moved symbol in ${showShape(shape)}`, x)
    }
    target = graph.constant(int64(lengths))
  }
  return single(graph, 'Reshape', [x, target], { dtype: x.dtype, shape })
}
