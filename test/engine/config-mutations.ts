/**
 * Ways to make the configs of a model folder wrong, or odd but right, each by name. They start from
 * the built-in model's own files.
 */
import type { SeededRandom } from './seeded-random.ts'

/** The JSON files of a model folder. */
export const configFiles = [
  'model_index.json',
  'zimagine.json',
  'transformer/config.json',
  'text_encoder/config.json',
  'vae/config.json',
  'scheduler/scheduler_config.json',
] as const
export type ConfigFile = (typeof configFiles)[number]

/** A config as parsed, to be changed in place. */
export type Config = Record<string, unknown>

/** `mutate` changes `config` in place, or gives the file's new text; null takes the file away. */
export type ConfigMutation = {
  readonly expected: 'fails' | 'loads' | 'either'
  readonly files: readonly ConfigFile[]
  readonly field?: RegExp
  readonly mutate: (
    config: Config,
    random: SeededRandom,
    file: ConfigFile,
  ) => string | Buffer | null | void
}

const transformer = 'transformer/config.json'
const textEncoder = 'text_encoder/config.json'
const autoencoder = 'vae/config.json'
const sampler = 'scheduler/scheduler_config.json'
const networks = [transformer, textEncoder, autoencoder] as const

/** Whole numbers that a network cannot do without. */
const sizes: Readonly<Record<string, readonly string[]>> = {
  [transformer]: ['dim', 'n_layers', 'n_refiner_layers', 'n_heads', 'in_channels', 'cap_feat_dim'],
  [textEncoder]: ['hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads'],
  [autoencoder]: ['latent_channels', 'layers_per_block', 'norm_num_groups'],
}

/** A size of the network set to one of these values. */
function sizeOf(values: (size: number) => readonly unknown[]): ConfigMutation {
  return {
    expected: 'fails',
    files: networks,
    field: /^[a-z_]+$/,
    mutate: (config, random, file) => {
      const name = random.pick(sizes[file]!)
      config[name] = random.pick(values(Number(config[name])))
    },
  }
}

/** Keys of one file set to one of these pairs. */
function setting(
  file: ConfigFile,
  field: RegExp,
  choices: readonly Config[],
  expected: ConfigMutation['expected'] = 'fails',
): ConfigMutation {
  const mutate = (config: Config, random: SeededRandom): void => {
    Object.assign(config, random.pick(choices))
  }
  return { expected, files: [file], field, mutate }
}

/** A change of the text of any file. */
function text(
  expected: ConfigMutation['expected'],
  field: RegExp,
  change: (text: string, random: SeededRandom) => string | Buffer,
): ConfigMutation {
  const mutate: ConfigMutation['mutate'] = (config, random) =>
    change(JSON.stringify(config), random)
  return { expected, files: configFiles, field, mutate }
}

const anyField = /./

