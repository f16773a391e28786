/**
 * What a Z-Image folder in the diffusers layout says in JSON, checked before any network is built.
 * Fields keep the names they have in the files. Sizes have ceilings well above the released networks
 * so that a hostile config cannot ask for terabytes; switches that would change the numbers in ways
 * we do not implement are refused, never ignored.
 * Source: huggingface/diffusers (ZImageTransformer2DModel, AutoencoderKL,
 * FlowMatchEulerDiscreteScheduler, ZImagePipeline) and huggingface/transformers (Qwen3Config).
 */
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { readConfig, readConfigIfAny } from '../checkpoint.ts'
import { checkFolder, invalidFile } from '../untrusted-file.ts'

const size = (most: number): z.ZodInt => z.int().min(1).max(most)
const sizes = (most: number): z.ZodReadonly<z.ZodArray<z.ZodInt>> =>
  z.array(size(most)).min(1).max(8).readonly()
const epsilon = z.number().positive().max(0.1)
const ropeTheta = z.number().min(1).max(1e9)

/** Most transformer or decoder blocks in a row; the released networks have 36 at most. */
const maxLayers = 256

/** `transformer/config.json`. */
export const transformerSchema = z
  .object({
    all_patch_size: sizes(16),
    all_f_patch_size: sizes(16),
    in_channels: size(256),
    dim: size(16384),
    n_layers: size(maxLayers),
    n_refiner_layers: size(maxLayers),
    n_heads: size(256),
    cap_feat_dim: size(16384),
    /** Width of the picture encoder of the Omni family; null where there is none. */
    siglip_feat_dim: size(16384).nullable().default(null),
    norm_eps: epsilon.default(1e-5),
    qk_norm: z.literal(true).default(true),
    rope_theta: ropeTheta.default(256),
    t_scale: z.number().positive().max(1e6).default(1000),
    /** Rotary sizes for sequence or frame, row, column; together one head. */
    axes_dims: z.array(size(1024).multipleOf(2)).length(3).readonly(),
    /** Positions each axis may take, from 0. */
    axes_lens: z.array(size(65536)).length(3).readonly(),
  })
  .refine(
    (config) => config.axes_dims.reduce((sum, size) => sum + size) === config.dim / config.n_heads,
    {
      path: ['axes_dims'],
      message: 'sizes that sum to dim / n_heads',
    },
  )
  .refine((config) => config.all_f_patch_size.length === config.all_patch_size.length, {
    path: ['all_f_patch_size'],
    message: 'as many sizes as all_patch_size',
  })
  .refine(
    (config) => config.all_patch_size.some((p, i) => p === 2 && config.all_f_patch_size[i] === 1),
    {
      path: ['all_patch_size'],
      message: 'a patch of 2 with a temporal patch of 1',
    },
  )
  .readonly()

/** The transformer; without `n_kv_heads`, which the reference ignores. */
export type TransformerConfig = z.output<typeof transformerSchema>

/** `text_encoder/config.json`; `rope_theta` comes out at the top wherever the file has it. */
export const textEncoderSchema = z
  .object({
    hidden_size: size(16384),
    intermediate_size: size(65536),
    num_hidden_layers: size(maxLayers),
    num_attention_heads: size(256),
    num_key_value_heads: size(256),
    /** onnxruntime rotates heads of 16, 32, 48, ... features only. */
    head_dim: size(1024).multipleOf(16).default(128),
    vocab_size: size(1_000_000),
    max_position_embeddings: size(10_000_000),
    rms_norm_eps: epsilon.default(1e-6),
    rope_theta: ropeTheta.optional(),
    rope_parameters: z
      .object({ rope_theta: ropeTheta, rope_type: z.literal('default').optional() })
      .nullish(),
    rope_scaling: z.null().optional(),
    layer_types: z.array(z.literal('full_attention')).max(maxLayers).nullish(),
    hidden_act: z.literal('silu').default('silu'),
    attention_bias: z.literal(false).default(false),
    use_sliding_window: z.literal(false).default(false),
    tie_word_embeddings: z.boolean().default(false),
  })
  .refine((config) => config.num_attention_heads % config.num_key_value_heads === 0, {
    path: ['num_key_value_heads'],
    message: 'a divisor of num_attention_heads',
  })
  .refine((config) => new Set(ropeThetas(config)).size === 1, {
    path: ['rope_theta'],
    message: 'one number, here or in rope_parameters',
  })
  .transform((config) => ({ ...config, rope_theta: ropeThetas(config)[0]! }))
  .readonly()

