/**
 * The configs of a model folder: the released values (of Tongyi-MAI/Z-Image-Turbo and Z-Image), the
 * built-in model, and the rules that a made-up folder must break to be refused.
 */
import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  autoencoderSchema,
  modelIndexSchema,
  readModelFolder,
  samplerSchema,
  textEncoderSchema,
  transformerSchema,
} from '../../../src/engine/models/config.ts'
import { readFixture } from '../../fixtures/closed-form.ts'
import {
  releasedAutoencoder,
  releasedTextEncoder,
  releasedTransformer,
} from '../../fixtures/released-configs.ts'
import { type Config, type ConfigFile, configFiles } from '../config-mutations.ts'
import { refusalOf } from '../refusal.ts'

const nano = fileURLToPath(new URL('../../../models/nano', import.meta.url))

const released = {
  turbo: { num_train_timesteps: 1000, use_dynamic_shifting: false, shift: 3.0 },
  base: { num_train_timesteps: 1000, use_dynamic_shifting: false, shift: 6.0 },
  index: {
    _class_name: 'ZImagePipeline',
    scheduler: ['diffusers', 'FlowMatchEulerDiscreteScheduler'],
    text_encoder: ['transformers', 'Qwen3Model'],
    tokenizer: ['transformers', 'Qwen2Tokenizer'],
    transformer: ['diffusers', 'ZImageTransformer2DModel'],
    vae: ['diffusers', 'AutoencoderKL'],
  },
} as const

describe('the released configs', () => {
  it('of the transformer make heads of 128', () => {
    const { dim, n_heads: heads, axes_dims: axes } = transformerSchema.parse(releasedTransformer)

    assert.deepEqual([dim / heads, axes[0]! + axes[1]! + axes[2]!], [128, 128])
  })

  it('of the transformer have no picture encoder', () => {
    assert.equal(transformerSchema.parse(releasedTransformer).siglip_feat_dim, null)
  })

  it('of the text encoder keep their rotary base', () => {
    assert.equal(textEncoderSchema.parse(releasedTextEncoder).rope_theta, 1e6)
  })

  it('of the autoencoder keep scale and shift', () => {
    const { scaling_factor: scale, shift_factor: shift } =
      autoencoderSchema.parse(releasedAutoencoder)

    assert.deepEqual([scale, shift], [0.3611, 0.1159])
  })

  it('of both samplers keep their shift', () => {
    const shifts = [released.turbo, released.base].map(
      (config) => samplerSchema.parse(config).shift,
    )

    assert.deepEqual(shifts, [3, 6])
  })

  it('of the pipeline name the classes we know', () => {
    assert.equal(modelIndexSchema.safeParse(released.index).success, true)
  })
})

describe('the configs of the reference numbers', () => {
  it('are configs', () => {
    const transformer = readFixture<{ config: unknown }>('transformer').config
    const textEncoder = readFixture<{ config: unknown }>('qwen3').config
    const { basic, tiled } = readFixture<Record<'basic' | 'tiled', { config: unknown }>>('vae')

    transformerSchema.parse(transformer)
    textEncoderSchema.parse(textEncoder)
    for (const { config } of [basic, tiled]) autoencoderSchema.parse(config)
  })
})

describe('textEncoderSchema', () => {
  it('takes the rotary base out of rope_parameters', () => {
    const { rope_theta: _, ...rest } = releasedTextEncoder
    const nested = { ...rest, rope_parameters: { rope_theta: 5e5, rope_type: 'default' } }

    assert.equal(textEncoderSchema.parse(nested).rope_theta, 5e5)
  })

  it('accepts the same rotary base twice', () => {
    const twice = { ...releasedTextEncoder, rope_parameters: { rope_theta: 1e6 } }

    assert.equal(textEncoderSchema.parse(twice).rope_theta, 1e6)
  })
})

