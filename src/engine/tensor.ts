/**
 * Element types and dense host tensors, row-major. Knows nothing of files or graphs. The 16-bit
 * float conversions live here because checkpoints, tests and previews all need the same ones.
 */

/** Element types that checkpoints and graphs use, under ONNX's lower-case names. */
export type DType =
  'float32' | 'float16' | 'bfloat16' | 'int8' | 'uint8' | 'int32' | 'int64' | 'bool'

/** Bytes that one element takes in a file and in memory. */
export const bytesPerElement: Readonly<Record<DType, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  int32: 4,
  int64: 8,
  bool: 1,
}

/** The typed array that holds each element type in JavaScript; 16-bit floats as their raw bits. */
export type TensorData = {
  float32: Float32Array
  float16: Uint16Array
  bfloat16: Uint16Array
  int8: Int8Array
  uint8: Uint8Array
  int32: Int32Array
  int64: BigInt64Array
  bool: Uint8Array
}

/** A dense array in memory; `data.length` is the product of `shape`. */
export type Tensor<D extends DType = 'float32'> = {
  readonly dtype: D
  readonly shape: readonly number[]
  readonly data: TensorData[D]
}

/** Number of elements of a shape; 1 for a scalar's `[]`. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

/** A float32 tensor over `data`, which is kept, not copied. */
export function float32(shape: readonly number[], data: Float32Array): Tensor {
  if (data.length !== elementCount(shape)) {
    throw new Error(`internal: float32 [${shape.join(', ')}] got ${data.length} elements`)
  }
  return { dtype: 'float32', shape, data }
}

/** Widens bfloat16 bits to float32; exact. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array {
  const wide = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i]! << 16
  return new Float32Array(wide.buffer)
}

/** Rounds float32 to bfloat16 bits, ties to even as torch does; NaN stays NaN. */
export function float32ToBfloat16(values: Float32Array): Uint16Array {
  const wide = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const bits = new Uint16Array(values.length)
  for (let i = 0; i < wide.length; i++) {
    const value = wide[i]!
    const isNaN = (value & 0x7fffffff) > 0x7f800000
    bits[i] = isNaN ? (value >>> 16) | 0x40 : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16
  }
  return bits
}

/** Widens float16 bits to float32; exact, subnormals included. */
export function float16ToFloat32(bits: Uint16Array): Float32Array {
  return Float32Array.from(new Float16Array(bits.buffer, bits.byteOffset, bits.length))
}
