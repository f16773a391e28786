/**
 * Values of options: whatever a platform, a form or a typed line gives is read by the option's form
 * and is in its range afterwards, or refused by name. What a command needs and was not given can be
 * asked for with a form.
 */
import { UserError } from '../core/errors.ts'
import { textLimit } from '../core/flag-text.ts'
import { readJobId } from '../core/job-id.ts'
import { z } from 'zod'
import type { NamedKind } from './adapter.ts'
import type { OptionForm, OptionForms, OptionValue, PictureOption } from './command.ts'
import type { Words } from './i18n.ts'
import { everyLabels, type Labels, saidPath } from './labels.ts'
import type { Form, FormField } from './message.ts'

/** Options as somebody gave them, by our names. */
export type Given = Readonly<Record<string, unknown>>

/** An action whose options are read, and the words for refusals. */
export type Reading = {
  readonly path: string
  readonly forms: OptionForms
  readonly labels: Labels
  /** As the invocation has it. */
  readonly idOf?: ((kind: NamedKind, said: string) => string | undefined) | undefined
}

/** What was read, and which required options were not given. */
export type ReadOptions = {
  readonly values: Readonly<Record<string, OptionValue>>
  readonly missing: readonly string[]
}

/** From how many characters on a field has several lines. */
const longCharacters = 200
const mostIdCharacters = 64

/** Reads all options. @throws {UserError} value-invalid, text-too-long, job-unknown, words-unexpected */
export function readOptions(reading: Reading, given: Given): ReadOptions {
  const { path, forms, labels } = reading
  const stranger = Object.keys(given).find((name) => !Object.hasOwn(forms, name))
  if (stranger !== undefined) {
    throw new UserError('words-unexpected', {
      command: saidPath(path, labels),
      words: shown(stranger),
    })
  }
  const values: Record<string, OptionValue> = {}
  const missing: string[] = []
  for (const [name, form] of Object.entries(forms)) {
    const value = isAbsent(given[name]) ? undefined : readValue(reading, name, given[name])
    if (value !== undefined) values[name] = value
    else if (form.isRequired) missing.push(name)
  }
  return { values, missing }
}

/** The form that asks for options, with what is known already in its `action`. */
export function formOf(
  { path, forms, labels }: Reading,
  missing: readonly string[],
  { action, say }: { readonly action: string; readonly say: Words },
): Form {
  return {
    title: labels(path, 'name'),
    action,
    fields: missing.map((name) => fieldOf(path, name, forms[name]!, labels)),
    submitLabel: say('chat.form-submit'),
  }
}

/** The refusal of a command without a required option. */
export function missingValue({ path, labels }: Reading, name: string): UserError {
  return new UserError('value-missing', {
    option: labels(path, name, 'name'),
    command: saidPath(path, labels),
  })
}

/** A choice by its plain name or by its word in any locale. */
export function readChoice(
  path: string,
  name: string,
  typed: string,
  choices: readonly string[],
): string | undefined {
  const plain = foldedName(typed)
  return choices.find(
    (choice) =>
      foldedName(choice) === plain ||
      everyLabels.some((labels) => foldedName(labels(path, name, choice)) === plain),
  )
}

/** A name as it is compared: in any case and width. */
export function foldedName(typed: string): string {
  return typed.normalize('NFKC').trim().toLowerCase()
}

function readValue(reading: Reading, name: string, given: unknown): OptionValue | undefined {
  const form = reading.forms[name]!
  const value = valueOf(reading, name, form, given)
  if (value !== undefined) return value
  const { kind } = form
  const { least, most } = 'least' in form ? form : { least: 0, most: 0 }
  const choices = form.kind === 'choice' ? form.choices : []
  throw new UserError('value-invalid', {
    option: reading.labels(reading.path, name, 'name'),
    expected: kind,
    least,
    most,
    choices: choices.map((choice) => reading.labels(reading.path, name, choice)).join(' / '),
    got: typeof given === 'string' || typeof given === 'number' ? shown(String(given)) : '?',
  })
}

