/**
 * From a spec to pictures: the engine's only door. Text to image and image to image are one path
 * with two starting points. Every step is yielded, which is the seam for progress, previews, pauses
 * and cancels; a generation that nobody pulls does nothing and holds only its latents.
 * Source: huggingface/diffusers, pipeline_z_image.py and pipeline_z_image_img2img.py (Apache-2.0).
 */
import { basename, join } from 'node:path'
import { Checkpoint } from './checkpoint.ts'
import { type Guidance, denoise } from './denoise.ts'
import { decodeImage, pixelsToPlanes, planesToPixels, resize } from './image.ts'
import { Autoencoder, type Posterior } from './models/autoencoder.ts'
import {
  type ModelDefaults,
  type ModelFolder,
  type PreviewMap,
  readModelFolder,
} from './models/config.ts'
import { Qwen3 } from './models/qwen3.ts'
import { type Caption, ZImage } from './models/z-image.ts'
import { fitPreviewMap, previewPixels } from './preview.ts'
import { Generator } from './random.ts'
import { addNoise, sigmas, startIndex } from './sampler.ts'
import {
  type CheckedSpec,
  type PictureSpec,
  type Step,
  checkSize,
  checkSpec,
  redrawnSize,
  seedOf,
} from './spec.ts'
import { type Tensor, float32 } from './tensor.ts'
import { Tokenizer } from './tokenizer.ts'
import { invalidFile } from './untrusted-file.ts'

export type { PictureSpec, Step } from './spec.ts'

/** How a model is opened. */
export type PipelineOptions = {
  /**
   * `auto` computes with weights in the form as published and leaves them in their files; `fp32`
   * copies them into memory as float32, which is faster. Pictures are the same but for rounding.
   */
  readonly precision?: 'auto' | 'fp32'
  /** Threads of one run; by default every processor. */
  readonly threads?: number
}

/** What callers may want to know of an open model. */
export type ModelFacts = {
  /** Name of the checkpoint's folder. */
  readonly name: string
  readonly defaults: ModelDefaults
  /** Parameters of the transformer. */
  readonly parameters: number
}

/** Checkpoints below this are expanded to float32 without asking: the memory is not worth a word. */
const smallCheckpointBytes = 512 * 2 ** 20

/** Prompts whose captions are kept; at the released size one takes 15 kB a token, 8 MB at most. */
const keptCaptions = 32

/** Pictures above this area are encoded and decoded in tiles: whole ones take over 8 GB. */
const tiledAbovePixels = 1536 * 1536

type Networks = {
  readonly transformer: ZImage
  readonly textEncoder: Qwen3
  readonly autoencoder: Autoencoder
  readonly tokenizer: Tokenizer
}

/** An open model. Generations may be interleaved; each gives what it would give alone. */
export class Pipeline {
  readonly facts: ModelFacts
  readonly #model: ModelFolder
  readonly #networks: Networks
  /** By token ids, which are all that a caption depends on while the weights are open. */
  readonly #captions = new Map<string, Caption>()
  #previewMap: PreviewMap | undefined
  readonly #closing = new AbortController()

  private constructor(model: ModelFolder, networks: Networks, parameters: number) {
    this.#model = model
    this.#networks = networks
    this.#previewMap = model.preview
    this.facts = { name: basename(model.folder), defaults: model.defaults, parameters }
  }

  /**
   * Opens a checkpoint folder in the diffusers layout and checks that every tensor it draws with is
   * there and has its shape; weights are read when they are first needed.
   * @throws {EngineError} file-missing, file-invalid, tensor-missing, tensor-mismatch
   */
  static async open(path: string, options: PipelineOptions = {}): Promise<Pipeline> {
    const model = await readModelFolder(path)
    const at = (...names: string[]): string => join(model.folder, ...names)
    const [transformer, textEncoder, autoencoder, tokenizer] = await Promise.all([
      Checkpoint.open(at('transformer'), 'diffusion_pytorch_model'),
      Checkpoint.open(at('text_encoder'), 'model'),
      Checkpoint.open(at('vae'), 'diffusion_pytorch_model'),
      Tokenizer.open(at('tokenizer')),
    ])
    const { vocabularySize } = tokenizer
    if (vocabularySize > model.textEncoder.vocab_size) {
      const expected = `at least ${vocabularySize}, the tokenizer's`
      const got = `${model.textEncoder.vocab_size}`
      throw invalidFile(at('text_encoder', 'config.json'), 'vocab_size', expected, got)
    }
    const { precision = 'auto', ...threads } = options
    const formOf = (checkpoint: Checkpoint) => ({
      ...threads,
      expandsWeights: precision === 'fp32' || checkpoint.sizeBytes <= smallCheckpointBytes,
    })
    const networks = {
      transformer: new ZImage(model.transformer, transformer, formOf(transformer)),
      textEncoder: new Qwen3(model.textEncoder, textEncoder, {
        ...formOf(textEncoder),
        prefix: textEncoder.has('model.embed_tokens.weight') ? 'model.' : '',
      }),
      autoencoder: new Autoencoder(model.autoencoder, autoencoder, formOf(autoencoder)),
      tokenizer,
    }
    return new Pipeline(model, networks, transformer.parameters)
  }

