/**
 * Tables of cosines and sines for rotary position embeddings, computed on the host and fed to the
 * graphs. Source: huggingface/diffusers, transformer_z_image.py, RopeEmbedder; transformers,
 * Qwen3RotaryEmbedding (both Apache-2.0).
 */
import { type Tensor, float32 } from '../tensor.ts'

/** Rotation of `seq` tokens, [seq, headDim / 2] each. */
export type Rotation = { readonly cos: Tensor; readonly sin: Tensor }

function rotation(angles: Float32Array, seq: number): Rotation {
  const shape = [seq, angles.length / seq]
  return { cos: float32(shape, angles.map(Math.cos)), sin: float32(shape, angles.map(Math.sin)) }
}

/**
 * Rotation by several coordinates: `positions` [seq][axes], the head's pairs divided among the axes
 * as `axesDims` says (each even, in features). Pairs are adjacent features.
 */
export function axialRotation(
  positions: readonly (readonly number[])[],
  axesDims: readonly number[],
  theta: number,
): Rotation {
  const frequencies = axesDims.map((dims) =>
    Float64Array.from({ length: dims / 2 }, (_, pair) => theta ** ((-2 * pair) / dims)),
  )
  const pairs = frequencies.reduce((total, axis) => total + axis.length, 0)
  const angles = new Float32Array(positions.length * pairs)
  let at = 0
  for (const position of positions) {
    for (const [axis, axisFrequencies] of frequencies.entries()) {
      // The product is taken in float64 and only then rounded, as the reference does.
      for (const frequency of axisFrequencies) angles[at++] = position[axis]! * frequency
    }
  }
  return rotation(angles, positions.length)
}

/** Rotation by one running position, 0 to `seq` - 1. Pairs are features i and i + headDim / 2. */
export function sequentialRotation(seq: number, headDim: number, theta: number): Rotation {
  const pairs = headDim / 2
  const angles = new Float32Array(seq * pairs)
  for (let pair = 0; pair < pairs; pair++) {
    // Careful: frequencies are float32 here, unlike the transformer's.
    const frequency = Math.fround(1 / theta ** ((2 * pair) / headDim))
    for (let position = 0; position < seq; position++) {
      angles[position * pairs + pair] = position * frequency
    }
  }
  return rotation(angles, seq)
}