/** The value that is meant; none if it cannot be one. */
function valueOf(
  { path, idOf }: Reading,
  name: string,
  form: OptionForm,
  given: unknown,
): OptionValue | undefined {
  if (form.kind === 'picture') return readPicture(given)
  if (form.kind === 'flag' && typeof given === 'boolean') return given
  if (typeof given !== 'string' && typeof given !== 'number') return undefined
  const text = String(given).toWellFormed().trim()
  switch (form.kind) {
    case 'prompt':
      return bounded(text, textLimit)
    case 'text':
      return bounded(text, form.mostCharacters)
    case 'integer':
    case 'number':
      return readNumber(text, form)
    case 'choice':
      return readChoice(path, name, text, form.choices)
    case 'flag':
      return flagWords.get(foldedName(text))
    case 'style':
      // Which styles there are is the command's to know.
      return text.length <= mostIdCharacters ? text : undefined
    case 'job':
      return readJob(text)
    default: {
      const id = readPlatformId(text)
      return id === undefined || !idOf ? id : idOf(form.kind, id)
    }
  }
}

const flagWords: ReadonlyMap<string, boolean> = new Map([
  ...['yes', 'on', 'true', '1', '\u662f', '\u5f00', '\u958b'].map((word) => [word, true] as const),
  ...['no', 'off', 'false', '0', '\u5426', '\u5173', '\u95dc'].map(
    (word) => [word, false] as const,
  ),
])

/** @throws {UserError} text-too-long */
function bounded(text: string, limit: number): string {
  // Databases take no control characters; the breaks of lines are people's. Those that turn the
  // direction of writing would turn our own words around them.
  const plain = text
    .replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, '')
    .replaceAll(/[^\P{Cc}\n\t]/gu, ' ')
  if (plain.length > limit) throw new UserError('text-too-long', { limit, got: plain.length })
  return plain
}

function readNumber(
  text: string,
  { kind, least, most }: OptionForm & { readonly kind: 'integer' | 'number' },
): number | undefined {
  const plain = text.normalize('NFKC')
  const form = kind === 'integer' ? /^-?\d{1,15}$/ : /^-?(?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})$/
  const number = form.test(plain) ? Number(plain) : NaN
  return number >= least && number <= most ? number : undefined
}

/** @throws {UserError} job-unknown */
function readJob(text: string): string {
  const id = readJobId(text)
  if (id === undefined) throw new UserError('job-unknown', { job: shown(text) })
  return id
}

/** `42`, `@42`, `#general`, and mentions as Discord and Slack write them: `<@!42>`, `<@U42|bob>`. */
function readPlatformId(text: string): string | undefined {
  const match = /^(?:<[@#!][!&]?([\w.-]+)(?:\|[^<>|]*)?>|[@#]?([\p{L}\p{N}_.-]+))$/u.exec(text)
  const id = match?.[1] ?? match?.[2]
  return id !== undefined && id.length <= mostIdCharacters ? id : undefined
}

const pictureSchema: z.ZodType<PictureOption> = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('upload'),
    bytes: z.instanceof(Uint8Array),
    fileName: z.string(),
    owner: z.string(),
  }),
  z.object({
    kind: z.literal('ours'),
    job: z.string().regex(/^[0-9a-z]{10}$/),
    picture: z.int().min(1).max(8),
  }),
])

/** What an adapter gives, or one of ours as it is typed: `7k2mz0q9xa`, `7k2mz0q9xa/2`. */
function readPicture(given: unknown): PictureOption | undefined {
  if (typeof given !== 'string') return pictureSchema.safeParse(given).data
  const [, id = '', picture = '1'] = /^(.*?)(?:\/([1-8]))?$/s.exec(given.trim()) ?? []
  const job = readJobId(id)
  return job === undefined ? undefined : { kind: 'ours', job, picture: Number(picture) }
}

function fieldOf(path: string, name: string, form: OptionForm, labels: Labels): FormField {
  const about = labels(path, name, 'about')
  const field = {
    name,
    label: labels(path, name, 'name'),
    ...(about !== '' && { about }),
    isRequired: form.isRequired ?? false,
  }
  if (form.kind === 'picture') return { ...field, kind: 'picture' }
  if (form.kind === 'choice') {
    const choices = form.choices.map((value) => ({ value, label: labels(path, name, value) }))
    return { ...field, kind: 'choice', choices }
  }
  const mostCharacters =
    form.kind === 'prompt' ? textLimit : form.kind === 'text' ? form.mostCharacters : longCharacters
  return { ...field, kind: 'text', isLong: mostCharacters > longCharacters, mostCharacters }
}

/** Forms and typed lines give an empty field for one that was left out. */
function isAbsent(given: unknown): boolean {
  return given === undefined || given === null || (typeof given === 'string' && given.trim() === '')
}

function shown(text: string): string {
  return text.slice(0, 40).toWellFormed()
}
