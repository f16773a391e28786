/**
 * From a spec to pictures: the engine's only door. Text to image and image to image are one path
 * with two starting points. Every step is yielded, which is the seam for progress, previews, pauses
 * and cancels; a generation that nobody pulls does nothing and holds only its latents.
 * Source: huggingface/diffusers, pipeline_z_image.py and pipeline_z_image_img2img.py (Apache-2.0).
 */
import { basename, join } from 'node:path'
import { Checkpoint } from './checkpoint.ts'
import { Denoising, type Guidance } from './denoise.ts'
import { decodeImage, pixelsToPlanes, planesToPixels, resize } from './image.ts'
import { Autoencoder, type Posterior, type Tiles } from './models/autoencoder.ts'
import {
  type ModelDefaults,
  type ModelFolder,
  type PreviewMap,
  readModelFolder,
} from './models/config.ts'
import { Qwen3 } from './models/qwen3.ts'
import { type Caption, type Item, ZImage } from './models/z-image.ts'
import { fitPreviewMap, previewPixels } from './preview.ts'
import { Generator } from './random.ts'
import { addNoise, sigmas, startIndex } from './sampler.ts'
import {
  type CheckedSpec,
  type ItemStep,
  type PictureSpec,
  type Step,
  checkSize,
  checkSpec,
  mostTogether,
  redrawnSize,
  seedOf,
} from './spec.ts'
import { type Tensor, float32 } from './tensor.ts'
import { Tokenizer } from './tokenizer.ts'
import { invalidFile } from './untrusted-file.ts'

export type { ItemStep, PictureSpec, Step } from './spec.ts'

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

