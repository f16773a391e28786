/**
 * The autoencoder, ready to run. Inside the pipeline latents are normalised, (z - shift) * scale;
 * this is the only place that knows the numbers. One picture a run; large ones in tiles.
 * Source: huggingface/diffusers, autoencoder_kl.py (Apache-2.0).
 */
import type { WeightSource } from '../onnx/graph.ts'
import { LazySession, type SessionOptions } from '../onnx/session.ts'
import { type Tensor, float32 } from '../tensor.ts'
import { decoderGraph, encoderGraph, pixelsPerLatent } from './autoencoder-graph.ts'
import type { AutoencoderConfig } from './config.ts'
import { type Tiling, quarterOverlap, runTiled } from './tiling.ts'

/** Side of a tile where the config names none. */
const releasedSampleSize = 1024

/** Side of a tile where memory is short, in pixels; below 1 GB at the released size. */
const frugalTile = 512

/**
 * How a picture is cut up: not at all, in tiles of the side that the network was trained on, or in
 * ones of which each needs little memory.
 */
export type Tiles = 'none' | 'trained' | 'frugal'

/** Gaussian over latents, [latent_channels, height, width] each. */
export type Posterior = { readonly mean: Tensor; readonly deviation: Tensor }

/** The autoencoder's sessions. Whoever opens it releases it. */
export class Autoencoder {
  readonly #config: AutoencoderConfig
  readonly #encoder: LazySession
  readonly #decoder: LazySession

  /** Throws if a tensor is missing or misshapen; sessions are created when they are first needed. */
  constructor(config: AutoencoderConfig, weights: WeightSource, options: SessionOptions) {
    this.#config = config
    this.#encoder = new LazySession(encoderGraph(config, weights), options)
    this.#decoder = new LazySession(decoderGraph(config, weights), options)
  }

  /** Pixels along each side that one latent pixel stands for. */
  get pixelsPerLatent(): number {
    return pixelsPerLatent(this.#config)
  }

  /** Moments [2 * latent_channels, h, w] of planes [3, height, width] in [-1, 1]. */
  async moments(planes: Tensor, tiles: Tiles, signal?: AbortSignal): Promise<Tensor> {
    const side = this.#tileSide(tiles)
    const tiling = quarterOverlap(side, side / this.pixelsPerLatent)
    return runWhole(this.#encoder, 'image', planes, tiling, signal)
  }

  /**
   * Encodes planes [3, height, width] in [-1, 1], sides multiples of pixelsPerLatent. Looks at
   * `signal` before each tile.
   */
  async encode(planes: Tensor, tiles: Tiles, signal?: AbortSignal): Promise<Posterior> {
    const { shape, data } = await this.moments(planes, tiles, signal)
    const half = data.length / 2
    const latentShape = [shape[0]! / 2, ...shape.slice(1)]
    const deviation = data.slice(half).map((logVariance) => {
      return Math.exp(0.5 * Math.min(Math.max(logVariance, -30), 20))
    })
    return {
      mean: float32(latentShape, data.slice(0, half)),
      deviation: float32(latentShape, deviation),
    }
  }

  /** A normalised sample of the posterior; `noise` is standard normal, as long as the mean. */
  sample({ mean, deviation }: Posterior, noise: Float32Array): Tensor {
    const { scaling_factor: scale, shift_factor: shift } = this.#config
    const latents = mean.data.map((value, i) => {
      const sampled = Math.fround(value + Math.fround(deviation.data[i]! * noise[i]!))
      return Math.fround(sampled - shift) * scale
    })
    return float32(mean.shape, latents)
  }

  /**
   * Planes [3, height, width], about [-1, 1], of normalised latents [latent_channels, h, w]. Looks at
   * `signal` before each tile.
   */
  async decode(latents: Tensor, tiles: Tiles, signal?: AbortSignal): Promise<Tensor> {
    const { scaling_factor: scale, shift_factor: shift } = this.#config
    const raw = float32(
      latents.shape,
      latents.data.map((value) => Math.fround(value / scale) + shift),
    )
    const side = this.#tileSide(tiles)
    const tiling = quarterOverlap(side / this.pixelsPerLatent, side)
    return runWhole(this.#decoder, 'latents', raw, tiling, signal)
  }

  /** Gives the memory back. */
  async release(): Promise<void> {
    await Promise.all([this.#encoder.release(), this.#decoder.release()])
  }

  /** Side of a tile in pixels. */
  #tileSide(tiles: Tiles): number {
    const trained = this.#config.sample_size ?? releasedSampleSize
    return { none: Infinity, trained, frugal: frugalTile }[tiles]
  }
}

/** Runs one picture, in tiles only where it is larger than one. */
async function runWhole(
  session: LazySession,
  inputName: string,
  x: Tensor,
  tiling: Tiling,
  signal: AbortSignal | undefined,
): Promise<Tensor> {
  const run = async ({ shape, data }: Tensor): Promise<Tensor> => {
    signal?.throwIfAborted()
    const y = await session.compute({ [inputName]: float32([1, ...shape], data) })
    return float32(y.shape.slice(1), y.data)
  }
  const isLarger = x.shape.slice(1).some((side) => side > tiling.tile)
  return isLarger ? runTiled(x, tiling, run) : run(x)
}
