/**
 * The words of every surface: sentences in ICU MessageFormat under flat keys, one file a locale.
 * `en-US.json` types the keys; a test holds the other files to its keys and arguments.
 */
import { IntlMessageFormat } from 'intl-messageformat'
import enUS from '../../locales/en-US.json' with { type: 'json' }
import zhCN from '../../locales/zh-CN.json' with { type: 'json' }
import type { UserError } from '../core/errors.ts'

/** The locales that have a catalogue. */
export type Locale = 'en-US' | 'zh-CN'

/** The key of a sentence, such as `cli.saved`. */
export type MessageKey = keyof typeof enUS

/** Says a sentence in the locale it was made for; `params` fill the sentence's arguments. */
export type Words = (key: MessageKey, params?: Readonly<Record<string, string | number>>) => string

/** Every catalogue, raw, as the files hold it. */
export const catalogues: Readonly<Record<Locale, Readonly<Record<MessageKey, string>>>> = {
  'en-US': enUS,
  'zh-CN': zhCN,
}

/** The speaker of a locale; sentences are parsed once, at first use. */
export function words(locale: Locale): Words {
  const parsed = new Map<MessageKey, IntlMessageFormat>()
  return (key, params) => {
    let message = parsed.get(key)
    if (message === undefined) {
      // Tags are off: a sentence may say <file> or a < b.
      message = new IntlMessageFormat(catalogues[locale][key], locale, {}, { ignoreTag: true })
      parsed.set(key, message)
    }
    return String(message.format(params))
  }
}

/** The sentence of an expected failure. */
export function errorSentence(say: Words, error: UserError): string {
  return say(`errors.${error.code}`, error.params)
}

/**
 * The locale that serves someone best: the first language we speak in an `Accept-Language` value
 * (by its weights) or a `LANG` value such as `zh_TW.UTF-8`; English when there is none.
 */
export function localeFor(tags: string | undefined): Locale {
  const wanted = (tags ?? '')
    .split(',')
    .map((part) => {
      const [tag = '', ...parameters] = part.split(';')
      const weight = parameters.map((text) => /^\s*q=([\d.]+)\s*$/.exec(text)?.[1]).find(Boolean)
      return { language: languageOf(tag), weight: weight === undefined ? 1 : Number(weight) }
    })
    .filter(({ weight }) => weight > 0)
    .toSorted((a, b) => b.weight - a.weight)
  for (const { language } of wanted) {
    if (language === 'zh') return 'zh-CN'
    if (language === 'en') return 'en-US'
  }
  return 'en-US'
}

/** `zh` of `zh-Hant-TW`, `zh_TW.UTF-8` or `ZH`. */
function languageOf(tag: string): string {
  return tag
    .trim()
    .toLowerCase()
    .split(/[-_.@]/, 1)[0]!
}
