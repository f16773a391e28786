/**
 * What every operator function shares: refusing operands with the operator's name and both shapes,
 * numpy's broadcasting, and calling an operator that has one output.
 */
import type { Tensor } from '../../tensor.ts'
import { showShape } from '../dim.ts'
import type { Graph, OutputInfo, Value } from '../graph.ts'
import type { Attribute, Dim } from '../model-proto.ts'

/** The domain of onnxruntime's own operators. */
export const microsoft = 'com.microsoft'

/** Throws the error of an operator whose operands do not fit. */
export function refuse(operator: string, expected: string, ...values: readonly Value[]): never {
  const got = values.map((value) => `${value.name} ${value.dtype} ${showShape(value.shape)}`)
  throw new Error(`internal: ${operator}: expected ${expected}, got ${got.join(' and ')}`)
}

/** Refuses operands that were not widened: the other float types have few kernels on processors. */
export function requireFloat32(operator: string, ...values: readonly Value[]): void {
  if (values.some(({ dtype }) => dtype !== 'float32')) {
    refuse(operator, 'float32 operands', ...values)
  }
}

/** Whether two shapes are the same, symbols included. */
export function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis])
}

/** A one-dimensional int64 tensor, as operators take axes and lengths. */
export function int64(values: readonly number[]): Tensor<'int64'> {
  return { dtype: 'int64', shape: [values.length], data: BigInt64Array.from(values, BigInt) }
}

/** Numpy's broadcasting, axis by axis from the right. */
export function broadcast(operator: string, a: Value, b: Value): readonly Dim[] {
  const rank = Math.max(a.shape.length, b.shape.length)
  return Array.from({ length: rank }, (_, axis) => {
    const left = a.shape[axis - rank + a.shape.length] ?? 1
    const right = b.shape[axis - rank + b.shape.length] ?? 1
    if (left !== right && left !== 1 && right !== 1) {
      refuse(operator, 'shapes that broadcast', a, b)
    }
    return left === 1 ? right : left
  })
}

/** `axis` counted from the front, if `x` has it. */
export function axisOf(operator: string, x: Value, axis: number): number {
  const positive = axis < 0 ? axis + x.shape.length : axis
  if (positive < 0 || positive >= x.shape.length) refuse(operator, `a rank above axis ${axis}`, x)
  return positive
}

/** Calls an operator of one output. */
export function single(
  graph: Graph,
  opType: string,
  inputs: readonly (Value | undefined)[],
  output: OutputInfo,
  attributes: Readonly<Record<string, Attribute>> = {},
  domain = '',
): Value {
  return graph.node(opType, inputs, [output], attributes, domain)[0]!
}
