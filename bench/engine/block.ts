/**
 * One transformer block of the released width with random weights: the engine's own block graph,
 * and beside it nothing but the block's seven matrix products, which is as fast as onnxruntime could
 * be. Weights are uniform with a variance of one over the fan-in, so that nothing overflows.
 */
import { join } from 'node:path'
import { Checkpoint } from '../../src/engine/checkpoint.ts'
import { axialRotation } from '../../src/engine/layers/rope.ts'
import { type LinearSize, linear } from '../../src/engine/layers/linear.ts'
import { type TransformerConfig, transformerSchema } from '../../src/engine/models/config.ts'
import { blockGraph } from '../../src/engine/models/z-image-graph.ts'
import { Graph, type WeightSource } from '../../src/engine/onnx/graph.ts'
import type { Feeds } from '../../src/engine/onnx/session.ts'
import { writeSafetensors } from '../../src/engine/safetensors.ts'
import { elementCount, float32, float32ToBfloat16 } from '../../src/engine/tensor.ts'

/** Element types in which the block's weights are written. */
export type BlockDType = 'float32' | 'bfloat16'

/** The released transformer; of its layers only one is ever built here. */
const releasedConfig: TransformerConfig = transformerSchema.parse({
  all_patch_size: [2],
  all_f_patch_size: [1],
  in_channels: 16,
  dim: 3840,
  n_layers: 30,
  n_refiner_layers: 2,
  n_heads: 30,
  cap_feat_dim: 2560,
  axes_dims: [32, 48, 48],
  axes_lens: [1536, 512, 512],
})

const { dim } = releasedConfig
const inner = 10240
const name = 'layers.0'
/** In an order in which each takes what the one before gives. */
const linears: readonly (readonly [layer: string, size: LinearSize])[] = [
  ['attention.to_q', { from: dim, to: dim }],
  ['attention.to_k', { from: dim, to: dim }],
  ['attention.to_v', { from: dim, to: dim }],
  ['attention.to_out.0', { from: dim, to: dim }],
  ['feed_forward.w1', { from: dim, to: inner }],
  ['feed_forward.w2', { from: inner, to: dim }],
  ['feed_forward.w3', { from: dim, to: inner }],
]

/** What is built here, in words. */
export const blockShape = `dim ${dim}, ${releasedConfig.n_heads} heads, FFN ${inner}`

/** Operations of the block's linear layers on `seq` tokens, a product and a sum counting as two. */
export function linearFlops(seq: number): number {
  return 2 * seq * (4 * dim * dim + 3 * dim * inner)
}

/** Operations of one block on `seq` tokens: its linear layers and attention's two products. */
export function blockFlops(seq: number): number {
  return linearFlops(seq) + 4 * seq * seq * dim
}

/** The block's graph. */
export function block(weights: WeightSource): Graph {
  return blockGraph(releasedConfig, weights, name)
}

/**
 * The block's seven linear layers and nothing else, one after the other, `x` [batch, seq, dim] to `y`
 * [batch, seq, inner]. In a row, because outputs of their own would cost more than the block's do.
 */
export function bareProducts(weights: WeightSource): Graph {
  const graph = new Graph('bare products')
  let y = graph.input('x', 'float32', ['batch', 'seq', dim])
  for (const [layer, size] of linears) {
    y = linear({ graph, weights }, `${name}.${layer}`, y, size)
  }
  graph.output('y', y)
  return graph
}

/** Shapes of the weights that a graph asks for, by name, in its order. */
export function weightShapes(
  build: (weights: WeightSource) => Graph,
): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>()
  build({
    entry(tensor, shape) {
      shapes.set(tensor, shape)
      return { name: tensor, dtype: 'float32', shape, file: '', offset: 0, sizeBytes: 0 }
    },
  })
  return shapes
}

/** Bytes that `writeBlock` takes, but for the header. */
export function blockBytes(bytesPerElement: number): number {
  const sizes = weightShapes(block).values().map(elementCount)
  return sizes.reduce((sum, size) => sum + size, 0) * bytesPerElement
}

/** Writes the block's random weights; the same values for both types, but for rounding. */
export async function writeBlock(folder: string, dtype: BlockDType): Promise<void> {
  const tensors = [...weightShapes(block)].map(([tensor, shape], index) => ({
    name: tensor,
    dtype,
    shape,
    data: () => {
      const values = randomWeights(shape, index + 1)
      return dtype === 'float32' ? values : float32ToBfloat16(values)
    },
  }))
  await writeSafetensors(join(folder, `${dtype}.safetensors`), tensors)
}

/** Opens what `writeBlock` wrote. */
export function openBlock(folder: string, dtype: BlockDType): Promise<Checkpoint> {
  return Checkpoint.open(folder, dtype)
}

/** Inputs of `block` for `seq` tokens; which positions they have makes no difference to its time. */
export function blockFeeds(seq: number): Feeds {
  const positions = Array.from({ length: seq }, (_, token) => [token, 0, 0])
  const { cos, sin } = axialRotation(positions, releasedConfig.axes_dims, releasedConfig.rope_theta)
  const ofBatch = ({ shape, data }: typeof cos): typeof cos => float32([1, ...shape], data)
  return {
    x: float32([1, seq, dim], uniform(seq * dim, 1, 99)),
    modulation: float32([1, 4, dim], new Float32Array(4 * dim).fill(0.5)),
    x_cos: ofBatch(cos),
    x_sin: ofBatch(sin),
  }
}

/** Gains are one, matrices [to, from] uniform with a variance of one over `from`. */
function randomWeights(shape: readonly number[], seed: number): Float32Array {
  const size = elementCount(shape)
  return shape.length === 1 ? new Float32Array(size).fill(1) : uniform(size, 1 / shape[1]!, seed)
}

/** `count` values of mean 0 by Marsaglia's xorshift; the seed is not 0. */
function uniform(count: number, variance: number, seed: number): Float32Array {
  const values = new Float32Array(count)
  const scale = Math.sqrt(3 * variance) / 2 ** 31
  let state = Math.imul(seed, 0x9e3779b1)
  for (let i = 0; i < count; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    values[i] = state * scale
  }
  return values
}
