/**
 * Finds flags in what people type: `a fox --ar 16:9`. Dashes, colons, equals signs and quotes are
 * taken as phones and Chinese keyboards make them. Text in double or Chinese quotes is never a flag
 * and stays as it is; of the rest, whitespace is tidied. Every character is looked at a bounded
 * number of times, so that hostile text takes linear time.
 */
import { UserError } from './errors.ts'
import { nearest } from './nearest.ts'
import { unspaced } from './script.ts'

/**
 * What follows a flag: nothing; a word without Chinese characters, a word with them (both end at
 * whitespace and Chinese punctuation), or everything up to the next flag. All may be quoted.
 */
export type FlagForm = 'none' | 'number' | 'word' | 'phrase'

/** A flag as it was said, without its dashes; `value` is empty for the form `none`. */
export type SaidFlag = { readonly name: string; readonly value: string }

/** The longest text that is read, in UTF-16 units. */
export const textLimit = 4_000

/** Pairs of marks that keep text as it is, the best for printing first. */
export const quotePairs: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\u201c', '\u201d'],
  ['\u300c', '\u300d'],
  ['\u300e', '\u300f'],
  ['\uff02', '\uff02'],
])

/** Single quotes are apostrophes in prose, but not at the beginning of a value. */
const valueQuotePairs: ReadonlyMap<string, string> = new Map([
  ...quotePairs,
  ["'", "'"],
  ['\u2018', '\u2019'],
])

const space = /\s/
const letterOrDigit = /[\p{L}\p{N}]/u
const punctuation =
  /[,.;!?)\]\u2026\u3001\u3002\uff01\uff09\uff0c\uff1a\uff1b\uff1f\u300b\u300d\u300f\u3011]/u

/** Hyphens and minus signs, also full-width: two of them always mean a flag. */
const hyphens = /[-\u2010\u2011\u2212\ufe63\uff0d]{2}(?=[\p{Script=Latin}\p{Script=Han}])/uy
/** Dashes of prose, which phones make of two hyphens: a flag only before the name of one. */
const dashes = /[\u2013\u2014\u2015\u2e3a]{1,2}(?=\p{Script=Latin})/uy
/** No flag has a Chinese name, but who types one means a flag. */
const flagName = /\p{Script=Latin}+(?:[-_]\p{Script=Latin}+)*|\p{Script=Han}+/uy
const separator = /[:\uff1a]?\s*[=\uff1d]?\s*/uy
const numberWord =
  /[^\s\u3001\u3002\uff01\uff0c\uff1b\uff1f\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]+/uy
const anyWord = /[^\s\u3001\u3002\uff01\uff0c\uff1b\uff1f]+/uy
/** What may stand after a flag in a sentence and is no part of the prompt. */
const pause = /[,.;:\u3001\u3002\uff0c\uff1a\uff1b]/uy

/**
 * Parts text into flags, in their order, and the rest.
 *
 * @throws {UserError} text-too-long, flag-unknown, flag-value-missing, flag-value-unexpected
 */
export function splitFlags(
  text: string,
  forms: ReadonlyMap<string, FlagForm>,
): { readonly prompt: string; readonly flags: readonly SaidFlag[] } {
  if (text.length > textLimit) {
    throw new UserError('text-too-long', { limit: textLimit, got: text.length })
  }
  const reader = new Reader(text, forms)
  const flags: SaidFlag[] = []
  const parts = [reader.prose()]
  while (!reader.isAtEnd) {
    flags.push(reader.flag())
    parts.push(reader.prose())
  }
  return { prompt: parts.filter((part) => part !== '').join(' '), flags }
}

class Reader {
  readonly #text: string
  readonly #forms: ReadonlyMap<string, FlagForm>
  #at = 0
  /** Where a quotation or a flag has just ended, so that another may begin. */
  #openAt = 0
  /** Closing marks of which there are no more. */
  readonly #spent = new Set<string>()

