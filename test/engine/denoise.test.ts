/**
 * Whole denoisings against the reference pipelines' numbers on closed-form weights: text to image
 * with every kind of guidance, and image to image, latents step by step and the decoded picture.
 */
import { after, before, describe, it } from 'node:test'
import { Denoising, type Guidance } from '../../src/engine/denoise.ts'
import { pixelsToPlanes } from '../../src/engine/image.ts'
import { Autoencoder } from '../../src/engine/models/autoencoder.ts'
import { type TransformerConfig, autoencoderSchema } from '../../src/engine/models/config.ts'
import { type Caption, ZImage } from '../../src/engine/models/z-image.ts'
import { addNoise, sigmas, startIndex } from '../../src/engine/sampler.ts'
import { float32 } from '../../src/engine/tensor.ts'
import {
  type Reference,
  type ReferenceStat,
  hashValues,
  input,
  readFixture,
} from '../fixtures/closed-form.ts'
import {
  type ParameterShapes,
  closedFormCheckpoint,
  temporaryFolder,
} from '../fixtures/closed-form-checkpoint.ts'
import { Deviation } from '../fixtures/deviation.ts'

type TextCase = {
  readonly args: {
    readonly num_inference_steps: number
    readonly guidance_scale: number
    readonly cfg_normalization?: boolean | number
    readonly cfg_truncation?: number
    readonly shift: number
  }
  readonly per_step_latents: readonly ReferenceStat[]
  readonly final_latents: Reference
  readonly image_01: ReferenceStat
}
type ImageCase = { readonly steps: number; readonly final_latents: Reference }
type Fixture = Readonly<Record<`t2i_${string}`, TextCase>> &
  Readonly<Record<`i2i_strength_${string}`, ImageCase>> & {
    readonly transformer_config: TransformerConfig
    readonly vae_config: unknown
    readonly vae_param_shapes: ParameterShapes
    readonly transformer_param_shapes: ParameterShapes
    readonly image_latents_scaled: Reference
  }

const fixture = readFixture<Fixture>('pipelines')
const deviation = new Deviation('pipelines.json')
const folder = await temporaryFolder()
const noise = input('pipe/noise', [16, 8, 8])
let transformer: ZImage
let autoencoder: Autoencoder
let positive: Caption
let negative: Caption

before(async () => {
  const options = { expandsWeights: false }
  transformer = new ZImage(
    fixture.transformer_config,
    await closedFormCheckpoint(folder.path, 'transformer', fixture.transformer_param_shapes),
    options,
  )
  autoencoder = new Autoencoder(
    autoencoderSchema.parse(fixture.vae_config),
    await closedFormCheckpoint(folder.path, 'vae', fixture.vae_param_shapes),
    options,
  )
  positive = await transformer.refine(input('pipe/pos', [11, 24]))
  negative = await transformer.refine(input('pipe/neg', [6, 24]))
})

after(async () => {
  await transformer.release()
  await autoencoder.release()
  await folder[Symbol.asyncDispose]()
  deviation.report()
})

function textCases(): [string, TextCase][] {
  return Object.entries(fixture).filter(([name]) => name.startsWith('t2i_')) as [string, TextCase][]
}

function guidanceOf({ args }: TextCase): { readonly guidance?: Guidance } {
  if (args.guidance_scale === 0) return {}
  const { guidance_scale: scale, cfg_normalization: bound = false, cfg_truncation } = args
  const [normalization, truncation] = [Number(bound), cfg_truncation ?? 1]
  return { guidance: { negative, scale, normalization, truncation } }
}

describe('Denoising', () => {
  for (const [name, textCase] of textCases()) {
    it(`draws as the reference in case ${name}`, async () => {
      const { args, per_step_latents: perStep } = textCase
      const levels = sigmas(args.num_inference_steps, args.shift)
      let step = 0

      const denoising = await Denoising.begin(transformer, {
        latents: [noise],
        caption: positive,
        sigmas: levels,
        ...guidanceOf(textCase),
      })
      while (!denoising.isDone) {
        denoising.advance(await transformer.velocity(denoising.items()))
        const { data } = denoising.latents[0]!
        deviation.stat(`${name} step ${step}`, data, perStep[step]!, 5e-4)
        step++
      }
      const latents = denoising.latents[0]!
      deviation.check(`${name} latents`, latents.data, textCase.final_latents.data, 5e-4)
      const { data } = await autoencoder.decode(latents, 'none')
      const image = data.map((value) => Math.min(Math.max(value / 2 + 0.5, 0), 1))
      deviation.stat(`${name} picture`, image, textCase.image_01, 5e-4)
    })
  }

  for (const strength of [0.6, 0.3, 1]) {
    it(`redraws a picture as the reference at strength ${strength}`, async () => {
      const { steps, final_latents: expected } = fixture[`i2i_strength_${strength.toFixed(1)}`]!
      const values = hashValues('input/pipe/image', 64 * 64 * 3)
      const data = Uint8Array.from(values, (value) => Math.round((value * 0.5 + 0.5) * 255))
      const planes = pixelsToPlanes({ width: 64, height: 64, data })
      const posterior = await autoencoder.encode(float32([3, 64, 64], planes), 'none')
      const zeros = new Float32Array(posterior.mean.data.length)
      const clean = autoencoder.sample(posterior, zeros)
      deviation.check('encoded', clean.data, fixture.image_latents_scaled.data, 2e-4)
      const from = startIndex(steps, strength)
      const levels = sigmas(steps, 3).slice(from)
      const start = float32(noise.shape, addNoise(clean.data, noise.data, levels[0]!))

      const denoising = await Denoising.begin(transformer, {
        latents: [start],
        caption: positive,
        sigmas: levels,
      })
      while (!denoising.isDone) {
        denoising.advance(await transformer.velocity(denoising.items()))
      }

      const { data: latents } = denoising.latents[0]!
      deviation.check(`strength ${strength}`, latents, expected.data, 2e-4)
    })
  }
})
