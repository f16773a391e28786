/**
 * A denoising: from noisy latents to clean ones, one evaluation of the schedule at a time. It says
 * what to ask the network and goes on with the answers, so that whoever has several may ask for all
 * of them at once; it holds nothing but its latents, for as long as anyone likes.
 * Source: huggingface/diffusers, pipeline_z_image.py (Apache-2.0).
 */
import type { Caption, Item, ZImage } from './models/z-image.ts'
import { cleanEstimate, eulerStep, guidanceAt, guide, modelTime } from './sampler.ts'
import { type Tensor, float32 } from './tensor.ts'

/** Guidance away from a negative prompt. */
export type Guidance = {
  readonly negative: Caption
  /** 0 is none; one less than the scale that other programs show. */
  readonly scale: number
  /** Bound on the guided velocity's norm, in norms of the prompt's own; 0 is no bound. */
  readonly normalization: number
  /** Model time, 0 to 1, after which the prompt goes unguided; 1 guides throughout. */
  readonly truncation: number
}

/** Where a denoising starts and what it is told. */
export type DenoisingStart = {
  /** One tensor [channels, height, width] a picture, all of them at the first of `sigmas`. */
  readonly latents: readonly Tensor[]
  readonly caption: Caption
  /** Falling noise levels; the last, usually 0, is where the latents end. */
  readonly sigmas: readonly number[]
  readonly guidance?: Guidance
  /** Keeps the network from its next run. */
  readonly signal?: AbortSignal | undefined
}

/** What one step led to: the noise level and the clean latents that the model now expects. */
export type Denoised = { readonly sigma: number; readonly estimates: readonly Tensor[] }

/** One spec's pictures on their way down the schedule. */
export class Denoising {
  readonly #start: DenoisingStart
  readonly #modulations: readonly Tensor[]
  #latents: readonly Tensor[]
  /** Steps done. */
  #index = 0

  private constructor(start: DenoisingStart, modulations: readonly Tensor[]) {
    this.#start = start
    this.#modulations = modulations
    this.#latents = start.latents
  }

  /** Has the schedule's times read, once for all of its steps. */
  static async begin(network: ZImage, start: DenoisingStart): Promise<Denoising> {
    const times = start.sigmas.slice(0, -1).map(modelTime)
    return new Denoising(start, await network.modulate(times))
  }

  /** Latents of each picture as they are now. */
  get latents(): readonly Tensor[] {
    return this.#latents
  }

  /** Whether the end of the schedule is reached. */
  get isDone(): boolean {
    return this.#index === this.#modulations.length
  }

  /** What the network is to be asked for the next step. */
  items(): Item[] {
    const { caption, signal } = this.#start
    const modulation = this.#modulations[this.#index]!
    const told = (about: Caption): Item[] =>
      this.#latents.map((latents) => ({ latents, caption: about, modulation, signal }))
    const guidance = this.#guidance()
    return guidance ? [...told(caption), ...told(guidance.negative)] : told(caption)
  }

  /** Goes one step on with the network's answers to `items`. */
  advance(velocities: readonly (Tensor | undefined)[]): Denoised {
    const [sigma, nextSigma] = this.#start.sigmas.slice(this.#index)
    const guidance = this.#guidance()
    const guided = this.#latents.map((_, k) => {
      const positive = velocities[k]!.data
      if (!guidance) return positive
      const negative = velocities[this.#latents.length + k]!.data
      return guide(positive, negative, guidance.scale, guidance.normalization)
    })
    const at = (move: (sample: Float32Array, velocity: Float32Array) => Float32Array): Tensor[] =>
      this.#latents.map(({ shape, data }, k) => float32(shape, move(data, guided[k]!)))
    const estimates = at((sample, velocity) => cleanEstimate(sample, velocity, sigma!))
    this.#latents = at((sample, velocity) => eulerStep(sample, velocity, sigma!, nextSigma!))
    this.#index++
    return { sigma: nextSigma!, estimates }
  }

  /** The guidance of the next step, if it has any. */
  #guidance(): Guidance | undefined {
    const { guidance, sigmas } = this.#start
    if (guidance === undefined) return undefined
    const scale = guidanceAt(guidance.scale, guidance.truncation, modelTime(sigmas[this.#index]!))
    return scale > 0 ? { ...guidance, scale } : undefined
  }
}
