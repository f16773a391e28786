/**
 * The graphs of Z-Image's transformer. What depends on the prompt alone (caption), on the time
 * alone (modulation) and on the latents (denoise) are three graphs, so that the first runs once a
 * prompt and the second once a schedule. Axes: `imageSeq`, `captionSeq` tokens, padded to 32;
 * `dim` features; `blocks` the modulated blocks, noise refiners first, then layers.
 * Source: huggingface/diffusers, transformer_z_image.py (Apache-2.0); tensor names verbatim.
 */
import { gatedFeedForward, linear, silu } from '../layers/linear.ts'
import { headNorm, rmsNorm } from '../layers/norm.ts'
import type { Dim } from '../onnx/model-proto.ts'
import { Graph, type Network, type Value, type WeightSource } from '../onnx/graph.ts'
import { Add, Mul, Tanh, Where } from '../onnx/ops/arithmetic.ts'
import { MultiHeadAttention, RotaryEmbedding } from '../onnx/ops/attention.ts'
import { Concat, Reshape, Split } from '../onnx/ops/movement.ts'
import { LayerNormalization } from '../onnx/ops/normalization.ts'
import { float32 } from '../tensor.ts'
import type { TransformerConfig } from './config.ts'

/** Features of the sinusoid that stands for a time. */
export const timeFeatures = 256
const timeHidden = 1024
const headNormEpsilon = 1e-5
const finalNormEpsilon = 1e-6
const patch = '2-1'

/** Features of one image token: two by two latent pixels, channel fastest. */
export function patchFeatures(config: TransformerConfig): number {
  return 4 * config.in_channels
}

/** Modulated blocks, in the order in which the modulation graph lists them. */
function modulatedBlocks(config: TransformerConfig): readonly string[] {
  const names = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, i) => `${prefix}.${i}`)
  return [...names('noise_refiner', config.n_refiner_layers), ...names('layers', config.n_layers)]
}

/** Rows of [dim] that one time's modulation takes: four for each block, one for the final layer. */
export function modulationRows(config: TransformerConfig): number {
  return 4 * modulatedBlocks(config).length + 1
}

function modulationWidth(config: TransformerConfig): number {
  return Math.min(config.dim, 256)
}

type Rotations = { readonly cos: Value; readonly sin: Value }
/** Factors of one block, [batch, 1, dim] each; gates went through tanh, scales had 1 added. */
type Modulation = Readonly<
  Record<'scaleAttention' | 'gateAttention' | 'scaleFfn' | 'gateFfn', Value>
>

/** Modulation of block `index` from the rows that the modulation graph lists, [batch, 1, dim] each. */
function modulationOf(rows: readonly Value[], index: number): Modulation {
  const [scaleAttention, gateAttention, scaleFfn, gateFfn] = rows.slice(4 * index, 4 * index + 4)
  return {
    scaleAttention: scaleAttention!,
    gateAttention: gateAttention!,
    scaleFfn: scaleFfn!,
    gateFfn: gateFfn!,
  }
}

function rotationInputs(
  graph: Graph,
  config: TransformerConfig,
  name: string,
  seq: Dim,
): Rotations {
  const shape = ['batch', seq, config.dim / config.n_heads / 2]
  return {
    cos: graph.input(`${name}_cos`, 'float32', shape),
    sin: graph.input(`${name}_sin`, 'float32', shape),
  }
}

