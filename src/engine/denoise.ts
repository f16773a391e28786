/**
 * The denoising loop: from noisy latents to clean ones, one evaluation of the schedule at a time. A
 * generator, so that whoever pulls it may look at every step, pause for as long as they like, or
 * stop: it holds nothing but its latents. Source: huggingface/diffusers, pipeline_z_image.py
 * (Apache-2.0).
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
export type Denoising = {
  /** One tensor [channels, height, width] a picture, all of them at the first of `sigmas`. */
  readonly latents: readonly Tensor[]
  readonly caption: Caption
  /** Falling noise levels; the last, usually 0, is where the latents end. */
  readonly sigmas: readonly number[]
  readonly guidance?: Guidance
  /** Ends it with its reason before the next run of the network. */
  readonly signal?: AbortSignal
}

/** Latents after one step, at `sigma`, and the clean latents that the model now expects. */
export type Denoised = {
  readonly sigma: number
  readonly latents: readonly Tensor[]
  readonly estimates: readonly Tensor[]
}

/** Yields after every step of the schedule. */
export async function* denoise(network: ZImage, start: Denoising): AsyncGenerator<Denoised> {
  const { caption, sigmas, guidance, signal } = start
  const times = sigmas.slice(0, -1).map(modelTime)
  const modulations = await network.modulate(times)
  let { latents } = start
  for (const [i, time] of times.entries()) {
    const [sigma, nextSigma] = [sigmas[i]!, sigmas[i + 1]!]
    const modulation = modulations[i]!
    const told = (about: Caption): Item[] =>
      latents.map((sample) => ({ latents: sample, caption: about, modulation }))
    const scale = guidance ? guidanceAt(guidance.scale, guidance.truncation, time) : 0
    const isGuided = guidance !== undefined && scale > 0
    const items = isGuided ? [...told(caption), ...told(guidance.negative)] : told(caption)
    const outputs = await network.velocity(items, signal)
    const velocities = latents.map((_, k) => {
      const positive = outputs[k]!.data
      if (!isGuided) return positive
      return guide(positive, outputs[latents.length + k]!.data, scale, guidance.normalization)
    })
    const at = (move: (sample: Float32Array, velocity: Float32Array) => Float32Array): Tensor[] =>
      latents.map(({ shape, data }, k) => float32(shape, move(data, velocities[k]!)))
    const estimates = at((sample, velocity) => cleanEstimate(sample, velocity, sigma))
    latents = at((sample, velocity) => eulerStep(sample, velocity, sigma, nextSigma))
    yield { sigma: nextSigma, latents, estimates }
  }
}