describe('readModelFolder', () => {
  let folder = ''
  before(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'zimagine-test-')))
  })
  beforeEach(async () => {
    for (const file of configFiles) await cp(join(nano, file), join(folder, file))
  })
  after(() => rm(folder, { recursive: true }))

  /** Writes keys over those of one file. */
  async function change(file: ConfigFile, keys: Config): Promise<void> {
    const config: Config = JSON.parse(await readFile(join(folder, file), 'utf8'))
    await writeFile(join(folder, file), JSON.stringify({ ...config, ...keys }))
  }

  it('reads the built-in model', async () => {
    const { transformer, textEncoder, autoencoder, sampler, defaults } = await readModelFolder(nano)

    assert.equal(transformer.dim, 192)
    assert.equal(textEncoder.hidden_size, 160)
    assert.deepEqual(autoencoder.block_out_channels, [16, 32, 64, 96])
    assert.equal(sampler.shift, 3)
    assert.deepEqual(defaults, { width: 128, height: 128, evaluations: 8, guidance: 0 })
  })

  it('reads the preview map of the built-in model', async () => {
    const { preview } = await readModelFolder(nano)

    assert.equal(preview?.weight.length, 16)
    assert.deepEqual(preview.weight[1], [-0.05065, -0.03086, -0.06845])
    assert.deepEqual(preview.bias, [0.64298, 0.55026, 0.51656])
  })

  it('needs no zimagine.json: 8 evaluations without guidance at shift 3', async () => {
    await rm(join(folder, 'zimagine.json'))

    const { defaults, preview } = await readModelFolder(folder)

    assert.deepEqual(defaults, { width: 128, height: 128, evaluations: 8, guidance: 0 })
    assert.equal(preview, undefined)
  })

  it('draws 28 evaluations with guidance 4 at any other shift', async () => {
    await rm(join(folder, 'zimagine.json'))
    await change('scheduler/scheduler_config.json', { shift: 6 })

    const { defaults } = await readModelFolder(folder)

    assert.deepEqual([defaults.evaluations, defaults.guidance], [28, 4])
  })

  it('draws 1024 x 1024 where no file says a side', async () => {
    await rm(join(folder, 'zimagine.json'))
    await change('vae/config.json', { sample_size: undefined })

    const { defaults } = await readModelFolder(folder)

    assert.deepEqual([defaults.width, defaults.height], [1024, 1024])
  })

  it('lets zimagine.json say some defaults and not others', async () => {
    await change('zimagine.json', { defaults: { width: 256, guidance: 1.5 } })

    const { defaults } = await readModelFolder(folder)

    assert.deepEqual(defaults, { width: 256, height: 128, evaluations: 8, guidance: 1.5 })
  })

  it('names a folder that is missing', async () => {
    const nobody = join(folder, 'nobody')

    const { code, params } = await refusalOf(() => readModelFolder(nobody))

    assert.deepEqual([code, params], ['file-missing', { file: nobody }])
  })

  it('says when the folder is a file', async () => {
    const file = join(folder, 'zimagine.json')

    const { code, params } = await refusalOf(() => readModelFolder(file))

    assert.deepEqual([code, params.expected], ['file-invalid', 'a folder'])
  })

  it('names a config that is missing', async () => {
    await rm(join(folder, 'vae', 'config.json'))

    const { code, params } = await refusalOf(() => readModelFolder(folder))

    assert.deepEqual([code, params], ['file-missing', { file: join(folder, 'vae', 'config.json') }])
  })

  const faults: readonly [
    what: string,
    file: ConfigFile,
    keys: Config,
    expected: string,
    got: string,
  ][] = [
    [
      'dynamic shifting',
      'scheduler/scheduler_config.json',
      { use_dynamic_shifting: true },
      'false',
      'true',
    ],
    ['a quant_conv', 'vae/config.json', { use_quant_conv: true }, 'false', 'true'],
    ['a sliding window', 'text_encoder/config.json', { use_sliding_window: true }, 'false', 'true'],
    ['another activation', 'text_encoder/config.json', { hidden_act: 'gelu' }, '"silu"', '"gelu"'],
    [
      'text features of another width',
      'transformer/config.json',
      { cap_feat_dim: 2560 },
      '160, the text hidden_size',
      '2560',
    ],
    [
      'latents of other channels',
      'transformer/config.json',
      { in_channels: 4 },
      '16, the latent_channels',
      '4',
    ],
    [
      'axes that do not fill a head',
      'transformer/config.json',
      { axes_dims: [16, 24, 26] },
      'sizes that sum to dim / n_heads',
      '[16,24,26]',
    ],
    [
      'another pipeline',
      'model_index.json',
      { _class_name: 'FluxPipeline' },
      '"ZImagePipeline"',
      '"FluxPipeline"',
    ],
    [
      'an unknown rotary base',
      'text_encoder/config.json',
      { rope_theta: undefined },
      'one number, here or in rope_parameters',
      'nothing',
    ],
  ]
  for (const [what, file, keys, expected, got] of faults) {
    it(`refuses ${what}`, async () => {
      await change(file, keys)

      const { code, params } = await refusalOf(() => readModelFolder(folder))

      const field = Object.keys(keys)[0]!
      assert.equal(code, 'file-invalid')
      assert.deepEqual(params, { file: join(folder, file), field, expected, got })
    })
  }

  /** What would change the numbers, and what we therefore do not overlook. */
  const switches: readonly [file: ConfigFile, keys: Config][] = [
    ['transformer/config.json', { qk_norm: false }],
    ['text_encoder/config.json', { attention_bias: true }],
    ['text_encoder/config.json', { layer_types: ['full_attention', 'sliding_attention'] }],
    ['text_encoder/config.json', { rope_scaling: { type: 'yarn', factor: 4 } }],
    ['text_encoder/config.json', { rope_parameters: { rope_theta: 10000, rope_type: 'yarn' } }],
    ['vae/config.json', { use_post_quant_conv: true }],
    ['vae/config.json', { use_quant_conv: undefined }],
    ['vae/config.json', { mid_block_add_attention: false }],
    ['vae/config.json', { act_fn: 'relu' }],
    ['vae/config.json', { shift_factor: null }],
    ['scheduler/scheduler_config.json', { num_train_timesteps: 500 }],
    ['scheduler/scheduler_config.json', { shift_terminal: 0.1 }],
    ['scheduler/scheduler_config.json', { invert_sigmas: true }],
    ['scheduler/scheduler_config.json', { stochastic_sampling: true }],
    ['scheduler/scheduler_config.json', { use_karras_sigmas: true }],
    ['scheduler/scheduler_config.json', { use_exponential_sigmas: true }],
    ['scheduler/scheduler_config.json', { use_beta_sigmas: true }],
  ]
  for (const [file, keys] of switches) {
    const [field, value] = Object.entries(keys)[0]!
    it(`refuses ${field} ${JSON.stringify(value)}`, async () => {
      await change(file, keys)

      const { code, params } = await refusalOf(() => readModelFolder(folder))

      assert.deepEqual([code, params.file], ['file-invalid', join(folder, file)])
      assert.equal(String(params.field).split(/[.[]/)[0], field)
    })
  }

  it('refuses more preview rows than latents have channels', async () => {
    const colour = [0, 0, 0]
    const weight = Array.from({ length: 17 }, () => colour)
    await change('zimagine.json', { preview: { weight, bias: colour } })

    const { params } = await refusalOf(() => readModelFolder(folder))

    assert.deepEqual([params.field, params.got], ['preview.weight.length', '17'])
  })
})
