/**
 * Options that people type into the text of a prompt, such as `--ar 16:9 --seed 7`. Only their form
 * is judged here; how large and how many is for admission. Printed options read the same again.
 */
import { UserError } from './errors.ts'
import { type FlagForm, quotePairs, splitFlags } from './flag-text.ts'
import { type Aspect, type Size, mostElongation, readAspect, readSize, sizeText } from './size.ts'
import { readStyleName } from './style.ts'

/** What a text says; what is absent was not said. At most one of `aspect` and `size` is there. */
export type PromptOptions = {
  readonly prompt: string
  readonly aspect?: Aspect
  readonly size?: Size
  readonly seed?: number
  readonly count?: number
  readonly evaluations?: number
  readonly guidance?: number
  readonly negativePrompt?: string
  readonly style?: string
  readonly isRaw: boolean
  readonly isPrivate: boolean
}

const forms = new Map<string, FlagForm>([
  ['ar', 'number'],
  ['size', 'number'],
  ['seed', 'number'],
  ['n', 'number'],
  ['steps', 'number'],
  ['guidance', 'number'],
  ['no', 'phrase'],
  ['style', 'word'],
  ['raw', 'none'],
  ['private', 'none'],
])

/** Flags whose value is a number, with the field they set and its range. */
const numbers = {
  seed: { field: 'seed', least: 0, most: 2 ** 32 - 1, expected: 'whole' },
  n: { field: 'count', least: 1, most: 8, expected: 'whole' },
  steps: { field: 'evaluations', least: 1, most: 200, expected: 'whole' },
  guidance: { field: 'guidance', least: 0, most: 30, expected: 'number' },
} as const

const numberForms = { whole: /^\d{1,10}$/, number: /^(?:\d{1,3}(?:\.\d{0,6})?|\.\d{1,6})$/ }

/**
 * Reads the flags in a text; what remains is the prompt, which may be empty. Of a flag said twice,
 * and of --ar and --size, the last one holds.
 *
 * @throws {UserError} text-too-long, flag-unknown, flag-value-missing, flag-value-unexpected,
 *   flag-invalid
 */
export function readPrompt(text: string): PromptOptions {
  const { prompt, flags } = splitFlags(text, forms)
  let options: PromptOptions = { prompt, isRaw: false, isPrivate: false }
  let shape: Pick<PromptOptions, 'aspect' | 'size'> = {}
  for (const { name, value } of flags) {
    if (name === 'ar') shape = { aspect: read(name, value, readAspect) }
    else if (name === 'size') shape = { size: read(name, value, readSize) }
    else options = { ...options, ...readField(name, value) }
  }
  return { ...options, ...shape }
}

/**
 * The text that says these options: the prompt, then its flags. Before a prompt with quotation marks
 * the flags come first, since a mark left open might take them in.
 */
export function printPrompt(options: PromptOptions): string {
  const { prompt, aspect, size, style, negativePrompt, isRaw, isPrivate } = options
  const said: string[] = []
  if (aspect) said.push(`--ar ${aspect.across}:${aspect.down}`)
  if (size) said.push(`--size ${sizeText(size)}`)
  for (const [flag, { field }] of Object.entries(numbers)) {
    const value = options[field]
    if (value !== undefined) said.push(`--${flag} ${value}`)
  }
  if (style !== undefined) said.push(`--style ${style}`)
  if (isRaw) said.push('--raw')
  if (isPrivate) said.push('--private')
  if (negativePrompt !== undefined) said.push(`--no ${quoted(negativePrompt)}`)
  const flags = said.join(' ')
  const hasMarks = [...quotePairs.keys()].some((opening) => prompt.includes(opening))
  return (hasMarks ? [flags, prompt] : [prompt, flags]).filter((part) => part !== '').join(' ')
}

function readField(name: string, value: string): Partial<PromptOptions> {
  if (name === 'no') return { negativePrompt: value }
  if (name === 'style') return { style: read(name, value, readStyleName) }
  if (name === 'raw') return { isRaw: true }
  if (name === 'private') return { isPrivate: true }
  if (!isNumberFlag(name)) throw new Error(`internal: expected a flag with a reader, got ${name}`)
  const { field, least, most, expected } = numbers[name]
  const number = read(name, value, (typed) => {
    const plain = typed.normalize('NFKC').trim()
    const got = numberForms[expected].test(plain) ? Number(plain) : NaN
    return got >= least && got <= most ? got : undefined
  })
  return { [field]: number }
}

function isNumberFlag(name: string): name is keyof typeof numbers {
  return Object.hasOwn(numbers, name)
}

/** A value as its reader takes it. @throws {UserError} flag-invalid */
function read<T>(name: string, value: string, reader: (typed: string) => T | undefined): T {
  const result = reader(value)
  if (result !== undefined) return result
  const range = isNumberFlag(name) ? numbers[name] : { least: 1, most: mostElongation }
  const expected = isNumberFlag(name) ? numbers[name].expected : name
  const { least, most } = range
  const got = value.slice(0, 40).toWellFormed()
  throw new UserError('flag-invalid', { flag: `--${name}`, expected, least, most, got })
}

/** In marks that do not occur in it; a text with all of them loses its plain double quotes. */
function quoted(text: string): string {
  for (const [opening, closing] of quotePairs) {
    if (!text.includes(closing)) return `${opening}${text}${closing}`
  }
  return `"${text.replaceAll('"', '')}"`
}
