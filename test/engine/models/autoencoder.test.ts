/**
 * The autoencoder against the reference implementation's numbers on closed-form weights: whole,
 * stage by stage, and in tiles with ragged edges.
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { decoderGraph, encoderGraph } from '../../../src/engine/models/autoencoder-graph.ts'
import { Autoencoder } from '../../../src/engine/models/autoencoder.ts'
import { type AutoencoderConfig, autoencoderSchema } from '../../../src/engine/models/config.ts'
import { Session } from '../../../src/engine/onnx/session.ts'
import { type Tensor, float32 } from '../../../src/engine/tensor.ts'
import {
  type Reference,
  type ReferenceStat,
  input,
  readFixture,
} from '../../fixtures/closed-form.ts'
import {
  type ParameterShapes,
  closedFormCheckpoint,
  temporaryFolder,
} from '../../fixtures/closed-form-checkpoint.ts'
import { Deviation } from '../../fixtures/deviation.ts'

type Common = { readonly config: AutoencoderConfig; readonly param_shapes: ParameterShapes }
type Fixture = {
  readonly basic: Common & {
    readonly moments: Reference
    readonly decoded: Reference
    readonly intermediate: Readonly<Record<string, ReferenceStat>>
  }
  readonly tiled: Common & {
    readonly decoded_tiled: Reference
    readonly decoded_untiled: ReferenceStat
    readonly moments_tiled: Reference
    readonly moments_untiled: ReferenceStat
  }
}

const tolerance = 1e-5
const { basic, tiled } = readFixture<Fixture>('vae')
const options = { expandsWeights: true }
const deviation = new Deviation('vae.json')
const folder = await temporaryFolder()
after(async () => {
  await folder[Symbol.asyncDispose]()
  deviation.report()
})

function picture(name: string, shape: readonly number[]): Tensor {
  return float32(
    shape,
    input(name, shape).data.map((value) => value * 0.5),
  )
}

/** Undoes what `decode` does first, since the fixture's latents are not normalised. */
function normalised({ shape, data }: Tensor, config: AutoencoderConfig): Tensor {
  return float32(
    shape,
    data.map((value) => (value - config.shift_factor) * config.scaling_factor),
  )
}

describe('Autoencoder', () => {
  it("encodes and decodes to the reference's numbers, stage by stage", async () => {
    const config = autoencoderSchema.parse(basic.config)
    const checkpoint = await closedFormCheckpoint(folder.path, 'basic', basic.param_shapes)
    const image = picture('vae/image', [1, 3, 32, 48])
    const latents = input('vae/latent', [1, 4, 4, 6])
    const feeds = { image, latents }
    for (const [side, graph] of Object.entries({
      encoder: encoderGraph(config, checkpoint),
      decoder: decoderGraph(config, checkpoint),
    })) {
      const labels = Object.keys(basic.intermediate).filter((label) => label.startsWith(side))
      for (const label of labels) graph.output(`probe ${label}`, graph.recall(label))
      const session = await Session.create(graph, options)
      const name = side === 'encoder' ? 'image' : 'latents'
      const outputs = await session.run({ [name]: feeds[name] })
      await session.release()

      for (const label of labels) {
        const actual = outputs[`probe ${label}`]!
        deviation.stat(label, actual.data, basic.intermediate[label]!, tolerance)
      }
      const [output, expected] =
        side === 'encoder'
          ? [outputs['moments']!, basic.moments]
          : [outputs['image']!, basic.decoded]
      deviation.array(side, output, expected, tolerance)
    }
    assert.deepEqual(checkpoint.unused(), [])
  })

  it('tiles and blends as the reference does, ragged edges included', async () => {
    const config = autoencoderSchema.parse(tiled.config)
    const checkpoint = await closedFormCheckpoint(folder.path, 'tiled', tiled.param_shapes)
    const autoencoder = new Autoencoder(config, checkpoint, options)
    const latents = normalised(input('vae/tile_latent', [4, 14, 21]), config)
    const image = picture('vae/tile_image', [3, 28, 42])

    const decoded = await autoencoder.decode(latents, 'trained')
    const decodedWhole = await autoencoder.decode(latents, 'none')
    const moments = await autoencoder.moments(image, 'trained')
    const momentsWhole = await autoencoder.moments(image, 'none')
    await autoencoder.release()

    deviation.check('decode', decoded.data, tiled.decoded_tiled.data, tolerance)
    deviation.stat('decode whole', decodedWhole.data, tiled.decoded_untiled, tolerance)
    deviation.check('encode', moments.data, tiled.moments_tiled.data, tolerance)
    deviation.stat('encode whole', momentsWhole.data, tiled.moments_untiled, tolerance)
  })

  it('ends with the reason of its signal before the next tile', async () => {
    const config = autoencoderSchema.parse(tiled.config)
    const checkpoint = await closedFormCheckpoint(folder.path, 'cancel', tiled.param_shapes)
    const autoencoder = new Autoencoder(config, checkpoint, options)
    const stop = new AbortController()
    const reason = new Error('enough')

    const decoded = autoencoder.decode(
      input('vae/tile_latent', [4, 14, 21]),
      'trained',
      stop.signal,
    )
    const encoded = autoencoder.encode(
      picture('vae/tile_image', [3, 28, 42]),
      'trained',
      stop.signal,
    )
    stop.abort(reason)

    await assert.rejects(decoded, reason)
    await assert.rejects(encoded, reason)
    await autoencoder.release()
  })
})