/** The text encoder, Qwen3: everything its prefill and its language head need. */
export type TextEncoderConfig = z.output<typeof textEncoderSchema>

/** Older transformers writes it at the top, newer ones nest it; one may find both. */
function ropeThetas(config: {
  readonly rope_theta?: number | undefined
  readonly rope_parameters?: { readonly rope_theta: number } | null | undefined
}): number[] {
  return [config.rope_theta, config.rope_parameters?.rope_theta].filter(
    (theta) => theta !== undefined,
  )
}

/** `vae/config.json`. */
export const autoencoderSchema = z
  .object({
    in_channels: z.literal(3),
    out_channels: z.literal(3),
    latent_channels: size(256),
    block_out_channels: sizes(4096),
    down_block_types: z.array(z.literal('DownEncoderBlock2D')).readonly(),
    up_block_types: z.array(z.literal('UpDecoderBlock2D')).readonly(),
    layers_per_block: size(16),
    norm_num_groups: size(4096),
    act_fn: z.literal('silu'),
    mid_block_add_attention: z.literal(true).default(true),
    /** Careful: diffusers takes the absence of these two for true. */
    use_quant_conv: z.literal(false),
    use_post_quant_conv: z.literal(false),
    /** Side in pixels of the pictures it was trained on. */
    sample_size: size(8192).optional(),
    scaling_factor: z.number().positive().max(1e4),
    shift_factor: z.number().min(-1e4).max(1e4),
  })
  .refine((config) => config.down_block_types.length === config.block_out_channels.length, {
    path: ['down_block_types'],
    message: 'as many blocks as block_out_channels',
  })
  .refine((config) => config.up_block_types.length === config.block_out_channels.length, {
    path: ['up_block_types'],
    message: 'as many blocks as block_out_channels',
  })
  .refine((config) => config.block_out_channels.every((c) => c % config.norm_num_groups === 0), {
    path: ['norm_num_groups'],
    message: 'a divisor of every number of block_out_channels',
  })
  .readonly()

/** The autoencoder, AutoencoderKL. */
export type AutoencoderConfig = z.output<typeof autoencoderSchema>

const off = z.literal(false).default(false)

/** `scheduler/scheduler_config.json`, what diffusers calls scheduler being our sampler. */
export const samplerSchema = z
  .object({
    num_train_timesteps: z.literal(1000).default(1000),
    shift: z.number().positive().max(1000).default(1),
    use_dynamic_shifting: off,
    shift_terminal: z.null().optional(),
    invert_sigmas: off,
    stochastic_sampling: off,
    use_karras_sigmas: off,
    use_exponential_sigmas: off,
    use_beta_sigmas: off,
  })
  .readonly()

/** The noise schedule, FlowMatchEulerDiscreteScheduler with a fixed shift. */
export type SamplerConfig = z.output<typeof samplerSchema>

const component = <T extends string>(library: string, classes: readonly [T, ...T[]]) =>
  z.tuple([z.literal(library), z.enum(classes)])

/** `model_index.json`: only to refuse other families of models by their class names. */
export const modelIndexSchema = z.object({
  _class_name: z.literal('ZImagePipeline'),
  scheduler: component('diffusers', ['FlowMatchEulerDiscreteScheduler']),
  text_encoder: component('transformers', ['Qwen3Model', 'Qwen3ForCausalLM']),
  tokenizer: component('transformers', ['Qwen2Tokenizer', 'Qwen2TokenizerFast']),
  transformer: component('diffusers', ['ZImageTransformer2DModel']),
  vae: component('diffusers', ['AutoencoderKL']),
})

