/**
 * From what somebody typed and chose to a spec: what they said holds, then what the job says that
 * they began from, then their own preferences, then what the model draws best. What nobody chose is
 * brought within the guild's limits; what somebody did choose is left for admission to judge.
 */
import { UserError } from './errors.ts'
import { textLimit } from './flag-text.ts'
import type { PromptOptions } from './flags.ts'
import type { JobSpec, SpecLimits } from './job-spec.ts'
import { unspaced } from './script.ts'
import { type Size, nearestSize, readAspect, redrawnSize, sizeOfAspect } from './size.ts'
import { type Style, findStyle, styled } from './style.ts'

/** What a model draws when nothing is said. */
export type ModelDefaults = Size & { readonly evaluations: number; readonly guidance: number }

/** What a member's jobs begin with. */
export type Preferences = {
  /** Such as `16:9`. */
  readonly shape?: string
  readonly count?: number
  readonly style?: string
}

/** A style under one of the names by which it can be found. */
export type NamedStyle = Style & {
  /** The name that specs keep. */
  readonly key: string
}

/** A picture to start from. */
export type StartPicture = Size & {
  /** Its blob. */
  readonly key: string
  /** Whose upload it is, by the platform's id. */
  readonly owner?: string
  /** The job that drew it. */
  readonly parent?: string
}

/** What is drawn where nothing was said. */
export type Unsaid = {
  readonly model: ModelDefaults
  readonly limits: SpecLimits
  readonly preferences: Preferences
  /** Every style that can be named, with its words in the language of the prompt. */
  readonly styles: (prompt: string) => readonly NamedStyle[]
  readonly seed: number
}

/** A job that another one is made of. */
export type Parent = { readonly id: string; readonly spec: JobSpec }

/** How much of a picture is redrawn unless somebody says. */
export const defaultStrength = 0.6

/** Preferences as they were stored; what cannot be one is dropped. */
export function readPreferences(stored: Readonly<Record<string, unknown>>): Preferences {
  const { shape, count, style } = stored
  return {
    ...(typeof shape === 'string' && readAspect(shape) && { shape }),
    ...(typeof count === 'number' && count >= 1 && count <= 8 && { count: Math.round(count) }),
    ...(typeof style === 'string' && { style }),
  }
}

/** A spec from words, and from a picture if there is one. @throws {UserError} prompt-empty, style-unknown */
export function imagined(said: PromptOptions, unsaid: Unsaid, start?: StartPicture): JobSpec {
  const { model, limits, preferences } = unsaid
  return {
    kind: 'imagine',
    ...inStyle(said, unsaid, preferences.style),
    ...sizeOf(said, unsaid, start),
    seed: said.seed ?? unsaid.seed,
    count: said.count ?? Math.min(preferences.count ?? 1, limits.mostPictures),
    evaluations: said.evaluations ?? Math.min(model.evaluations, limits.mostEvaluations),
    guidance: said.guidance ?? model.guidance,
    ...(start && startOf(start, defaultStrength)),
    isRaw: said.isRaw,
    isPrivate: said.isPrivate,
  }
}

/**
 * A spec that changes a picture. By image-to-image a model needs the whole of a picture described,
 * so what is to change follows what the picture's job described, unless it is to be taken raw.
 *
 * @throws {UserError} prompt-empty, text-too-long, style-unknown
 */
export function edited(
  said: PromptOptions,
  unsaid: Unsaid,
  start: StartPicture,
  { parent, strength = defaultStrength }: { readonly parent?: Parent; readonly strength?: number },
): JobSpec {
  const { model, limits } = unsaid
  const before = parent?.spec
  const negativePrompt = said.negativePrompt ?? before?.negativePrompt
  const described = {
    prompt: before && !said.isRaw ? joined(wordsOf(before), said.prompt) : said.prompt,
    ...(negativePrompt !== undefined && { negativePrompt }),
  }
  if (said.prompt === '') throw new UserError('prompt-empty', {})
  return {
    kind: 'edit',
    ...inStyle({ ...said, ...described }, unsaid, before?.style),
    ...sizeOf(said, unsaid, start),
    seed: said.seed ?? unsaid.seed,
    count: said.count ?? 1,
    evaluations:
      said.evaluations ??
      before?.evaluations ??
      Math.min(model.evaluations, limits.mostEvaluations),
    guidance: said.guidance ?? before?.guidance ?? model.guidance,
    ...startOf(start, strength),
    isRaw: said.isRaw,
    isPrivate: said.isPrivate || before?.isPrivate === true,
  }
}

