/**
 * What is asked for: a picture to draw, with nothing left open, so that a job can be priced, stored,
 * repeated and varied without knowing where it was asked. Plain JSON.
 */
import { UserError } from './errors.ts'
import { type SizeLimits, checkSize } from './size.ts'

/** From words, from a picture and words, or once more from an earlier job. */
export type JobKind = 'imagine' | 'edit' | 'again'

/** A spec; ranges are those of the pipeline. */
export type JobSpec = {
  readonly kind: JobKind
  /** What is drawn. */
  readonly prompt: string
  /** What the member said, where a style made another prompt of it. */
  readonly asked?: string
  readonly negativePrompt?: string
  /** Pixels, multiples of 16. */
  readonly width: number
  readonly height: number
  /** 0 to 2^32 - 1; picture k, counted from 1, has `seed + k - 1`. */
  readonly seed: number
  /** Pictures, 1 to 8. */
  readonly count: number
  /** Calls of the transformer for each picture, 1 to 200. */
  readonly evaluations: number
  /** 0 to 30; 0 is none. */
  readonly guidance: number
  /** The blob of a picture to start from. */
  readonly image?: string
  /** Whose upload that is, by the platform's id; none for a picture of ours. */
  readonly imageOwner?: string
  /** How much of that picture is redrawn, above 0 to 1. */
  readonly strength?: number
  /** The name of a style. */
  readonly style?: string
  /** The prompt as it is: no style, no enhancer. */
  readonly isRaw: boolean
  /** Only the asker sees the pictures, and they carry no recipe. */
  readonly isPrivate: boolean
  /** The job that this one varies or edits. */
  readonly parent?: string
}

/** The most that one job may ask for. */
export type SpecLimits = SizeLimits & {
  readonly mostPictures: number
  readonly mostEvaluations: number
}

/** Whether a job is small enough. @throws {UserError} size-not-allowed, job-too-large */
export function checkSpecLimits(spec: JobSpec, limits: SpecLimits): void {
  checkSize(spec, limits)
  checkAtMost('count', spec.count, limits.mostPictures)
  checkAtMost('evaluations', spec.evaluations, limits.mostEvaluations)
}

function checkAtMost(field: string, got: number, most: number): void {
  if (!(got <= most)) throw new UserError('job-too-large', { field, most, got })
}
