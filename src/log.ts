/**
 * The log: one JSON object a line on stderr, or one readable line each where that is a terminal. It
 * tells facts, never secrets (known ones and passwords in URLs are struck out wherever they stand)
 * and, unless the operator allows it, nothing that people wanted drawn. The only file that knows
 * pino.
 */
import { pino } from 'pino'
import { z } from 'zod'
import type { LogLevel } from './config.ts'

/** What a line is about, by name: numbers, ids, durations, an `error`, a `spec`. */
export type Facts = Readonly<Record<string, unknown>>

/** Writes lines; the text is a short fixed sentence, what varies stands in the facts. */
export type Log = {
  readonly debug: (facts: Facts, text: string) => void
  readonly info: (facts: Facts, text: string) => void
  readonly warn: (facts: Facts, text: string) => void
  readonly error: (facts: Facts, text: string) => void
  /** The same log, its lines marked as of a part of the house. */
  readonly of: (component: string) => Log
}

/** Where to and how. */
export type LogOptions = {
  readonly level: LogLevel
  readonly hasPrompts: boolean
  /** Whatever must not appear, in no line. */
  readonly secrets: readonly string[]
  /** stderr, if none is given. */
  readonly stream?: Stream
}

/** As much of a stream as a log needs. */
export type Stream = { readonly isTTY?: boolean; write(text: string): unknown }

/** Opens a log. */
export function openLog(options: LogOptions): Log {
  const { level, hasPrompts, secrets, stream = process.stderr } = options
  const strike = strikeOut(secrets)
  const write = (line: string): void => {
    const safe = strike(line)
    stream.write(stream.isTTY === true ? readable(safe) : safe)
  }
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'text',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (facts) => plain(facts, hasPrompts),
      },
    },
    { write },
  )
  return logOf(logger)
}

function logOf(logger: pino.Logger): Log {
  return {
    debug: (facts, text) => logger.debug(facts, text),
    info: (facts, text) => logger.info(facts, text),
    warn: (facts, text) => logger.warn(facts, text),
    error: (facts, text) => logger.error(facts, text),
    of: (component) => logOf(logger.child({ component })),
  }
}

/** Names under which people's words travel. */
const promptNames: ReadonlySet<string> = new Set([
  'prompt',
  'negativePrompt',
  'asked',
  'instruction',
  'appeal',
])
const secretName = /token|secret|password|authorization|cookie|api_?key/i
const deepest = 5
const longest = 2_000

/** Facts as JSON can hold them, without secrets and, unless they are allowed, without prompts. */
function plain(facts: Facts, hasPrompts: boolean): Record<string, unknown> {
  const safe = (name: string, value: unknown, depth: number): unknown => {
    if (secretName.test(name) && typeof value === 'string') return '***'
    if (promptNames.has(name) && !hasPrompts && typeof value === 'string') {
      return `(${value.length} characters)`
    }
    if (typeof value === 'bigint') return Number(value)
    if (typeof value === 'string') return value.slice(0, longest)
    if (typeof value !== 'object' || value === null) return value
    if (value instanceof Date) return value.toISOString()
    if (ArrayBuffer.isView(value)) return `(${value.byteLength} bytes)`
    if (depth >= deepest) return '(more)'
    if (Array.isArray(value)) return value.map((item) => safe('', item, depth + 1))
    const entries = value instanceof Error ? errorEntries(value) : Object.entries(value)
    return Object.fromEntries(entries.map(([key, item]) => [key, safe(key, item, depth + 1)]))
  }
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, safe(name, value, 0)]),
  )
}

/**
 * What of an error is told. Careful: Prisma's messages show the statement's values before their last
 * line, and a stack repeats the message; both could hold a prompt.
 */
function errorEntries(error: Error): [string, unknown][] {
  const { name, message, stack = '', cause } = error
  const isPrisma = name.startsWith('PrismaClient')
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line))
  return [
    ['name', name],
    ...('code' in error ? [['code', error.code] satisfies [string, unknown]] : []),
    ['message', isPrisma ? message.trim().split('\n').at(-1) : message],
    ['stack', frames.map((line) => line.trim()).join('\n')],
    ...(cause === undefined ? [] : [['cause', cause] satisfies [string, unknown]]),
  ]
}

/** Takes known secrets, and passwords in URLs, out of a text or a line of JSON. */
export function strikeOut(secrets: readonly string[]): (line: string) => string {
  // Shorter ones would take ordinary words apart; no rule of ours allows one.
  const known = secrets.filter((secret) => secret.length >= 4)
  const forms = new Set(known.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]))
  return (line) => {
    let safe = line.replaceAll(/(\b[a-z][a-z\d+.-]*:\/\/[^\s:/@"]*:)[^\s@"]+@/gi, '$1***@')
    for (const form of forms) safe = safe.replaceAll(form, '***')
    return safe
  }
}

const lineForm = z.looseObject({
  time: z.string(),
  level: z.string(),
  component: z.string().optional(),
  text: z.string(),
})

/** `12:03:04.005 warn  worker: text  job=7k2mz0q9xa waitMs=12`, whatever is in the facts. */
function readable(line: string): string {
  const { time, level, component, text, ...facts } = lineForm.parse(JSON.parse(line))
  const told = Object.entries(facts).map(([name, value]) => `${name}=${oneLine(value)}`)
  const said = component === undefined ? text : `${component}: ${text}`
  const start = `${time.slice(11, 23)} ${level.padEnd(5)} ${said}`
  return `${[start, ...told].join('  ')}\n`
}

/** A value without anything that moves a terminal's cursor. */
function oneLine(value: unknown): string {
  const json = JSON.stringify(value) ?? 'undefined'
  const bare = typeof value === 'string' && /^[\w./:@*-]+$/.test(value) ? value : json
  return bare.replaceAll(/[\p{Cc}\p{Cf}]/gu, (character) => {
    return `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`
  })
}
