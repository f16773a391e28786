/**
 * Styles: names for words put around a prompt. The presets come with the locales, a guild adds its
 * own; a guild's style hides a preset of the same name.
 */
import { UserError } from './errors.ts'
import { nearest } from './nearest.ts'

/** A style, platform-neutral and JSON-able. */
export type Style = {
  readonly name: string
  /** Words with `place` in them once. */
  readonly template: string
  /** What to keep away from, in addition to what the member says. */
  readonly negativePrompt?: string
}

/** The longest name, in UTF-16 units. */
export const nameLimit = 32

/** The longest template, in UTF-16 units. */
export const templateLimit = 500

/** What a template says where the member's words go. */
export const place = '{prompt}'

/** A style's name as it is compared: any case and width; none if it cannot be a name. */
export function readStyleName(typed: string): string | undefined {
  if (typed.length > 64) return undefined
  const name = typed.normalize('NFKC').trim().toLowerCase()
  const isName = name.length <= nameLimit && /^[\p{L}\p{N}][\p{L}\p{M}\p{N}_-]*$/u.test(name)
  return isName ? name : undefined
}

/** A style that a guild adds. @throws {UserError} style-invalid */
export function checkedStyle({ name, template, negativePrompt = '' }: Style): Style {
  const plainName = readStyleName(name)
  const isTemplate = template.length <= templateLimit && template.split(place).length === 2
  if (plainName === undefined) throw invalid('name', nameLimit)
  if (!isTemplate) throw invalid('template', templateLimit)
  if (negativePrompt.length > templateLimit) throw invalid('negative', templateLimit)
  return { name: plainName, template, ...(negativePrompt === '' ? {} : { negativePrompt }) }
}

/** The style of that name, the first if several have it. @throws {UserError} style-unknown */
export function findStyle<Found extends Style>(typed: string, styles: readonly Found[]): Found {
  const name = readStyleName(typed)
  const found = styles.find((style) => readStyleName(style.name) === name)
  if (name !== undefined && found !== undefined) return found
  const names = styles.map((style) => style.name)
  const likely = nearest(name ?? '', names) ?? 'none'
  throw new UserError('style-unknown', {
    style: typed.slice(0, 40).toWellFormed(),
    nearest: likely,
  })
}

/** A prompt and what to keep away from, in a style. */
export function styled(
  asked: { readonly prompt: string; readonly negativePrompt?: string },
  style: Style,
): { readonly prompt: string; readonly negativePrompt?: string } {
  // Careful: not replace(), which reads $& and the like in what the member wrote.
  const prompt = style.template.split(place).join(asked.prompt)
  const { negativePrompt: own = '' } = asked
  // What was styled before has the style's at its end.
  const added = own.endsWith(style.negativePrompt ?? '') ? '' : style.negativePrompt
  const negatives = [own, added].filter(Boolean)
  return { prompt, ...(negatives.length > 0 ? { negativePrompt: negatives.join(', ') } : {}) }
}

function invalid(field: string, limit: number): UserError {
  return new UserError('style-invalid', { field, limit, place })
}
