/**
 * Z-Image's transformer, ready to run: cuts latents into tokens, pads them to 32, makes rotation
 * tables, and evaluates any mix of items. Items of equal lengths share a run, others get one of
 * their own, so no attention mask is ever needed and an item costs what it costs alone.
 * Source: huggingface/diffusers, transformer_z_image.py (Apache-2.0).
 */
import { EngineError } from '../error.ts'
import type { WeightSource } from '../onnx/graph.ts'
import { LazySession, type SessionOptions } from '../onnx/session.ts'
import { type Rotation, axialRotation } from '../layers/rope.ts'
import { type DType, type Tensor, float32 } from '../tensor.ts'
import type { TransformerConfig } from './config.ts'
import {
  captionGraph,
  denoiseGraph,
  modulationGraph,
  modulationRows,
  patchFeatures,
  timeFeatures,
} from './z-image-graph.ts'

/** A prompt after its own branch of the network: tokens [captionSeq, dim], padded to 32. */
export type Caption = { readonly tokens: Tensor }

/** What one evaluation needs of one item. */
export type Item = {
  /** [in_channels, height, width], both even */
  readonly latents: Tensor
  readonly caption: Caption
  /** [rows, dim], of `modulate` */
  readonly modulation: Tensor
  /** Added after layer N, [imageSeq + captionSeq, dim] each. */
  readonly residuals?: ReadonlyMap<number, Tensor>
  /** Leaves the item out of the runs that begin after it was aborted. */
  readonly signal?: AbortSignal | undefined
}

/** Tokens come in multiples of this; the rows that fill up are learned and take part. */
const tokenMultiple = 32

/** Above this many tokens a run is long enough by itself that more items only cost memory. */
const tokensPerRun = 2048

function roundUp(count: number): number {
  return Math.ceil(count / tokenMultiple) * tokenMultiple
}

/** The transformer's sessions. Whoever opens it releases it. */
export class ZImage {
  readonly #config: TransformerConfig
  readonly #weights: WeightSource
  readonly #options: SessionOptions
  readonly #caption: LazySession
  readonly #modulation: LazySession
  /** By the layers that take residuals; without any, the empty name. */
  readonly #denoise = new Map<string, LazySession>()
  #lastSchedule: { readonly key: string; readonly modulations: readonly Tensor[] } | undefined

  /** Throws if a tensor is missing or misshapen; sessions are created when they are first needed. */
  constructor(config: TransformerConfig, weights: WeightSource, options: SessionOptions) {
    this.#config = config
    this.#weights = weights
    this.#options = options
    this.#caption = new LazySession(captionGraph(config, weights), options)
    this.#modulation = new LazySession(modulationGraph(config, weights), options)
    this.#denoise.set('', new LazySession(denoiseGraph(config, weights), options))
  }