/** All kinds by name. */
export const configMutations: Readonly<Record<string, ConfigMutation>> = {
  'size missing': sizeOf(() => [undefined]),
  'size of another type': sizeOf((size) => [`${size}`, null, [size], { size }, true]),
  'size of zero or less': sizeOf((size) => [0, -1, -size]),
  'size beyond reason': sizeOf(() => [1e6, 2 ** 31, 2 ** 53, 1e300]),
  'size with a fraction': sizeOf((size) => [size + 0.5, 1e-9]),
  'number beyond all doubles': {
    expected: 'fails',
    files: networks,
    field: anyField,
    mutate: (config, random, file) => {
      const name = random.pick(sizes[file]!)
      return JSON.stringify({ ...config, [name]: 'HUGE' }).replace('"HUGE"', '1e999')
    },
  },
  'odd rotary axes': setting(transformer, /^axes_dims\[\d\]$/, [
    { axes_dims: [17, 24, 23] },
    { axes_dims: [16, 25, 23] },
  ]),
  'rotary axes that fill no head': setting(transformer, /^axes_dims$/, [
    { axes_dims: [16, 24, 26] },
    { axes_dims: [32, 48, 48] },
    { n_heads: 4 },
    { n_heads: 5 },
    { dim: 190 },
  ]),
  'rotary axes that are not three': setting(transformer, /^axes_(dims|lens)$/, [
    { axes_dims: [32, 32] },
    { axes_dims: [16, 16, 16, 16] },
    { axes_lens: [] },
  ]),
  'patch lists of two lengths': setting(transformer, /^all_f_patch_size$/, [
    { all_f_patch_size: [1, 1] },
    { all_patch_size: [2, 4] },
  ]),
  'no patch that we draw with': setting(transformer, /^all_patch_size$/, [
    { all_patch_size: [4] },
    { all_f_patch_size: [2] },
    { all_patch_size: [2, 4], all_f_patch_size: [2, 1] },
  ]),
  'attention without its norms': setting(transformer, /^qk_norm$/, [{ qk_norm: false }]),
  'text of another width': setting(transformer, /^cap_feat_dim$/, [
    { cap_feat_dim: 2560 },
    { cap_feat_dim: 159 },
  ]),
  'latents of other channels': setting(transformer, /^in_channels$/, [
    { in_channels: 4 },
    { in_channels: 32 },
  ]),
  'heads that share unevenly': setting(textEncoder, /^num_key_value_heads$/, [
    { num_key_value_heads: 2 },
    { num_key_value_heads: 10 },
  ]),
  'text encoder switches of another family': setting(textEncoder, anyField, [
    { hidden_act: 'gelu' },
    { attention_bias: true },
    { use_sliding_window: true },
    { layer_types: ['full_attention', 'sliding_attention'] },
    { rope_scaling: { type: 'yarn', factor: 4 } },
    { rope_parameters: { rope_theta: 10000, rope_type: 'yarn' } },
  ]),
  'no rotary base, or two': setting(textEncoder, /^rope_theta$/, [
    { rope_theta: undefined },
    { rope_parameters: { rope_theta: 5000 } },
    { rope_theta: 0 },
  ]),
  'autoencoder of another make': setting(autoencoder, anyField, [
    { use_quant_conv: true },
    { use_quant_conv: undefined },
    { use_post_quant_conv: true },
    { mid_block_add_attention: false },
    { act_fn: 'relu' },
    { in_channels: 4 },
    { down_block_types: ['DownEncoderBlock2D', 'AttnDownEncoderBlock2D'] },
    { up_block_types: 'UpDecoderBlock2D' },
    { shift_factor: null },
    { scaling_factor: 0 },
  ]),
  'block lists of two lengths': setting(autoencoder, /^(up|down)_block_types$/, [
    { block_out_channels: [16, 32, 64] },
    { up_block_types: ['UpDecoderBlock2D'] },
  ]),
  'groups that do not divide': setting(autoencoder, /^norm_num_groups$/, [
    { norm_num_groups: 32 },
    { norm_num_groups: 3 },
  ]),
  'latents that are not an eighth': setting(autoencoder, /^block_out_channels\.length$/, [
    {
      block_out_channels: [16, 32, 64],
      down_block_types: Array.from({ length: 3 }, () => 'DownEncoderBlock2D'),
      up_block_types: Array.from({ length: 3 }, () => 'UpDecoderBlock2D'),
    },
  ]),
  'picture side that is no side': setting(autoencoder, /^sample_size$/, [
    { sample_size: 100 },
    { sample_size: 16 },
    { sample_size: 1e9 },
    { sample_size: [128, 128] },
  ]),
  'schedule that we do not follow': setting(sampler, anyField, [
    { use_dynamic_shifting: true },
    { use_karras_sigmas: true },
    { invert_sigmas: true },
    { stochastic_sampling: true },
    { shift_terminal: 0.1 },
  ]),
  'shift that is no shift': setting(sampler, /^shift$/, [
    { shift: 0 },
    { shift: -3 },
    { shift: 1e9 },
    { shift: '3.0' },
    { shift: null },
  ]),
  'another pipeline': setting('model_index.json', /^_class_name$/, [
    { _class_name: 'FluxPipeline' },
    { _class_name: undefined },
    { _class_name: ['ZImagePipeline'] },
  ]),
  'another component': setting('model_index.json', /^[a-z_]+(\[\d\])?$/, [
    { text_encoder: ['transformers', 'T5EncoderModel'] },
    { transformer: ['diffusers', 'FluxTransformer2DModel'] },
    { transformer: ['malicious', 'ZImageTransformer2DModel'] },
    { scheduler: ['diffusers', 'EulerDiscreteScheduler'] },
    { vae: [null, null] },
    { vae: ['diffusers'] },
    { tokenizer: undefined },
  ]),
  'defaults that cannot be drawn': setting('zimagine.json', /^defaults\.[a-z]+$/, [
    { defaults: { width: 100 } },
    { defaults: { height: 1e6 } },
    { defaults: { width: -128 } },
    { defaults: { evaluations: 0 } },
    { defaults: { evaluations: 1e9 } },
    { defaults: { guidance: -1 } },
    { defaults: { guidance: '4' } },
  ]),
  'preview map of another shape': setting('zimagine.json', /^preview/, [
    { preview: { weight: [[1, 2, 3]], bias: [0, 0, 0] } },
    { preview: { weight: [], bias: [0, 0, 0] } },
    { preview: { weight: [[1, 2]], bias: [0, 0, 0] } },
    { preview: { bias: [0, 0, 0] } },
    { preview: { weight: Array.from({ length: 1e4 }, () => [0, 0, 0]), bias: [0, 0, 0] } },
  ]),
  'file taken away': {
    expected: 'fails',
    files: ['model_index.json', sampler, ...networks],
    mutate: () => null,
  },
  'text cut short': text('fails', /^JSON$/, (json, random) =>
    json.slice(0, random.int(json.length)),
  ),
  'JSON that is no object': text('fails', /^JSON$/, (json, random) =>
    random.pick([`[${json}]`, 'null', '1', '""', '[]']),
  ),
  'key said twice': text('fails', /^(_|[a-z])/, (json) => {
    const [first] = /"[^"]+":/.exec(json)!
    return json.replace('{', `{${first}1,`)
  }),
  'text over a mebibyte': text('fails', /^size$/, (json) => json.padEnd(2 ** 20 + 1)),
  'text in other bytes than UTF-8': text('fails', /^JSON$/, (json, random) =>
    Buffer.concat([Buffer.from(json.slice(0, 3)), random.pick([Buffer.of(0xff), Buffer.of(0xc0)])]),
  ),
  'text in UTF-16': text('fails', /^JSON$/, (json) => Buffer.from(json, 'utf16le')),
  'byte order mark': text('fails', /^JSON$/, (json) => `\uFEFF${json}`),
  'nesting without end': text('fails', /^JSON$/, (json, random) =>
    json.replace('{', `{"x":${random.pick(['[', '{"y":']).repeat(100_000)}`),
  ),

  'keys nobody knows': text('loads', anyField, (json, random) =>
    json.replace(
      '{',
      `{"${random.pick(['zzz', 'constructor', '__proto__'])}":{"dim":1,"shift":1},`,
    ),
  ),
  'keys that begin with _': text('loads', anyField, (json, random) =>
    json.replace('{', `{"_note":${random.pick(['null', '[]', '{"dim":1}', '"x"', '1e300'])},`),
  ),
  'keys in another order': {
    expected: 'loads',
    files: configFiles,
    mutate: (config, random) =>
      JSON.stringify(Object.fromEntries(random.shuffle(Object.entries(config)))),
  },
  'text with space': {
    expected: 'loads',
    files: configFiles,
    mutate: (config, random) => `\n\t ${JSON.stringify(config, null, random.int(8))}\r\n`,
  },
  'numbers in another spelling': text('loads', anyField, (json) =>
    json.replaceAll(/([:[,])([1-9]\d*)(?=[,\]}])/g, '$1$2.0e0'),
  ),
  'rotary base nested': setting(
    textEncoder,
    anyField,
    [
      { rope_theta: undefined, rope_parameters: { rope_theta: 1e6, rope_type: 'default' } },
      { rope_theta: undefined, rope_parameters: { rope_theta: 5e5 } },
    ],
    'loads',
  ),
  'key and value heads that nobody reads': setting(
    transformer,
    anyField,
    [{ n_kv_heads: 1 }, { n_kv_heads: null }, { n_kv_heads: undefined }],
    'loads',
  ),
  'some defaults or none': setting(
    'zimagine.json',
    anyField,
    [
      { defaults: {} },
      { defaults: undefined },
      { defaults: { height: 256 } },
      { defaults: { guidance: 2.5 }, preview: undefined },
    ],
    'loads',
  ),
  'no file of our own': { expected: 'loads', files: ['zimagine.json'], mutate: () => null },

  'byte replaced': text('either', anyField, (json, random) => {
    const bytes = Buffer.from(json)
    bytes[random.int(bytes.length)] = random.pick([...Buffer.from('{}[],:"0159-.eE \\'), 0, 255])
    return bytes
  }),
  'digit replaced': text('either', anyField, (json, random) => {
    const digits = [...json.matchAll(/\d/g)].map((match) => match.index)
    const at = random.pick(digits)
    return `${json.slice(0, at)}${random.int(10)}${json.slice(at + 1)}`
  }),
}
