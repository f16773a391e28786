/**
 * What can be asked of the pipeline, and the limits within which it can be drawn. Limits come before
 * any work: a spec comes from chat.
 */
import { EngineError } from './error.ts'
import { type Pixels, floorToMultiple } from './image.ts'
import type { ModelFolder } from './models/config.ts'
import { maxPromptLength } from './tokenizer.ts'

/** What is asked for; whatever is left out is as the model's defaults say. */
export type PictureSpec = {
  readonly prompt: string
  /** What to keep away from; has an effect only with guidance. */
  readonly negativePrompt?: string
  /** Pixels, multiples of 16. */
  readonly width?: number
  readonly height?: number
  /** 0 to 2^32 - 1. */
  readonly seed: number
  /** 1 to 8 pictures; picture k has the seed `seed + k - 1` and equals that seed's single picture. */
  readonly count?: number
  /** Evaluations of the transformer, 1 to 200. */
  readonly evaluations?: number
  /** 0 to 30; 0 is none. One less than the scale that other programs show. */
  readonly guidance?: number
  /** Bound on the guided velocity's norm, in norms of the prompt's own; 0, the default, is none. */
  readonly guidanceNormalization?: number
  /** Model time, 0 to 1, after which the prompt goes unguided; 1, the default, guides throughout. */
  readonly guidanceTruncation?: number
  /** A picture to start from, the bytes of a PNG, JPEG or WebP file. */
  readonly image?: Uint8Array
  /** The file name it came with, which must not contradict its bytes. */
  readonly imageName?: string
  /** How much of the starting picture is redrawn, above 0 to 1, by default 0.6. */
  readonly strength?: number
  /** Whether steps come with small pictures of what is being drawn. */
  readonly preview?: boolean
}

/** One thing that happened while pictures were drawn: a step for all of them, or one finished. */
export type Step =
  | {
      readonly kind: 'step'
      /** Steps done, 1 to `evaluations`. */
      readonly index: number
      readonly evaluations: number
      /** Noise level reached, 0 for none. */
      readonly sigma: number
      /** One for each picture, an eighth as wide and high. */
      readonly previews?: readonly Pixels[]
    }
  | {
      readonly kind: 'picture'
      /** 0 to `count` - 1. */
      readonly index: number
      readonly seed: number
      readonly pixels: Pixels
    }

/**
 * What happened to one of several specs drawn together, `item` being its place among them: a step, or
 * the error that ended it alone. A spec's last picture, or its error, is the last of it.
 */
export type ItemStep =
  | { readonly item: number; readonly step: Step }
  | { readonly item: number; readonly error: unknown }

/** Specs that may be drawn together; each holds a caption and latents until it ends. */
export const mostTogether = 8

/** Sides of a picture come in this many pixels: 8 a latent, 2 latents a token. */
const sideMultiple = 16

/** The largest picture, in pixels; the released models are trained up to this area. */
const maxPixels = 2048 * 2048

const seeds = 2 ** 32

/** A spec with nothing left open. */
export type CheckedSpec = Required<
  Pick<
    PictureSpec,
    | 'prompt'
    | 'negativePrompt'
    | 'seed'
    | 'count'
    | 'evaluations'
    | 'guidance'
    | 'guidanceNormalization'
    | 'guidanceTruncation'
    | 'strength'
    | 'preview'
  >
>

/**
 * Fills in what was left out and checks ranges; sizes are `checkSize`'s.
 * @throws {EngineError} spec-invalid
 */
export function checkSpec(
  spec: PictureSpec,
  { defaults }: Pick<ModelFolder, 'defaults'>,
): CheckedSpec {
  if (spec.strength !== undefined && spec.image === undefined) {
    throw new EngineError('spec-invalid', {
      field: 'strength',
      expected: 'an image with it',
      got: 'none',
    })
  }
  return {
    prompt: notTooLong('prompt', spec.prompt),
    negativePrompt: notTooLong('negativePrompt', spec.negativePrompt ?? ''),
    seed: inRange('seed', spec.seed, 0, seeds - 1, true),
    count: inRange('count', spec.count ?? 1, 1, 8, true),
    evaluations: inRange('evaluations', spec.evaluations ?? defaults.evaluations, 1, 200, true),
    guidance: inRange('guidance', spec.guidance ?? defaults.guidance, 0, 30),
    guidanceNormalization: inRange(
      'guidanceNormalization',
      spec.guidanceNormalization ?? 0,
      0,
      100,
    ),
    guidanceTruncation: inRange('guidanceTruncation', spec.guidanceTruncation ?? 1, 0, 1),
    strength: inRange('strength', spec.strength ?? 0.6, Number.MIN_VALUE, 1),
    preview: spec.preview ?? false,
  }
}

/** The seed of picture `index`, counted from 0, of a spec whose first seed is `first`. */
export function seedOf(first: number, index: number): number {
  return (first + index) % seeds
}

/** Sides of a picture, in pixels. */
export type Size = { readonly width: number; readonly height: number }

/** A model draws well up to this many times its default area: 2048 by 2048 for a default of 1024. */
const areaRange = 4

/**
 * The size at which a picture is redrawn when nobody asks for another: its own, made smaller where
 * it is larger than what the model draws well, and rounded down.
 */
export function redrawnSize(
  { width, height }: Size,
  model: Pick<ModelFolder, 'transformer' | 'defaults'>,
): Size {
  const largest = largestSides(model)
  const area = Math.min(maxPixels, areaRange * model.defaults.width * model.defaults.height)
  const shrink = Math.min(
    1,
    Math.sqrt(area / (width * height)),
    largest.width / width,
    largest.height / height,
  )
  return {
    width: floorToMultiple(width * shrink, sideMultiple),
    height: floorToMultiple(height * shrink, sideMultiple),
  }
}

/** As many tokens as the transformer has positions for in each direction. */
function largestSides({ transformer }: Pick<ModelFolder, 'transformer'>): Size {
  const [, rows, columns] = transformer.axes_lens
  return { width: columns! * sideMultiple, height: rows! * sideMultiple }
}

/** @throws {EngineError} spec-invalid for a size that cannot be drawn */
export function checkSize(size: Size, model: Pick<ModelFolder, 'transformer'>): void {
  const { width, height } = size
  for (const field of ['height', 'width'] as const) {
    const [side, largest] = [size[field], largestSides(model)[field]]
    if (
      !Number.isInteger(side) ||
      side % sideMultiple !== 0 ||
      side < sideMultiple ||
      side > largest
    ) {
      const expected = `a multiple of ${sideMultiple} from ${sideMultiple} to ${largest}`
      throw new EngineError('spec-invalid', { field, expected, got: side })
    }
  }
  if (width * height > maxPixels) {
    const expected = `at most ${maxPixels} pixels`
    throw new EngineError('spec-invalid', { field: 'size', expected, got: `${width}x${height}` })
  }
}

function notTooLong(field: string, text: string): string {
  if (text.length > maxPromptLength) {
    const expected = `at most ${maxPromptLength} characters`
    throw new EngineError('spec-invalid', { field, expected, got: text.length })
  }
  return text
}

function inRange(
  field: string,
  value: number,
  least: number,
  most: number,
  isWhole = false,
): number {
  // Careful: written so that NaN fails too.
  if (!(value >= least && value <= most) || (isWhole && !Number.isInteger(value))) {
    const range = `${least === Number.MIN_VALUE ? 'above 0' : least} to ${most}`
    throw new EngineError('spec-invalid', {
      field,
      expected: isWhole ? `a whole number from ${range}` : `a number from ${range}`,
      got: value,
    })
  }
  return value
}