function block(
  network: Network,
  config: TransformerConfig,
  name: string,
  x: Value,
  rotations: Rotations,
  modulation?: Modulation,
): Value {
  const { graph } = network
  const { dim, n_heads: heads, norm_eps: epsilon } = config
  const scaled = (y: Value, scale?: Value): Value => (scale ? Mul(graph, y, scale) : y)
  const project = (to: string, y: Value): Value =>
    linear(network, `${name}.attention.${to}`, y, { from: dim, to: dim })
  const rotated = (to: string, norm: string, y: Value): Value => {
    const normed = headNorm(
      network,
      `${name}.attention.${norm}.weight`,
      project(to, y),
      heads,
      headNormEpsilon,
    )
    return RotaryEmbedding(graph, normed, rotations.cos, rotations.sin, heads)
  }

  const y = scaled(
    rmsNorm(network, `${name}.attention_norm1.weight`, x, epsilon),
    modulation?.scaleAttention,
  )
  const attended = MultiHeadAttention(
    graph,
    rotated('to_q', 'norm_q', y),
    rotated('to_k', 'norm_k', y),
    project('to_v', y),
    heads,
  )
  const attention = rmsNorm(
    network,
    `${name}.attention_norm2.weight`,
    project('to_out.0', attended),
    epsilon,
  )
  const middle = Add(graph, x, scaled(attention, modulation?.gateAttention))

  const z = scaled(
    rmsNorm(network, `${name}.ffn_norm1.weight`, middle, epsilon),
    modulation?.scaleFfn,
  )
  const parts = `${name}.feed_forward`
  const forward = gatedFeedForward(
    network,
    { gate: `${parts}.w1`, up: `${parts}.w3`, down: `${parts}.w2` },
    z,
    { width: dim, inner: Math.floor((dim / 3) * 8) },
  )
  const ffn = rmsNorm(network, `${name}.ffn_norm2.weight`, forward, epsilon)
  return graph.remember(name, Add(graph, middle, scaled(ffn, modulation?.gateFfn)))
}

/** Replaces the rows of x [batch, seq, dim] that `isPad` [batch, seq, 1] marks by tensor `name`. */
function padRows({ graph, weights }: Network, name: string, x: Value, isPad: Value): Value {
  const token = graph.weight(weights.entry(name, [1, Number(x.shape[2])]))
  return Where(graph, isPad, token, x)
}

/**
 * `caption` [batch, captionSeq, cap_feat_dim] to `refined` [batch, captionSeq, dim]; depends neither
 * on the time nor on the latents.
 */
export function captionGraph(config: TransformerConfig, weights: WeightSource): Graph {
  const graph = new Graph('caption')
  const network = { graph, weights }
  const { dim, cap_feat_dim: width } = config
  const caption = graph.input('caption', 'float32', ['batch', 'captionSeq', width])
  const isPad = graph.input('is_pad', 'bool', ['batch', 'captionSeq', 1])
  const rotations = rotationInputs(graph, config, 'caption', 'captionSeq')
  const normed = rmsNorm(network, 'cap_embedder.0.weight', caption, config.norm_eps)
  const embedded = linear(network, 'cap_embedder.1', normed, {
    from: width,
    to: dim,
    hasBias: true,
  })
  let x = padRows(network, 'cap_pad_token', graph.remember('cap_embedder', embedded), isPad)
  for (let i = 0; i < config.n_refiner_layers; i++) {
    x = block(network, config, `context_refiner.${i}`, x, rotations)
  }
  graph.output('refined', x)
  return graph
}

/**
 * `sinusoid` [times, 256] to `modulation` [times, rows, dim]: for each modulated block the rows
 * scale and gate of attention, scale and gate of the feed-forward, at the end the final layer's
 * scale. Depends on the time alone.
 */
export function modulationGraph(config: TransformerConfig, weights: WeightSource): Graph {
  const graph = new Graph('modulation')
  const network = { graph, weights }
  const { dim } = config
  const width = modulationWidth(config)
  const sinusoid = graph.input('sinusoid', 'float32', ['times', timeFeatures])
  const hidden = linear(network, 't_embedder.mlp.0', sinusoid, {
    from: timeFeatures,
    to: timeHidden,
    hasBias: true,
  })
  const time = linear(network, 't_embedder.mlp.2', silu(network, hidden), {
    from: timeHidden,
    to: width,
    hasBias: true,
  })
  graph.remember('t_embedder', time)
  const one = graph.constant(float32([1], Float32Array.of(1)))
  const rows: Value[] = []
  for (const name of modulatedBlocks(config)) {
    // Careful: no SiLU before this projection, unlike before the final layer's.
    const size = { from: width, to: 4 * dim, hasBias: true }
    const factors = linear(network, `${name}.adaLN_modulation.0`, time, size)
    const [scaleAttention, gateAttention, scaleFfn, gateFfn] = Split(graph, factors, 4, 1)
    rows.push(Add(graph, scaleAttention!, one), Tanh(graph, gateAttention!))
    rows.push(Add(graph, scaleFfn!, one), Tanh(graph, gateFfn!))
  }
  const finalSize = { from: width, to: dim, hasBias: true }
  const final = `all_final_layer.${patch}.adaLN_modulation.1`
  rows.push(Add(graph, linear(network, final, silu(network, time), finalSize), one))
  const joined = Concat(graph, rows, 1)
  graph.output('modulation', Reshape(graph, joined, ['times', rows.length, dim]))
  return graph
}