  /**
   * Draws `spec`: yields every step, then every picture. Does nothing before it is first pulled.
   * @throws {EngineError} spec-invalid, image-unsupported, image-broken, image-too-large
   * @throws the signal's reason, before the next run of a network after it was aborted
   */
  async *generate(
    spec: PictureSpec,
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Step> {
    const cancels = options.signal ? [options.signal] : []
    const signal = AbortSignal.any([this.#closing.signal, ...cancels])
    signal.throwIfAborted()
    const checked = checkSpec(spec, this.#model)
    const levels = sigmas(checked.evaluations, this.#model.sampler.shift)
    const from = spec.image ? startIndex(checked.evaluations, checked.strength) : 0
    const start = await this.#start(spec, checked, levels[from]!, signal)
    const caption = await this.#caption(checked.prompt, signal)
    const guidance = await this.#guidance(checked, signal)
    let latents: readonly Tensor[] = start
    const denoising = denoise(this.#networks.transformer, {
      latents,
      caption,
      sigmas: levels.slice(from),
      ...(guidance ? { guidance } : {}),
      signal,
    })
    const evaluations = checked.evaluations - from
    let index = 0
    for await (const step of denoising) {
      ;({ latents } = step)
      index++
      const progress = { kind: 'step', index, evaluations, sigma: step.sigma } as const
      yield checked.preview
        ? { ...progress, previews: await this.#previews(step.estimates, signal) }
        : progress
    }
    for (const [k, sample] of latents.entries()) {
      const { autoencoder } = this.#networks
      const planes = await autoencoder.decode(sample, isLarge(sample, 64), signal)
      const [, height = 0, width = 0] = planes.shape
      const pixels = planesToPixels(planes.data, width, height)
      yield { kind: 'picture', index: k, seed: seedOf(checked.seed, k), pixels }
    }
  }

  /** Gives the model's memory back; generations still open fail when they are pulled. */
  async close(): Promise<void> {
    const { transformer, textEncoder, autoencoder } = this.#networks
    this.#closing.abort(new Error('internal: the model was closed'))
    this.#captions.clear()
    await Promise.all([transformer.release(), textEncoder.release(), autoencoder.release()])
  }

  /** Latents of each picture at noise level `sigma`. */
  async #start(
    spec: PictureSpec,
    { seed, count }: CheckedSpec,
    sigma: number,
    signal: AbortSignal,
  ): Promise<Tensor[]> {
    const generators = Array.from({ length: count }, (_, k) => new Generator(seedOf(seed, k)))
    if (!spec.image) {
      const { width, height } = { ...this.#model.defaults, ...definedSize(spec) }
      checkSize({ width, height }, this.#model)
      const { pixelsPerLatent } = this.#networks.autoencoder
      const channels = this.#model.transformer.in_channels
      const shape = [channels, height / pixelsPerLatent, width / pixelsPerLatent]
      const size = shape.reduce((product, side) => product * side)
      return generators.map((generator) => float32(shape, generator.normal(size)))
    }
    const posterior = await this.#encode(spec, spec.image, signal)
    const size = posterior.mean.data.length
    return generators.map((generator) => {
      // Careful: the posterior's noise is drawn before the latents' noise.
      const clean = this.#networks.autoencoder.sample(posterior, generator.normal(size))
      return float32(clean.shape, addNoise(clean.data, generator.normal(size), sigma))
    })
  }

  /** Reads a starting picture at the size asked for, or else at its own, rounded down to fit. */
  async #encode(spec: PictureSpec, image: Uint8Array, signal: AbortSignal): Promise<Posterior> {
    const name = spec.imageName === undefined ? {} : { name: spec.imageName }
    const picture = await decodeImage(image, name)
    const size = { ...redrawnSize(picture, this.#model), ...definedSize(spec) }
    checkSize(size, this.#model)
    const planes = pixelsToPlanes(resize(picture, size.width, size.height))
    const tensor = float32([3, size.height, size.width], planes)
    return this.#networks.autoencoder.encode(tensor, isLarge(tensor, 1), signal)
  }

  async #guidance(checked: CheckedSpec, signal: AbortSignal): Promise<Guidance | undefined> {
    if (checked.guidance === 0) return undefined
    return {
      negative: await this.#caption(checked.negativePrompt, signal),
      scale: checked.guidance,
      normalization: checked.guidanceNormalization,
      truncation: checked.guidanceTruncation,
    }
  }

  async #caption(prompt: string, signal: AbortSignal): Promise<Caption> {
    const { ids } = this.#networks.tokenizer.encodePrompt(prompt)
    const key = ids.join()
    const kept = this.#captions.get(key)
    // Put back at the end, so that the first is the one not used for longest.
    this.#captions.delete(key)
    const caption = kept ?? (await this.#readPrompt(ids, signal))
    this.#captions.set(key, caption)
    if (this.#captions.size > keptCaptions) {
      this.#captions.delete(this.#captions.keys().next().value!)
    }
    return caption
  }

  async #readPrompt(ids: readonly number[], signal: AbortSignal): Promise<Caption> {
    signal.throwIfAborted()
    const features = await this.#networks.textEncoder.hidden(ids)
    signal.throwIfAborted()
    return this.#networks.transformer.refine(features)
  }

  async #previews(estimates: readonly Tensor[], signal: AbortSignal) {
    const { autoencoder } = this.#networks
    this.#previewMap ??= await fitPreviewMap(this.#model.autoencoder.latent_channels, (latents) =>
      autoencoder.decode(latents, false, signal),
    )
    const map = this.#previewMap
    return estimates.map((estimate) => previewPixels(estimate, map))
  }
}

/** The sides that a spec names. */
function definedSize({ width, height }: PictureSpec): { width?: number; height?: number } {
  return { ...(width === undefined ? {} : { width }), ...(height === undefined ? {} : { height }) }
}

/** Whether [channels, height, width], each element standing for `pixels`, is drawn in tiles. */
function isLarge({ shape }: Tensor, pixels: number): boolean {
  return shape[1]! * shape[2]! * pixels > tiledAbovePixels
}