/** Pixels; a latent is 8 of them wide and a patch 2 latents. */
const side = z.int().min(64).max(8192).multipleOf(16)
const colour = z.array(z.number().min(-1e3).max(1e3)).length(3).readonly()

/** `zimagine.json`, our own and optional. */
const zimagineSchema = z.object({
  defaults: z
    .object({
      width: side,
      height: side,
      evaluations: size(200),
      guidance: z.number().min(0).max(30),
    })
    .partial()
    .default({}),
  preview: z
    .object({ weight: z.array(colour).max(256).readonly(), bias: colour })
    .readonly()
    .optional(),
})

/** What a picture is asked for with when nobody says otherwise; guidance 0 is one call a step. */
export type ModelDefaults = {
  readonly width: number
  readonly height: number
  readonly evaluations: number
  readonly guidance: number
}

/** Linear map from latents to RGB in 0..1: weight [latent_channels, 3], bias [3]. */
export type PreviewMap = NonNullable<z.output<typeof zimagineSchema>['preview']>

/** All that a model folder says in JSON, checked against itself. */
export type ModelFolder = {
  /** Absolute. */
  readonly folder: string
  readonly transformer: TransformerConfig
  readonly textEncoder: TextEncoderConfig
  readonly autoencoder: AutoencoderConfig
  readonly sampler: SamplerConfig
  readonly defaults: ModelDefaults
  readonly preview: PreviewMap | undefined
}

/**
 * Reads every config of a model folder; opens no weights.
 * @throws {EngineError} file-missing (the folder or a file in it), file-invalid
 */
export async function readModelFolder(path: string): Promise<ModelFolder> {
  const folder = resolve(path)
  await checkFolder(folder)
  const transformerFile = join(folder, 'transformer', 'config.json')
  const autoencoderFile = join(folder, 'vae', 'config.json')
  const zimagineFile = join(folder, 'zimagine.json')

  await readConfig(join(folder, 'model_index.json'), modelIndexSchema)
  const transformer = await readConfig(transformerFile, transformerSchema)
  const textEncoder = await readConfig(
    join(folder, 'text_encoder', 'config.json'),
    textEncoderSchema,
  )
  const autoencoder = await readConfig(autoencoderFile, autoencoderSchema)
  const sampler = await readConfig(
    join(folder, 'scheduler', 'scheduler_config.json'),
    samplerSchema,
  )
  const { defaults: asked = {}, preview } =
    (await readConfigIfAny(zimagineFile, zimagineSchema)) ?? {}

  const { latent_channels: channels, sample_size: sampleSize = 1024 } = autoencoder
  const stages = autoencoder.block_out_channels.length
  const [width, hidden] = [transformer.cap_feat_dim, textEncoder.hidden_size]
  expectEqual(transformerFile, 'cap_feat_dim', width, hidden, 'the text hidden_size')
  const inChannels = transformer.in_channels
  expectEqual(transformerFile, 'in_channels', inChannels, channels, 'the latent_channels')
  expectEqual(autoencoderFile, 'block_out_channels.length', stages, 4, 'for 8 pixels a latent')
  if (preview) {
    const rows = preview.weight.length
    expectEqual(zimagineFile, 'preview.weight.length', rows, channels, 'the latent_channels')
  }
  if (!side.safeParse(sampleSize).success) {
    throw invalidFile(autoencoderFile, 'sample_size', '64 to 8192 in steps of 16', `${sampleSize}`)
  }

  const isDistilled = sampler.shift === 3
  const defaults = {
    width: asked.width ?? sampleSize,
    height: asked.height ?? sampleSize,
    evaluations: asked.evaluations ?? (isDistilled ? 8 : 28),
    guidance: asked.guidance ?? (isDistilled ? 0 : 4),
  }
  return { folder, transformer, textEncoder, autoencoder, sampler, defaults, preview }
}

function expectEqual(
  file: string,
  field: string,
  got: number,
  expected: number,
  why: string,
): void {
  if (got !== expected) throw invalidFile(file, field, `${expected}, ${why}`, `${got}`)
}
