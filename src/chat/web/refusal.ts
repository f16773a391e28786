/**
 * Why there is no picture, as sentences in every locale at once: the page shows the one of its
 * language and still has the other when somebody switches. Nobody's own words and nothing of our
 * inside is in them.
 */
import { UserError } from '../../core/errors.ts'
import { type Locale, type MessageKey, type Words, errorSentence, words } from '../i18n.ts'
import { WishError, promptLimit } from './wish.ts'

/** The last line of a stream that ends without its pictures, or the only one. */
export type Refusal = {
  readonly type: 'error'
  readonly sentences: Readonly<Record<Locale, string>>
  /** The field of the wish that is to blame, if one is. */
  readonly field?: string
}

const speakers: Readonly<Record<Locale, Words>> = {
  'en-US': words('en-US'),
  'zh-CN': words('zh-CN'),
}

/** The same in every locale. */
export function inEveryLocale<T>(of: (say: Words, locale: Locale) => T): Record<Locale, T> {
  return { 'en-US': of(speakers['en-US'], 'en-US'), 'zh-CN': of(speakers['zh-CN'], 'zh-CN') }
}

/** An error as sentences; one that nobody expected goes to the log with its stack. */
export function refusalOf(error: unknown, log: (line: string) => void): Refusal {
  if (error instanceof UserError) {
    const field = error.code.startsWith('image-') ? 'image' : error.params.field
    return refusal((say) => errorSentence(say, error), field)
  }
  if (error instanceof WishError) {
    return refusal((say) => say(error.key, { limit: promptLimit }), error.field)
  }
  const status = statusOf(error)
  if (status >= 500) log(`web: ${error instanceof Error ? error.stack : String(error)}`)
  const key: MessageKey =
    status >= 500 ? 'web.broken' : status === 413 ? 'web.request-too-large' : 'web.request-invalid'
  return refusal((say) => say(key))
}

/** The HTTP status of an error: 400 for what its sender can mend, else what Fastify gave it, or 500. */
export function statusOf(error: unknown): number {
  if (error instanceof WishError || error instanceof UserError) return 400
  const given = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  return typeof given === 'number' ? given : 500
}

function refusal(of: (say: Words) => string, field?: string | number): Refusal {
  const sentences = inEveryLocale(of)
  return { type: 'error', sentences, ...(field === undefined ? {} : { field: String(field) }) }
}