/** How pictures are drawn. */
export type DrawOptions = {
  /**
   * Draws with as little memory as it can, more slowly: pictures one after another, the autoencoder
   * in tiles of 512 pixels. Pictures are the same but for the tiles' seams.
   */
  readonly isFrugal?: boolean | undefined
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

/** What takes each of several specs out, in their order. */
export type Signals = { readonly signals?: readonly (AbortSignal | undefined)[] | undefined }
type EncodeOptions = { readonly isFrugal: boolean; readonly signal: AbortSignal }

type Velocities = readonly (Tensor | undefined)[]
/** Something that happened, or what the transformer is to be asked before anything more does. */
type Drawn = { readonly step: Step } | { readonly items: readonly Item[] }
type Drawing = AsyncGenerator<Drawn, void, Velocities>

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
    { signal, isFrugal }: DrawOptions & { readonly signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<Step> {
    for await (const drawn of this.generateTogether([spec], { signals: [signal], isFrugal })) {
      if ('error' in drawn) throw drawn.error
      yield drawn.step
    }
  }

  /**
   * Draws up to 8 specs side by side, each as it is drawn alone: every round is one step for each of
   * them, and pictures of equal size with captions of equal padded length share the transformer's
   * runs. What `generate` would throw for a spec ends that one only, so a signal, of the same place
   * as its spec, takes it out before the next run. Throws what goes wrong in a run of several.
   */
  async *generateTogether(
    specs: readonly PictureSpec[],
    { signals = [], isFrugal = false }: DrawOptions & Signals = {},
  ): AsyncGenerator<ItemStep> {
    if (specs.length > mostTogether) {
      throw new Error(`internal: at most ${mostTogether} specs together, got ${specs.length}`)
    }
    type Part = { item: number; drawing: Drawing; velocities: Velocities }
    let parts = specs.map((spec, item): Part => {
      return { item, drawing: this.#draw(spec, signals[item], isFrugal), velocities: [] }
    })
    while (parts.length > 0) {
      const asked: (Part & { readonly items: readonly Item[] })[] = []
      for (const part of parts) {
        const { item, drawing, velocities } = part
        let drawn = await advance(drawing, velocities)
        while (drawn && 'step' in drawn) {
          yield { item, step: drawn.step }
          drawn = await advance(drawing, velocities)
        }
        if (drawn && 'error' in drawn) yield { item, error: drawn.error }
        else if (drawn) asked.push({ ...part, items: drawn.items })
      }
      const items = asked.flatMap((part) => part.items)
      const velocities = await this.#networks.transformer.velocity(items, { isFrugal })
      parts = asked.map((part) => ({
        ...part,
        velocities: velocities.splice(0, part.items.length),
      }))
    }
  }

  /** Gives the model's memory back; generations still open fail when they are pulled. */
  async close(): Promise<void> {
    const { transformer, textEncoder, autoencoder } = this.#networks
    this.#closing.abort(new Error('internal: the model was closed'))
    this.#captions.clear()
    await Promise.all([transformer.release(), textEncoder.release(), autoencoder.release()])
  }

  /** One spec: its steps and pictures, and between them what to ask the transformer. */
  async *#draw(spec: PictureSpec, cancel: AbortSignal | undefined, isFrugal: boolean): Drawing {
    const signal = AbortSignal.any([this.#closing.signal, ...(cancel ? [cancel] : [])])
    signal.throwIfAborted()
    const checked = checkSpec(spec, this.#model)
    const levels = sigmas(checked.evaluations, this.#model.sampler.shift)
    const from = spec.image ? startIndex(checked.evaluations, checked.strength) : 0
    const latents = await this.#start(spec, checked, levels[from]!, { isFrugal, signal })
    const caption = await this.#caption(checked.prompt, signal)
    const guidance = await this.#guidance(checked, signal)
    const denoising = await Denoising.begin(this.#networks.transformer, {
      latents,
      caption,
      sigmas: levels.slice(from),
      ...(guidance ? { guidance } : {}),
      signal,
    })
    const evaluations = checked.evaluations - from
    for (let index = 1; !denoising.isDone; index++) {
      const velocities = yield { items: denoising.items() }
      signal.throwIfAborted()
      const { sigma, estimates } = denoising.advance(velocities)
      const progress = { kind: 'step', index, evaluations, sigma } as const
      const step = checked.preview
        ? { ...progress, previews: await this.#previews(estimates, signal) }
        : progress
      yield { step }
    }
    for (const [k, sample] of denoising.latents.entries()) {
      const { autoencoder } = this.#networks
      const planes = await autoencoder.decode(sample, tilesFor(sample, 64, isFrugal), signal)
      const [, height = 0, width = 0] = planes.shape
      const pixels = planesToPixels(planes.data, width, height)
      yield { step: { kind: 'picture', index: k, seed: seedOf(checked.seed, k), pixels } }
    }
  }

  /** Latents of each picture at noise level `sigma`. */
  async #start(
    spec: PictureSpec,
    { seed, count }: CheckedSpec,
    sigma: number,
    how: EncodeOptions,
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
    const posterior = await this.#encode(spec, spec.image, how)
    const size = posterior.mean.data.length
    return generators.map((generator) => {
      // Careful: the posterior's noise is drawn before the latents' noise.
      const clean = this.#networks.autoencoder.sample(posterior, generator.normal(size))
      return float32(clean.shape, addNoise(clean.data, generator.normal(size), sigma))
    })
  }

  /** Reads a starting picture at the size asked for, or else at its own, rounded down to fit. */
  async #encode(
    spec: PictureSpec,
    image: Uint8Array,
    { isFrugal, signal }: EncodeOptions,
  ): Promise<Posterior> {
    const name = spec.imageName === undefined ? {} : { name: spec.imageName }
    const picture = await decodeImage(image, name)
    const size = { ...redrawnSize(picture, this.#model), ...definedSize(spec) }
    checkSize(size, this.#model)
    const planes = pixelsToPlanes(resize(picture, size.width, size.height))
    const tensor = float32([3, size.height, size.width], planes)
    return this.#networks.autoencoder.encode(tensor, tilesFor(tensor, 1, isFrugal), signal)
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
      autoencoder.decode(latents, 'none', signal),
    )
    const map = this.#previewMap
    return estimates.map((estimate) => previewPixels(estimate, map))
  }
}

/** The sides that a spec names. */
function definedSize({ width, height }: PictureSpec): { width?: number; height?: number } {
  return { ...(width === undefined ? {} : { width }), ...(height === undefined ? {} : { height }) }
}

/** How [channels, height, width], each element standing for `pixels`, is cut up. */
function tilesFor({ shape }: Tensor, pixels: number, isFrugal: boolean): Tiles {
  if (isFrugal) return 'frugal'
  return shape[1]! * shape[2]! * pixels > tiledAbovePixels ? 'trained' : 'none'
}

/** What a drawing does next when it is given `velocities`; nothing if it is done. */
async function advance(
  drawing: Drawing,
  velocities: Velocities,
): Promise<Drawn | { readonly error: unknown } | undefined> {
  try {
    const { done, value } = await drawing.next(velocities)
    return done ? undefined : value
  } catch (error) {
    return { error }
  }
}
