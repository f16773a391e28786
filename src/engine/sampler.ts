/**
 * The way from noise to a picture: the noise levels (sigmas) of each evaluation, guidance, and the
 * Euler step between two levels. Pure functions over one sample's latents, which they never change,
 * rounded to float32 where the reference's are.
 * Source: diffusers 0.40, `FlowMatchEulerDiscreteScheduler` and the Z-Image pipelines.
 */
import { EngineError } from './error.ts'

/** The noise levels that the transformer was trained on. */
const trainedLevels = 1000

/**
 * Noise levels, from 1 (all noise) falling to 0 (the picture): `evaluations + 1` numbers. The model
 * sees all but the last.
 *
 * Careful: diffusers up to 0.38 counted one more, so that its "9 steps" are 8 evaluations: for n
 * steps it visits `[...sigmas(n - 1, shift), 0]`, whose last step changes nothing.
 * @param shift above 1 spends more of the evaluations at high noise: 3 for Turbo, 6 for the base
 * @throws {EngineError} spec-invalid unless `evaluations` is an integer in 1..1000
 */
export function sigmas(evaluations: number, shift: number): number[] {
  if (!Number.isInteger(evaluations) || evaluations < 1 || evaluations > trainedLevels) {
    throw invalid('evaluations', `an integer in 1..${trainedLevels}`, evaluations)
  }
  if (!Number.isFinite(shift) || shift <= 0) {
    throw new Error(`internal: shift ${shift} is not a positive number`)
  }
  const step = (1 / evaluations - 1) / Math.max(evaluations - 1, 1)
  const levels = Array.from({ length: evaluations }, (_, i) => {
    const even = 1 + i * step
    // Rounded once, at the end: rounded throughout, the first could miss 1.
    return Math.fround((shift * even) / (1 + (shift - 1) * even))
  })
  return [...levels, 0]
}

/** The time that the transformer is told at `sigma`: 0 for pure noise, towards 1 for a picture. */
export function modelTime(sigma: number): number {
  const level = Math.fround(trainedLevels * sigma)
  return Math.fround(Math.fround(trainedLevels - level) / trainedLevels)
}

/**
 * Index into `sigmas` from which a given picture is redrawn: 0 redraws all of it (strength 1).
 * @param strength in (0, 1], the part of the evaluations that are run
 * @throws {EngineError} spec-invalid if that is not its range, or leaves no evaluation to run
 */
export function startIndex(evaluations: number, strength: number): number {
  const run = Math.min(evaluations * strength, evaluations)
  const start = Math.floor(Math.max(evaluations - run, 0))
  // Careful: written so that NaN fails too.
  if (!(strength > 0 && strength <= 1) || start >= evaluations) {
    throw invalid('strength', 'above 0 and at most 1', strength)
  }
  return start
}

/** Guidance scale at a model time: `guidance`, or 0 once past `truncation` (1 keeps it throughout). */
export function guidanceAt(guidance: number, truncation: number, time: number): number {
  return time > truncation ? 0 : guidance
}

/**
 * The velocity of the prompt, driven away from that of the negative prompt, as a new array.
 * @param guidance 0 is the prompt's own velocity; one less than the scale that ComfyUI shows
 * @param normalization bounds the result's norm to this many times the prompt's own; 0 is no bound
 */
export function guide(
  positive: Float32Array,
  negative: Float32Array,
  guidance: number,
  normalization: number,
): Float32Array {
  requireSameLength(positive, negative)
  if (guidance === 0) return positive.slice()
  const scale = Math.fround(guidance)
  const guided = positive.map((own, i) => {
    const away = Math.fround(own - negative[i]!)
    return own + Math.fround(scale * away)
  })
  if (normalization === 0) return guided
  const limit = Math.fround(norm(positive) * Math.fround(normalization))
  const length = norm(guided)
  if (length <= limit) return guided
  const shrink = Math.fround(limit / length)
  return guided.map((value) => value * shrink)
}

/**
 * Latents one step on, at `nextSigma`, as a new array.
 *
 * Careful: `velocity` is the transformer's own output, which points from noise to picture. diffusers
 * negates it first and multiplies it with the negative step; both signs are left out here.
 */
export function eulerStep(
  latents: Float32Array,
  velocity: Float32Array,
  sigma: number,
  nextSigma: number,
): Float32Array {
  return advance(latents, velocity, Math.fround(sigma - nextSigma))
}

/** The picture's latents as far as the model can tell at `sigma`: one step all the way to 0. */
export function cleanEstimate(
  latents: Float32Array,
  velocity: Float32Array,
  sigma: number,
): Float32Array {
  return advance(latents, velocity, Math.fround(sigma))
}

/** A picture's latents with as much noise as belongs to `sigma`, as a new array. */
export function addNoise(clean: Float32Array, noise: Float32Array, sigma: number): Float32Array {
  requireSameLength(clean, noise)
  const noisePart = Math.fround(sigma)
  const cleanPart = Math.fround(1 - noisePart)
  return clean.map(
    (value, i) => Math.fround(noisePart * noise[i]!) + Math.fround(cleanPart * value),
  )
}

function advance(latents: Float32Array, velocity: Float32Array, distance: number): Float32Array {
  requireSameLength(latents, velocity)
  return latents.map((value, i) => value + Math.fround(distance * velocity[i]!))
}

/** Euclidean norm over the whole sample. */
function norm(values: Float32Array): number {
  let sum = 0
  for (const value of values) sum += value * value
  return Math.fround(Math.sqrt(sum))
}

function requireSameLength(one: Float32Array, other: Float32Array): void {
  if (one.length !== other.length) {
    throw new Error(`internal: ${one.length} values against ${other.length}`)
  }
}

function invalid(field: string, expected: string, got: number): EngineError {
  return new EngineError('spec-invalid', { field, expected, got })
}
