/** What a spec means for a device: the work that it is, and which other jobs it may be drawn with. */
import type { Work } from './cost.ts'
import type { JobSpec } from './job-spec.ts'

/** Larger pictures fill a device alone: together they gain nothing and wait for each other. */
const mostBatchPixels = 512 * 512

/**
 * The work of a spec as far as it can be known before anything is read: a caption has about one token
 * for every four letters, and the pictures of one job are counted as if each were drawn alone.
 */
export function workOf(spec: JobSpec): Work {
  const { width, height, count, prompt, image, strength = 1, guidance } = spec
  const steps = Math.ceil(spec.evaluations * (image === undefined ? 1 : strength))
  return {
    width,
    height,
    // Guidance draws every step twice, once away from the negative prompt.
    evaluations: guidance > 0 ? 2 * steps : steps,
    pictures: count,
    batch: 1,
    captionTokens: Math.ceil(new TextEncoder().encode(prompt).length / 4),
    referencePixels: [],
    isPromptCached: false,
  }
}

/**
 * Jobs of equal keys go through the same steps side by side; none, if a job is better drawn alone:
 * it is large, has several pictures, or starts from one.
 */
export function batchKeyOf(spec: JobSpec): string | undefined {
  const { width, height, count, evaluations, guidance, image } = spec
  if (width * height > mostBatchPixels || count > 1 || image !== undefined) return undefined
  return `${width}x${height} ${evaluations} ${guidance}`
}
