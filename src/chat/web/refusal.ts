/**
 * Why a request is not answered, as one sentence in the language of whoever asked. Nobody's own
 * words and nothing of our inside is in it.
 */
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { Log } from '../../log.ts'
import {
  errorSentence,
  type Locale,
  localeFor,
  type MessageKey,
  type Words,
  words,
} from '../i18n.ts'

/** A refusal that the playground has a sentence for. */
export class Refused extends Error {
  readonly statusCode: number
  readonly key: MessageKey
  readonly params: Readonly<Record<string, string | number>>

  constructor(statusCode: number, key: MessageKey, params: Refused['params'] = {}) {
    super(`${statusCode}: ${key}`)
    this.name = 'Refused'
    this.statusCode = statusCode
    this.key = key
    this.params = params
  }
}

/** The body of every answer that refuses. */
export type Refusal = { readonly error: string }

const speakers: Readonly<Record<Locale, Words>> = {
  'en-US': words('en-US'),
  'zh-CN': words('zh-CN'),
}

/** The locale that a request names. */
export const localeName = z.enum(['en-US', 'zh-CN'])

const withLocale = z.object({ locale: localeName })

/** The locale that a request asks for, in its address or its body, else its browser's. */
export function localeOf({ query, body, headers }: FastifyRequest): Locale {
  const named = withLocale.safeParse(query).data ?? withLocale.safeParse(body).data
  return named?.locale ?? localeFor(headers['accept-language'])
}

/** Speaks the language of a locale. */
export function speaker(locale: Locale): Words {
  return speakers[locale]
}

/** The same in every locale. */
export function inEveryLocale<T>(of: (locale: Locale) => T): Record<Locale, T> {
  return { 'en-US': of('en-US'), 'zh-CN': of('zh-CN') }
}

/** An error as a sentence; one that nobody expected goes to the log with its stack. */
export function refusalOf(error: unknown, say: Words, log: Pick<Log, 'error'>): Refusal {
  if (error instanceof UserError) return { error: errorSentence(say, error) }
  if (error instanceof Refused) return { error: say(error.key, error.params) }
  const status = statusOf(error)
  if (status >= 500) {
    log.error({ error }, 'a request to the playground failed')
    return { error: say('web.broken') }
  }
  return { error: say(status === 413 ? 'web.request-too-large' : 'web.request-invalid') }
}

/** The HTTP status of an error: 400 for what its sender can mend, else its own, or 500. */
export function statusOf(error: unknown): number {
  if (error instanceof z.ZodError || error instanceof UserError) return 400
  const given = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined
  return typeof given === 'number' ? given : 500
}
