/**
 * Settings of a guild as moderators read and type them: numbers, yes or no, and the language. The
 * weight is not among them, being for operators.
 */
import { UserError } from './errors.ts'
import {
  defaultSettings,
  type Guild,
  isNumberSetting,
  type NumberSetting,
  settingRanges,
  withSetting,
} from './guild.ts'
import { nearest } from './nearest.ts'

/** Every setting that moderators can change by its name. */
export const settingNames = [
  'memberInFlight',
  'memberQueued',
  'guildQueued',
  'mostWaitMinutes',
  'memberPerMinute',
  'guildPerMinute',
  'mostPictures',
  'mostEvaluations',
  'mostSide',
  'mostPixels',
  'retentionDays',
  'hasPreviews',
  'hasRecipes',
  'locale',
] as const

/** The name of a setting. */
export type SettingName = (typeof settingNames)[number]

/** What of a guild can be set so. */
export type Settable = Pick<Guild, 'settings' | 'locale'>

/** What can be chosen where no number is asked for. */
const choices = {
  hasPreviews: ['yes', 'no'],
  hasRecipes: ['yes', 'no'],
  locale: ['en-US', 'zh-CN'],
} as const

/** What people may type for a choice; everything else is taken as it stands. */
const otherwise: ReadonlyMap<string, string> = new Map([
  ['on', 'yes'],
  ['true', 'yes'],
  ['1', 'yes'],
  ['\u662f', 'yes'],
  ['\u5f00', 'yes'],
  ['off', 'no'],
  ['false', 'no'],
  ['0', 'no'],
  ['\u5426', 'no'],
  ['\u5173', 'no'],
  ['en', 'en-US'],
  ['english', 'en-US'],
  ['\u82f1\u6587', 'en-US'],
  ['zh', 'zh-CN'],
  ['\u4e2d\u6587', 'zh-CN'],
])

/** A setting as it is now: digits, yes, no, or a locale. */
export function settingText({ settings, locale }: Settable, name: SettingName): string {
  if (name === 'locale') return locale
  const value = settings[name]
  return typeof value === 'number' ? String(value) : value ? 'yes' : 'no'
}

/** A setting of a guild that has set nothing; its language has no default. */
export function defaultText(name: Exclude<SettingName, 'locale'>): string {
  return settingText({ settings: defaultSettings, locale: '' }, name)
}

/** From where to where a setting goes, if it is a number. */
export function rangeOf(name: SettingName): (typeof settingRanges)[NumberSetting] | undefined {
  return isNumberSetting(name) ? settingRanges[name] : undefined
}

/** A guild with one setting as somebody typed it. @throws {UserError} setting-invalid, setting-not-offered */
export function withTyped<Some extends Settable>(
  guild: Some,
  name: SettingName,
  typed: string,
): Some {
  const plain = typed.normalize('NFKC').trim()
  if (isNumberSetting(name)) {
    const number = /^[+-]?\d{1,12}(?:\.\d{1,6})?$/.test(plain) ? Number(plain) : NaN
    if (Number.isNaN(number)) {
      const { least, most } = settingRanges[name]
      const got = typed.slice(0, 40).toWellFormed()
      const facts = { setting: name, least, most, got, nearest: settingText(guild, name) }
      throw new UserError('setting-invalid', facts)
    }
    return { ...guild, settings: withSetting(guild.settings, name, number) }
  }
  const said = otherwise.get(plain.toLowerCase()) ?? plain
  const offered: readonly string[] = choices[name]
  const chosen = offered.find((choice) => choice.toLowerCase() === said.toLowerCase())
  if (chosen === undefined) {
    throw new UserError('setting-not-offered', {
      setting: name,
      offered: offered.join(' / '),
      got: typed.slice(0, 40).toWellFormed(),
      nearest: nearest(said, offered) ?? 'none',
    })
  }
  if (name === 'locale') return { ...guild, locale: chosen }
  return { ...guild, settings: { ...guild.settings, [name]: chosen === 'yes' } }
}
