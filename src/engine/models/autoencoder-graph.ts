/**
 * The graphs of the autoencoder: pictures to moments of a Gaussian over latents, and latents back to
 * pictures. Axes: [batch, channels, height, width], `height` and `width` in latent pixels.
 * Source: huggingface/diffusers, autoencoder_kl.py and vae.py (Apache-2.0); tensor names verbatim.
 */
import { conv } from '../layers/conv.ts'
import { linear, silu } from '../layers/linear.ts'
import { groupNorm } from '../layers/norm.ts'
import { product } from '../onnx/dim.ts'
import { Graph, type Network, type Value, type WeightSource } from '../onnx/graph.ts'
import { Add, Resize } from '../onnx/ops/arithmetic.ts'
import { MultiHeadAttention } from '../onnx/ops/attention.ts'
import { Reshape, Transpose } from '../onnx/ops/movement.ts'
import type { AutoencoderConfig } from './config.ts'

/** Pixels along each side that one latent pixel stands for. */
export function pixelsPerLatent(config: AutoencoderConfig): number {
  return 2 ** (config.block_out_channels.length - 1)
}

function normed(network: Network, config: AutoencoderConfig, name: string, x: Value): Value {
  return silu(network, groupNorm(network, name, x, config.norm_num_groups))
}

function resnet(
  network: Network,
  config: AutoencoderConfig,
  name: string,
  x: Value,
  to: number,
): Value {
  let h = conv(network, `${name}.conv1`, normed(network, config, `${name}.norm1`, x), {
    to,
    kernel: 3,
  })
  h = conv(network, `${name}.conv2`, normed(network, config, `${name}.norm2`, h), { to, kernel: 3 })
  const same = x.shape[1] === to
  const shortcut = same ? x : conv(network, `${name}.conv_shortcut`, x, { to, kernel: 1 })
  return Add(network.graph, shortcut, h)
}

/** Every position attends to every other, with one head as wide as the channels. */
function spatialAttention(
  network: Network,
  config: AutoencoderConfig,
  name: string,
  x: Value,
): Value {
  const { graph } = network
  const [batch, channels, height, width] = x.shape
  const size = { from: Number(channels), to: Number(channels), hasBias: true }
  const flat = [batch!, channels!, product([height!, width!])]
  const h = groupNorm(network, `${name}.group_norm`, x, config.norm_num_groups)
  const tokens = Transpose(graph, Reshape(graph, h, flat), [0, 2, 1])
  const [query, key, value] = ['to_q', 'to_k', 'to_v'].map((part) =>
    linear(network, `${name}.${part}`, tokens, size),
  )
  const attended = MultiHeadAttention(graph, query!, key!, value!, 1)
  const out = linear(network, `${name}.to_out.0`, attended, size)
  return Add(graph, x, Reshape(graph, Transpose(graph, out, [0, 2, 1]), x.shape, x))
}

function midBlock(network: Network, config: AutoencoderConfig, side: string, x: Value): Value {
  const channels = config.block_out_channels.at(-1)!
  const name = `${side}.mid_block`
  let h = resnet(network, config, `${name}.resnets.0`, x, channels)
  h = spatialAttention(network, config, `${name}.attentions.0`, h)
  network.graph.remember(`${side}.mid_attn`, h)
  h = resnet(network, config, `${name}.resnets.1`, h, channels)
  return network.graph.remember(name, h)
}

function ending(
  network: Network,
  config: AutoencoderConfig,
  side: string,
  x: Value,
  to: number,
): Value {
  const h = normed(network, config, `${side}.conv_norm_out`, x)
  return conv(network, `${side}.conv_out`, h, { to, kernel: 3 })
}

/**
 * `image` [batch, in_channels, H, W] in [-1, 1], sides multiples of pixelsPerLatent, to `moments`
 * [batch, 2 * latent_channels, height, width]: means, then logarithms of variances.
 */
export function encoderGraph(config: AutoencoderConfig, weights: WeightSource): Graph {
  const graph = new Graph('encoder')
  const network = { graph, weights }
  const { block_out_channels: channels } = config
  const factor = pixelsPerLatent(config)
  const sides = ['height', 'width'].map((side) => product([factor, side]))
  const image = graph.input('image', 'float32', ['batch', config.in_channels, ...sides])
  let x = conv(network, 'encoder.conv_in', image, { to: channels[0]!, kernel: 3 })
  graph.remember('encoder.conv_in', x)
  for (const [stage, to] of channels.entries()) {
    const name = `encoder.down_blocks.${stage}`
    for (let i = 0; i < config.layers_per_block; i++) {
      x = resnet(network, config, `${name}.resnets.${i}`, x, to)
    }
    if (stage < channels.length - 1) {
      // Careful: padded at the right and bottom only.
      const size = { to, kernel: 3, stride: 2, pads: [0, 0, 1, 1] } as const
      x = conv(network, `${name}.downsamplers.0.conv`, x, size)
    }
    graph.remember(name, x)
  }
  x = midBlock(network, config, 'encoder', x)
  graph.output('moments', ending(network, config, 'encoder', x, 2 * config.latent_channels))
  return graph
}

/** `latents` [batch, latent_channels, height, width] to `image` [batch, out_channels, H, W]. */
export function decoderGraph(config: AutoencoderConfig, weights: WeightSource): Graph {
  const graph = new Graph('decoder')
  const network = { graph, weights }
  const channels = config.block_out_channels.toReversed()
  const shape = ['batch', config.latent_channels, 'height', 'width']
  const latents = graph.input('latents', 'float32', shape)
  let x = conv(network, 'decoder.conv_in', latents, { to: channels[0]!, kernel: 3 })
  graph.remember('decoder.conv_in', x)
  x = midBlock(network, config, 'decoder', x)
  for (const [stage, to] of channels.entries()) {
    const name = `decoder.up_blocks.${stage}`
    for (let i = 0; i <= config.layers_per_block; i++) {
      x = resnet(network, config, `${name}.resnets.${i}`, x, to)
    }
    if (stage < channels.length - 1) {
      x = conv(network, `${name}.upsamplers.0.conv`, Resize(graph, x), { to, kernel: 3 })
    }
    graph.remember(name, x)
  }
  graph.output('image', ending(network, config, 'decoder', x, config.out_channels))
  return graph
}
