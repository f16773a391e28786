/**
 * The command line as data. Options may stand anywhere, the words between them are the prompt.
 * Here only their form is checked (a number is a number); what can be drawn is the engine's to say.
 */
import { extname } from 'node:path'
import { parseArgs } from 'node:util'
import { UserError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'

/** What `imagine` was asked for; what is absent was not said. */
export type ImagineArguments = {
  readonly isHelp: boolean
  readonly prompt: string
  readonly precision?: 'auto' | 'fp32'
} & { readonly [field in NumberField]?: number } & { readonly [field in TextField]?: string }

type NumberField = 'seed' | 'count' | 'width' | 'height' | 'evaluations' | 'guidance' | 'strength'

type TextField = 'negativePrompt' | 'imageFile' | 'outFile' | 'model'

/** The formats a picture can be saved in. */
export type OutputFormat = 'png' | 'jpeg' | 'webp'

const options = {
  out: { type: 'string', short: 'o' },
  seed: { type: 'string' },
  n: { type: 'string', short: 'n' },
  width: { type: 'string' },
  height: { type: 'string' },
  steps: { type: 'string' },
  guidance: { type: 'string' },
  negative: { type: 'string' },
  image: { type: 'string' },
  strength: { type: 'string' },
  model: { type: 'string' },
  precision: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

type Option = keyof typeof options

const numberOptions: readonly (readonly [Option, NumberField, keyof typeof numberForms])[] = [
  ['seed', 'seed', 'integer'],
  ['n', 'count', 'integer'],
  ['width', 'width', 'integer'],
  ['height', 'height', 'integer'],
  ['steps', 'evaluations', 'integer'],
  ['guidance', 'guidance', 'number'],
  ['strength', 'strength', 'number'],
]

const numberForms = { integer: /^-?\d+$/, number: /^-?(?:\d+\.?\d*|\.\d+)$/ }

const textOptions: readonly (readonly [Option, TextField])[] = [
  ['negative', 'negativePrompt'],
  ['image', 'imageFile'],
  ['out', 'outFile'],
  ['model', 'model'],
]

/**
 * Reads the arguments of `imagine`.
 *
 * @throws {UserError} option-unknown, option-value-missing, option-invalid
 */
export function readImagineArguments(args: readonly string[]): ImagineArguments {
  const { prompt, said } = sortOut(args)
  const numbers: { [field in NumberField]?: number } = {}
  for (const [option, field, form] of numberOptions) {
    const text = said.get(option)
    if (text === undefined) continue
    if (!numberForms[form].test(text)) throw invalid(option, form, text)
    numbers[field] = Number(text)
  }
  const texts: { [field in TextField]?: string } = {}
  for (const [option, field] of textOptions) {
    const text = said.get(option)
    if (text !== undefined) texts[field] = text
  }
  const precision = said.get('precision')
  if (precision !== undefined && precision !== 'auto' && precision !== 'fp32') {
    throw invalid('precision', 'precision', precision)
  }
  const isHelp = said.has('help')
  return { isHelp, prompt, ...numbers, ...texts, ...(precision && { precision }) }
}

/** The format that a file's extension asks for. @throws {UserError} option-invalid */
export function formatOf(file: string): OutputFormat {
  const format = formatOfExtension[extname(file).toLowerCase()]
  if (format === undefined) throw invalid('out', 'format', file)
  return format
}

const formatOfExtension: Readonly<Record<string, OutputFormat>> = {
  '.png': 'png',
  '.jpg': 'jpeg',
  '.jpeg': 'jpeg',
  '.webp': 'webp',
}

/** Parts options from words; of an option said twice the last one holds. */
function sortOut(args: readonly string[]): { prompt: string; said: Map<Option, string> } {
  const words: string[] = []
  const said = new Map<Option, string>()
  // Not strict: Node's own complaints are English and know no nearest option.
  const form = { options, strict: false, allowPositionals: true, tokens: true } as const
  for (const token of parseArgs({ args: [...args], ...form }).tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    const { name, rawName: option, value } = token
    if (!isOption(name)) {
      const likely = nearest(name, Object.keys(options))
      const params = { option, nearest: likely === undefined ? 'none' : `--${likely}` }
      throw new UserError('option-unknown', params)
    }
    // A value may begin with one dash (--guidance -1); with two it is the next option, unless an
    // equals sign says otherwise.
    const isAbsent = value === undefined || (value.startsWith('--') && !token.inlineValue)
    if (isAbsent && name !== 'help') throw new UserError('option-value-missing', { option })
    said.set(name, value ?? '')
  }
  return { prompt: words.join(' ').trim(), said }
}

function isOption(name: string): name is Option {
  return Object.hasOwn(options, name)
}

function invalid(option: Option, expected: string, got: string): UserError {
  return new UserError('option-invalid', { option: `--${option}`, expected, got })
}