  /** Runs the caption branch on text features [tokens, cap_feat_dim], at least one token. */
  async refine(features: Tensor): Promise<Caption> {
    const [length = 0, width = 0] = features.shape
    const seq = roundUp(length)
    if (seq + 1 >= this.#config.axes_lens[0]!) {
      const limit = this.#config.axes_lens[0]! - tokenMultiple
      throw new EngineError('spec-invalid', {
        field: 'prompt',
        expected: `at most ${limit} tokens`,
        got: length,
      })
    }
    const caption = new Float32Array(seq * width)
    caption.set(features.data)
    const isPad = Uint8Array.from({ length: seq }, (_, row) => Number(row >= length))
    const { cos, sin } = this.#captionRotation(seq)
    const tokens = await this.#caption.compute({
      caption: float32([1, seq, width], caption),
      is_pad: { dtype: 'bool', shape: [1, seq, 1], data: isPad },
      caption_cos: asBatch([cos]),
      caption_sin: asBatch([sin]),
    })
    return { tokens: float32([seq, this.#config.dim], tokens.data) }
  }

  /**
   * Modulation [rows, dim] for each model time in [0, 1], 0 being noise and 1 the clean image. The
   * last schedule is kept, for most pictures are drawn by the same one.
   */
  async modulate(times: readonly number[]): Promise<readonly Tensor[]> {
    const key = times.join()
    if (this.#lastSchedule?.key === key) return this.#lastSchedule.modulations
    const modulations = await this.#modulations(times)
    this.#lastSchedule = { key, modulations }
    return modulations
  }

  /**
   * Velocity towards the clean image for every item, [in_channels, height, width] each; undefined
   * for one whose signal was aborted before its run. Large items, or all if `isFrugal`, take a run
   * each.
   */
  async velocity(
    items: readonly Item[],
    { isFrugal = false }: { readonly isFrugal?: boolean } = {},
  ): Promise<(Tensor | undefined)[]> {
    const groups = new Map<string, number[]>()
    for (const [index, item] of items.entries()) {
      const layers = [...(item.residuals?.keys() ?? [])]
      const key = [roundUp(imageTokens(item)), item.caption.tokens.shape[0], ...layers].join()
      groups.set(key, [...(groups.get(key) ?? []), index])
    }
    const velocities = items.map((): Tensor | undefined => undefined)
    for (const group of groups.values()) {
      const first = items[group[0]!]!
      const seq = roundUp(imageTokens(first)) + first.caption.tokens.shape[0]!
      const perRun = isFrugal ? 1 : Math.max(1, Math.floor(tokensPerRun / seq))
      for (let from = 0; from < group.length; from += perRun) {
        const indices = group.slice(from, from + perRun).filter((i) => !items[i]!.signal?.aborted)
        if (indices.length === 0) continue
        const results = await this.#evaluate(indices.map((index) => items[index]!))
        for (const [i, index] of indices.entries()) velocities[index] = results[i]!
      }
    }
    return velocities
  }

  /** Gives every session's memory back. */
  async release(): Promise<void> {
    this.#lastSchedule = undefined
    const sessions = [this.#caption, this.#modulation, ...this.#denoise.values()]
    await Promise.all(sessions.map((session) => session.release()))
  }

  async #modulations(times: readonly number[]): Promise<Tensor[]> {
    const sinusoid = new Float32Array(times.length * timeFeatures)
    for (const [row, time] of times.entries()) {
      sinusoid.set(timeSinusoid(time, this.#config.t_scale), row * timeFeatures)
    }
    const all = await this.#modulation.compute({
      sinusoid: float32([times.length, timeFeatures], sinusoid),
    })
    const shape = [modulationRows(this.#config), this.#config.dim]
    const size = shape[0]! * shape[1]!
    return times.map((_, row) => float32(shape, all.data.subarray(row * size, (row + 1) * size)))
  }

  /** Evaluates items of equal token counts in one run. */
  async #evaluate(items: readonly Item[]): Promise<Tensor[]> {
    const first = items[0]!
    const controlLayers = [...(first.residuals?.keys() ?? [])]
    const captionSeq = first.caption.tokens.shape[0]!
    const imageSeq = roundUp(imageTokens(first))
    const features = patchFeatures(this.#config)
    const isPad = items.map((item) => {
      const tokens = imageTokens(item)
      return Uint8Array.from({ length: imageSeq }, (_, row) => Number(row >= tokens))
    })
    const rotations = items.map((item) => this.#imageRotation(item, captionSeq, imageSeq))
    const caption = this.#captionRotation(captionSeq)
    const feeds: Record<string, Tensor<DType>> = {
      image: asBatch(
        items.map(({ latents }) => float32([imageSeq, features], patchify(latents, imageSeq))),
      ),
      is_pad: { dtype: 'bool', shape: [items.length, imageSeq, 1], data: Buffer.concat(isPad) },
      refined: asBatch(items.map((item) => item.caption.tokens)),
      modulation: asBatch(items.map((item) => item.modulation)),
      image_cos: asBatch(rotations.map(({ cos }) => cos)),
      image_sin: asBatch(rotations.map(({ sin }) => sin)),
      caption_cos: asBatch(items.map(() => caption.cos)),
      caption_sin: asBatch(items.map(() => caption.sin)),
    }
    for (const layer of controlLayers) {
      feeds[`residual_${layer}`] = asBatch(items.map((item) => item.residuals!.get(layer)!))
    }
    const { data } = await this.#denoiser(controlLayers).compute(feeds)
    const size = (imageSeq + captionSeq) * features
    return items.map(({ latents }, i) =>
      unpatchify(data.subarray(i * size, (i + 1) * size), latents.shape),
    )
  }

  #captionRotation(seq: number): Rotation {
    const positions = Array.from({ length: seq }, (_, row) => [1 + row, 0, 0])
    return axialRotation(positions, this.#config.axes_dims, this.#config.rope_theta)
  }

  /** Careful: the image's frame position follows the padded caption; its own pads sit at zero. */
  #imageRotation({ latents }: Item, captionSeq: number, imageSeq: number): Rotation {
    const [, height, width] = tokenGrid(latents.shape)
    const [, rows, columns] = this.#config.axes_lens
    if (height > rows! || width > columns!) {
      const expected = `at most ${rows! * 2} by ${columns! * 2} latents`
      throw new EngineError('spec-invalid', {
        field: 'size',
        expected,
        got: `${height * 2} by ${width * 2}`,
      })
    }
    const positions = Array.from({ length: imageSeq }, (_, token) =>
      token < height * width
        ? [captionSeq + 1, Math.floor(token / width), token % width]
        : [0, 0, 0],
    )
    return axialRotation(positions, this.#config.axes_dims, this.#config.rope_theta)
  }

  #denoiser(controlLayers: readonly number[]): LazySession {
    const key = controlLayers.join()
    let session = this.#denoise.get(key)
    if (!session) {
      const graph = denoiseGraph(this.#config, this.#weights, controlLayers)
      session = new LazySession(graph, this.#options)
      this.#denoise.set(key, session)
    }
    return session
  }
}

/** Stacks equal tensors along a new first axis. */
function asBatch(tensors: readonly Tensor[]): Tensor {
  const { shape, data } = tensors[0]!
  const joined = new Float32Array(tensors.length * data.length)
  for (const [i, tensor] of tensors.entries()) joined.set(tensor.data, i * data.length)
  return float32([tensors.length, ...shape], joined)
}

/**
 * A model time in [0, 1] as cosines, then sines, of 128 geometric frequencies; float32 as the
 * reference. Yields [256].
 */
export function timeSinusoid(time: number, scale: number): Float32Array {
  const half = timeFeatures / 2
  const scaled = Math.fround(Math.fround(time) * scale)
  const features = new Float32Array(timeFeatures)
  for (let i = 0; i < half; i++) {
    const frequency = Math.fround(Math.exp(Math.fround((-Math.log(10000) * i) / half)))
    const angle = Math.fround(scaled * frequency)
    features[i] = Math.cos(angle)
    features[half + i] = Math.sin(angle)
  }
  return features
}

function tokenGrid(shape: readonly number[]): [channels: number, height: number, width: number] {
  const [channels = 0, height = 0, width = 0] = shape
  return [channels, height / 2, width / 2]
}

function imageTokens({ latents }: Item): number {
  const [, height, width] = tokenGrid(latents.shape)
  return height * width
}

/** Calls `visit` with the offset in [tokens, patch] and in [channels, height, width] of each element. */
function eachPatchElement(
  shape: readonly number[],
  visit: (inTokens: number, inLatents: number) => void,
): void {
  const [channels, rows, columns] = tokenGrid(shape)
  const [height, width] = [rows * 2, columns * 2]
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const token = (y >> 1) * columns + (x >> 1)
      // Careful: the channel is the fastest within a token, unlike Flux.
      const place = (token * 4 + (y & 1) * 2 + (x & 1)) * channels
      for (let c = 0; c < channels; c++) visit(place + c, (c * height + y) * width + x)
    }
  }
}

/** Latents [channels, height, width] to tokens [seq, patch]; rows beyond the image stay zero. */
function patchify({ shape, data }: Tensor, seq: number): Float32Array {
  const tokens = new Float32Array(seq * 4 * shape[0]!)
  eachPatchElement(shape, (inTokens, inLatents) => {
    tokens[inTokens] = data[inLatents]!
  })
  return tokens
}

/** The inverse of `patchify`; rows beyond the image are ignored. */
function unpatchify(tokens: Float32Array, shape: readonly number[]): Tensor {
  const latents = new Float32Array(shape.reduce((size, side) => size * side, 1))
  eachPatchElement(shape, (inTokens, inLatents) => {
    latents[inLatents] = tokens[inTokens]!
  })
  return float32(shape, latents)
}