  constructor(text: string, forms: ReadonlyMap<string, FlagForm>) {
    // Databases take neither half characters nor control characters; those that turn the direction
    // of writing would turn our own words around them, and part words in two.
    this.#text = text
      .toWellFormed()
      .replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, '')
      .replaceAll(/\p{Cc}/gu, ' ')
    this.#forms = forms
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length
  }

  /** The text up to the next flag or the end, tidied. */
  prose(): string {
    let tidied = ''
    while (!this.isAtEnd && this.#flagHere() === undefined) {
      const character = this.#text[this.#at]!
      const quoted = this.#isWordBefore() ? undefined : this.#quotation(quotePairs)
      if (quoted !== undefined) {
        tidied += quoted
      } else if (!space.test(character)) {
        tidied += character
        this.#at++
      } else {
        if (tidied !== '' && !tidied.endsWith(' ')) tidied += ' '
        this.#at++
      }
    }
    return tidied.trimEnd()
  }

  /** The flag that is here. */
  flag(): SaidFlag {
    const { name, end } = this.#flagHere()!
    const form = this.#forms.get(name)!
    this.#at = end
    const value = form === 'none' ? this.#nothing(name) : this.#value(name, form)
    this.#match(pause)
    this.#openAt = this.#at
    return { name, value }
  }

  /**
   * The name of the flag that begins here, if one does, and where the name ends.
   * @throws {UserError} flag-unknown
   */
  #flagHere(): { readonly name: string; readonly end: number } | undefined {
    const before = this.#text[this.#at - 1]
    const isOpen = this.#at === this.#openAt || before === undefined || space.test(before)
    const isTight = !isOpen && (unspaced.test(before) || punctuation.test(before))
    if (!isOpen && !isTight) return undefined
    const hyphensHere = matchAt(hyphens, this.#text, this.#at)
    const mark = hyphensHere ?? matchAt(dashes, this.#text, this.#at)
    if (mark === undefined) return undefined
    const typed = matchAt(flagName, this.#text, this.#at + mark.length)!
    const name = typed.normalize('NFKC').toLowerCase()
    if (this.#forms.has(name)) return { name, end: this.#at + mark.length + typed.length }
    if (isTight) return undefined
    const flags = [...this.#forms.keys()]
    const likely = name.length <= 40 ? nearest(name, flags) : undefined
    if (hyphensHere === undefined && likely === undefined) return undefined
    throw new UserError('flag-unknown', {
      flag: `--${typed.slice(0, 40)}`,
      nearest: likely === undefined ? 'none' : `--${likely}`,
      flags: flags.map((flag) => `--${flag}`).join(' '),
    })
  }

  #nothing(name: string): string {
    const equals = /[=\uff1d]/.test(this.#text[this.#at] ?? '')
    if (equals) throw new UserError('flag-value-unexpected', { flag: `--${name}` })
    return ''
  }

  #value(name: string, form: Exclude<FlagForm, 'none'>): string {
    this.#match(separator)
    this.#openAt = this.#at
    const value = this.#quotation(valueQuotePairs)?.slice(1, -1) ?? this.#bareValue(form)
    if (value.trim() === '') throw new UserError('flag-value-missing', { flag: `--${name}` })
    return value
  }

  #bareValue(form: Exclude<FlagForm, 'none'>): string {
    if (form === 'phrase') return this.prose()
    if (this.#flagHere() !== undefined) return ''
    const word = this.#match(form === 'number' ? numberWord : anyWord)
    return word.replace(/[,.;!?]{1,3}$/, '')
  }

  /** The quotation that begins here, marks included, if it ends somewhere. */
  #quotation(pairs: ReadonlyMap<string, string>): string | undefined {
    const closing = pairs.get(this.#text[this.#at] ?? '')
    if (closing === undefined || this.#spent.has(closing)) return undefined
    const end = this.#text.indexOf(closing, this.#at + 1)
    if (end < 0) {
      this.#spent.add(closing)
      return undefined
    }
    const quoted = this.#text.slice(this.#at, end + 1)
    this.#at = this.#openAt = end + 1
    return quoted
  }

  /** Whether a quote here would be a measure (5") or an apostrophe rather than an opening mark. */
  #isWordBefore(): boolean {
    const before = this.#text[this.#at - 1]
    if (before === undefined || this.#at === this.#openAt) return false
    return letterOrDigit.test(before) && !unspaced.test(before)
  }

  /** Steps over what a sticky pattern finds here, which may be nothing. */
  #match(pattern: RegExp): string {
    const found = matchAt(pattern, this.#text, this.#at) ?? ''
    this.#at += found.length
    return found
  }
}

/** What a sticky pattern finds at an index. */
function matchAt(pattern: RegExp, text: string, index: number): string | undefined {
  pattern.lastIndex = index
  return pattern.exec(text)?.[0]
}