/**
 * A spec that draws a job once more: everything that is not said is its parent's, but for the seed,
 * which is kept only if that is asked for. Of one picture of the parent, one picture.
 *
 * @throws {UserError} style-unknown
 */
export function varied(
  said: PromptOptions,
  unsaid: Unsaid,
  parent: Parent,
  { picture, isSameSeed }: { readonly picture?: number | undefined; readonly isSameSeed: boolean },
): JobSpec {
  const { spec } = parent
  const isReworded = said.prompt !== '' || said.negativePrompt !== undefined
  const isRestyled = said.style !== undefined || said.isRaw
  const negativePrompt = said.negativePrompt ?? spec.negativePrompt
  const style = said.isRaw ? undefined : (said.style ?? spec.style)
  const isRaw = said.isRaw || (spec.isRaw && said.style === undefined)
  const words = {
    prompt: said.prompt === '' ? wordsOf(spec) : said.prompt,
    ...(negativePrompt !== undefined && { negativePrompt }),
    ...(said.style !== undefined && { style: said.style }),
    isRaw,
  }
  const { prompt, asked, negativePrompt: _, style: __, ...rest } = spec
  const size = said.size ?? said.aspect
  return {
    ...rest,
    kind: 'again',
    ...(isReworded || isRestyled
      ? inStyle(words, unsaid, style)
      : {
          prompt,
          ...(asked !== undefined && { asked }),
          ...(negativePrompt !== undefined && { negativePrompt }),
          ...(style !== undefined && { style }),
        }),
    ...(size !== undefined && sizeOf(said, unsaid)),
    seed: said.seed ?? (isSameSeed ? seedOf(spec, picture) : unsaid.seed),
    count: said.count ?? (picture === undefined ? spec.count : 1),
    evaluations: said.evaluations ?? spec.evaluations,
    guidance: said.guidance ?? spec.guidance,
    isRaw,
    isPrivate: said.isPrivate || spec.isPrivate,
    parent: parent.id,
  }
}

/** The seed of a picture, counted from 1, of a job. */
export function seedOf({ seed }: JobSpec, picture = 1): number {
  return (seed + picture - 1) % 2 ** 32
}

/** What a member said for a job, without its style. */
export function wordsOf({ asked, prompt }: JobSpec): string {
  return asked ?? prompt
}

/** Words and the style around them: one that was named, or `usual`, which may be gone by now. */
function inStyle(
  said: Pick<PromptOptions, 'prompt' | 'negativePrompt' | 'style' | 'isRaw'>,
  { styles }: Unsaid,
  usual: string | undefined,
): Pick<JobSpec, 'prompt' | 'asked' | 'negativePrompt' | 'style'> {
  const { prompt, negativePrompt } = said
  if (prompt === '') throw new UserError('prompt-empty', {})
  const asked = { prompt, ...(negativePrompt !== undefined && { negativePrompt }) }
  if (said.isRaw) return asked
  const known = styles(prompt)
  const style =
    said.style === undefined ? known.find(({ key }) => key === usual) : findStyle(said.style, known)
  if (style === undefined) return asked
  return { ...styled(asked, style), asked: prompt, style: style.key }
}

function sizeOf(
  said: Pick<PromptOptions, 'size' | 'aspect'>,
  { model, limits, preferences }: Unsaid,
  start?: StartPicture,
): Size {
  if (said.size !== undefined) return said.size
  const usual = start === undefined ? readAspect(preferences.shape ?? '') : undefined
  const aspect = said.aspect ?? usual
  if (aspect !== undefined) {
    return nearestSize(sizeOfAspect(aspect, model, limits.mostPixels), limits)
  }
  return start ? redrawnSize(start, model, limits) : nearestSize(model, limits)
}

function startOf(
  { key, owner, parent }: StartPicture,
  strength: number,
): Pick<JobSpec, 'image' | 'imageOwner' | 'strength' | 'parent'> {
  return {
    image: key,
    strength,
    ...(owner !== undefined && { imageOwner: owner }),
    ...(parent !== undefined && { parent }),
  }
}

/** A description and what is to change of it. @throws {UserError} text-too-long */
function joined(description: string, change: string): string {
  const comma = unspaced.test(change) ? '\uff0c' : ', '
  const text = `${description}${comma}${change}`
  if (text.length > textLimit) {
    throw new UserError('text-too-long', { limit: textLimit, got: text.length })
  }
  return text
}