/**
 * One evaluation: `image` tokens [batch, imageSeq, patch] with `refined` captions
 * [batch, captionSeq, dim] and one time's `modulation` [batch, rows, dim] to `velocity`
 * [batch, imageSeq+captionSeq, patch], of which the first imageSeq rows are the image's. For each
 * of `controlLayers` an input `residual_N` [batch, imageSeq+captionSeq, dim] is added after layer N.
 */
export function denoiseGraph(
  config: TransformerConfig,
  weights: WeightSource,
  controlLayers: readonly number[] = [],
): Graph {
  const graph = new Graph('denoise')
  const network = { graph, weights }
  const { dim } = config
  const features = patchFeatures(config)
  const image = graph.input('image', 'float32', ['batch', 'imageSeq', features])
  const isPad = graph.input('is_pad', 'bool', ['batch', 'imageSeq', 1])
  const refined = graph.input('refined', 'float32', ['batch', 'captionSeq', dim])
  const rows = modulationRows(config)
  const modulation = graph.input('modulation', 'float32', ['batch', rows, dim])
  const imageRotations = rotationInputs(graph, config, 'image', 'imageSeq')
  const captionRotations = rotationInputs(graph, config, 'caption', 'captionSeq')
  const factors = Split(graph, modulation, rows, 1)

  const embedding = { from: features, to: dim, hasBias: true }
  const embedded = linear(network, `all_x_embedder.${patch}`, image, embedding)
  let x = padRows(network, 'x_pad_token', graph.remember('x_embedder', embedded), isPad)
  const names = modulatedBlocks(config)
  for (const [index, name] of names.slice(0, config.n_refiner_layers).entries()) {
    x = block(network, config, name, x, imageRotations, modulationOf(factors, index))
  }

  // Careful: image first, caption second; the final rows are cut by position.
  const rotations = {
    cos: Concat(graph, [imageRotations.cos, captionRotations.cos], 1),
    sin: Concat(graph, [imageRotations.sin, captionRotations.sin], 1),
  }
  x = Concat(graph, [x, refined], 1)
  for (let layer = 0; layer < config.n_layers; layer++) {
    const index = config.n_refiner_layers + layer
    x = block(network, config, `layers.${layer}`, x, rotations, modulationOf(factors, index))
    if (controlLayers.includes(layer)) {
      x = Add(graph, x, graph.input(`residual_${layer}`, 'float32', x.shape))
    }
  }

  const ones = graph.constant(float32([dim], new Float32Array(dim).fill(1)))
  const normed = LayerNormalization(graph, x, ones, finalNormEpsilon)
  const final = { from: dim, to: features, hasBias: true }
  const scaled = Mul(graph, normed, factors.at(-1)!)
  const velocity = linear(network, `all_final_layer.${patch}.linear`, scaled, final)
  graph.output('velocity', graph.remember('final_layer', velocity))
  return graph
}

/**
 * One modulated block by itself, for measurements: `x` [batch, seq, dim], the block's own
 * `modulation` [batch, 4, dim] and rotations `x_cos`, `x_sin` [batch, seq, headDim / 2] to `y`
 * [batch, seq, dim].
 */
export function blockGraph(config: TransformerConfig, weights: WeightSource, name: string): Graph {
  const graph = new Graph('block')
  const x = graph.input('x', 'float32', ['batch', 'seq', config.dim])
  const factors = Split(graph, graph.input('modulation', 'float32', ['batch', 4, config.dim]), 4, 1)
  const rotations = rotationInputs(graph, config, 'x', 'seq')
  const y = block({ graph, weights }, config, name, x, rotations, modulationOf(factors, 0))
  graph.output('y', y)
  return graph
}
