/**
 * The styles that come with the locales. Each has one key, a name in every language by which it is
 * found, and words in every language: those around a prompt are in the prompt's own.
 */
import { type Style, place } from '../core/style.ts'
import type { NamedStyle, Unsaid } from '../core/wish.ts'
import { type Locale, words } from './i18n.ts'

/** Keys of the presets, in the order in which they are shown. */
export const presetKeys = [
  'photo',
  'film',
  'watercolor',
  'oil-painting',
  'ink-wash',
  'ukiyo-e',
  'sketch',
  'line-art',
  'anime',
  'pixel-art',
  'paper-cut',
  '3d',
] as const

/** The key of a preset. */
export type PresetKey = (typeof presetKeys)[number]

const speakers = { 'en-US': words('en-US'), 'zh-CN': words('zh-CN') } as const
const locales = ['en-US', 'zh-CN'] as const satisfies readonly Locale[]

/** A guild's own styles, which hide presets of the same name, and the presets. */
export function stylesBeside(own: readonly Style[]): Unsaid['styles'] {
  const guilds = own.map((style) => ({ ...style, key: style.name }))
  return (prompt) => [...guilds, ...presetsFor(prompt)]
}

/** Whether a style is one of ours. */
export function isPresetKey(name: string): name is PresetKey {
  return presetKeys.some((key) => key === name)
}

/** Every preset under each of its names, with words in the prompt's language. */
function presetsFor(prompt: string): NamedStyle[] {
  const say = speakers[/\p{Script=Han}/u.test(prompt) ? 'zh-CN' : 'en-US']
  return presetKeys.flatMap((key) => {
    const template = say(`styles.${key}.template`, { prompt: place })
    const names = locales.map((locale) => speakers[locale](`styles.${key}.name`))
    return [...new Set([key, ...names])].map((name) => ({ name, key, template }))
  })
}
