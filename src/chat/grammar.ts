/**
 * Typed lines as commands: `/imagine a fox --ar 16:9`, `/studio quota set member:@bob amount:5`, in
 * words of every locale at once. An option is `name:value`, with no space after the colon; in
 * quotation marks nothing is an option. What remains are the words: first those that required
 * options without a name take, one each, then the text. Without a slash it is all text.
 */
import { UserError } from '../core/errors.ts'
import { quotePairs, textLimit } from '../core/flag-text.ts'
import { readJobId } from '../core/job-id.ts'
import { nearest } from '../core/nearest.ts'
import { unspaced } from '../core/script.ts'
import { type Command, type OptionForm, type OptionForms, pathOf } from './command.ts'
import { foldedName } from './forms.ts'
import { everyLabels, type Labels, saidPath } from './labels.ts'

/** What a line says: a path, and options as they were typed. */
export type Typed = {
  readonly path: string
  readonly options: Readonly<Record<string, string>>
}

/** Paths of what words mean without a slash. */
const drawPath = 'imagine'
const editPath = 'edit'
const helpPath = 'help'

/** An action with every name of each of its words. */
type Sayable = {
  readonly path: string
  readonly forms: OptionForms
  readonly names: readonly ReadonlySet<string>[]
}

const space = /\s/
const letterOrDigit = /[\p{L}\p{N}]/u
const optionName = /([\p{L}\p{M}\p{N}_'-]{1,64})[:\uff1a]/uy

/** The grammar of a list of commands. */
export class Grammar {
  readonly #sayables: readonly Sayable[]
  readonly #vocabularies: readonly Labels[]

  constructor(commands: readonly Command[], vocabularies: readonly Labels[] = everyLabels) {
    this.#vocabularies = vocabularies
    this.#sayables = commands.flatMap(({ name, actions }) =>
      Object.entries(actions).map(([actionName, { options }]) => {
        const path = pathOf(name, actionName)
        return { path, forms: options, names: this.#namesOf(path) }
      }),
    )
  }

  /**
   * Reads a line; `labels` are for refusals.
   *
   * @throws {UserError} text-too-long, saying-unknown, action-unknown, words-unexpected
   */
  read(text: string, facts: { readonly hasPicture: boolean; readonly labels: Labels }): Typed {
    const line = text.toWellFormed().trim()
    if (line.length > textLimit) {
      throw new UserError('text-too-long', { limit: textLimit, got: line.length })
    }
    if (!/^[/\uff0f]/.test(line)) return this.#plain(line, facts.hasPicture)
    const said = line.slice(1).trim()
    if (said === '') return { path: helpPath, options: {} }
    const { sayable, rest } = this.#find(said, facts.labels)
    const { options, words } = this.#parts(rest, sayable)
    return { path: sayable.path, options: this.#placed(sayable, options, words, facts.labels) }
  }

  /** The line that says this, in words of a locale. A value with every closing mark loses one kind. */
  print({ path, options }: Typed, labels: Labels): string {
    const { forms } = this.#sayables.find((each) => each.path === path) ?? { forms: {} }
    const last = wordsOption(forms)
    const named = Object.entries(options)
      .filter(([name]) => name !== last)
      .map(([name, value]) => `${labels(path, name, 'name')}:${quotedIfNeeded(value)}`)
    const beginning = [saidPath(path, labels), ...named].join(' ')
    const text = last === undefined ? undefined : options[last]
    if (last === undefined || text === undefined) return beginning
    const bare = `${beginning} ${text}`
    return this.#says(bare, { path, options }, labels)
      ? bare
      : `${beginning} ${labels(path, last, 'name')}:${quoted(text)}`
  }

  #says(line: string, typed: Typed, labels: Labels): boolean {
    try {
      const read = this.read(line, { hasPicture: false, labels })
      const names = Object.keys(read.options)
      return (
        read.path === typed.path &&
        names.length === Object.keys(typed.options).length &&
        names.every((name) => read.options[name] === typed.options[name])
      )
    } catch (error) {
      if (error instanceof UserError) return false
      throw error
    }
  }

  /** Words without a slash: something to draw, or what to do to the picture that they answer. */
  #plain(line: string, hasPicture: boolean): Typed {
    if (line === '' && !hasPicture) return { path: helpPath, options: {} }
    const path = hasPicture ? editPath : drawPath
    const forms = this.#sayables.find((each) => each.path === path)?.forms ?? {}
    const name = wordsOption(forms)
    return { path, options: name === undefined || line === '' ? {} : { [name]: line } }
  }

  /** The action that a line begins with, and what follows. */
  #find(line: string, labels: Labels): { readonly sayable: Sayable; readonly rest: string } {
    const said = this.#parted(line)
    let candidates: readonly Sayable[] = this.#sayables
    let rest = said
    for (let depth = 0; ; depth += 1) {
      const { word, after } = nextWord(rest)
      const name = foldedName(word)
      const matching = candidates.filter(({ names }) => names[depth]?.has(name))
      if (word !== '' && matching.length > 0) {
        ;[candidates, rest] = [matching, after]
        continue
      }
      const whole = candidates.find(({ names }) => names.length === depth)
      if (whole) return { sayable: whole, rest }
      if (depth === 0) throw this.#unknownCommand(word, labels)
      // A group named without saying which of its actions: the first, which only shows something.
      if (word === '' || this.#isOptionOf(candidates[0]!, word)) {
        return { sayable: candidates[0]!, rest }
      }
      throw unknownAction(candidates, depth, word, labels)
    }
  }

  /** In scripts without spaces the command's name and the words may follow each other directly. */
  #parted(line: string): string {
    const { word, after } = nextWord(line)
    const name = foldedName(word)
    const firsts = this.#sayables.flatMap(({ names }) => [...names[0]!])
    if (firsts.includes(name)) return line
    const joined = firsts
      .filter((first) => unspaced.test(first) && word.startsWith(first))
      .toSorted((one, other) => other.length - one.length)[0]
    return joined === undefined ? line : `${joined} ${word.slice(joined.length)} ${after}`
  }

  /** Parts what follows a path into named options and words. */
  #parts(
    text: string,
    sayable: Sayable,
  ): { readonly options: Record<string, string>; readonly words: string } {
    const options: Record<string, string> = {}
    const last = wordsOption(sayable.forms)
    const kept: string[] = []
    let keptFrom = 0
    let at = 0
    while (at < text.length) {
      const before = text[at - 1]
      const isStart = before === undefined || space.test(before)
      const found = isStart ? this.#optionAt(text, at, sayable) : undefined
      if (found) {
        const { name, valueAt } = found
        const quotation = quotationAt(text, valueAt)
        const isBare = name === last && quotation === undefined
        // Careful: a bare text goes on to the end of the line, so only its name is taken out, and
        // only in front of it: in the midst of words it is one of them.
        const isBareText = isBare && `${kept.join('')}${text.slice(keptFrom, at)}`.trim() === ''
        const value = quotation ?? (isBare ? '' : /\S*/y.exec(text.slice(valueAt))![0])
        if (isBareText || value !== '') {
          kept.push(text.slice(keptFrom, at))
          at = keptFrom = valueAt + value.length
          if (!isBareText) options[name] = quotation === undefined ? value : value.slice(1, -1)
          continue
        }
      }
      const isOpen = before === undefined || !letterOrDigit.test(before) || unspaced.test(before)
      at += (isOpen ? quotationAt(text, at)?.length : undefined) ?? 1
    }
    kept.push(text.slice(keptFrom))
    return {
      options,
      words: kept
        .map((part) => part.trim())
        .filter(Boolean)
        .join(' '),
    }
  }

  #optionAt(
    text: string,
    at: number,
    sayable: Sayable,
  ): { readonly name: string; readonly valueAt: number } | undefined {
    optionName.lastIndex = at
    const match = optionName.exec(text)
    const name = match?.[1] === undefined ? undefined : this.#optionNamed(match[1], sayable)
    return name === undefined ? undefined : { name, valueAt: at + match![0].length }
  }

  #optionNamed(typed: string, { path, forms }: Sayable): string | undefined {
    const plain = foldedName(typed)
    return Object.keys(forms).find(
      (name) =>
        name.toLowerCase() === plain ||
        this.#vocabularies.some((labels) => foldedName(labels(path, name, 'name')) === plain),
    )
  }

  #isOptionOf(sayable: Sayable, word: string): boolean {
    return this.#optionAt(word, 0, sayable) !== undefined
  }

  /** Gives words to the options that were not named. @throws {UserError} words-unexpected */
  #placed(
    { path, forms }: Sayable,
    named: Readonly<Record<string, string>>,
    words: string,
    labels: Labels,
  ): Record<string, string> {
    const options: Record<string, string> = { ...named }
    const last = wordsOption(forms)
    let rest = words
    for (const [name, form] of Object.entries(forms)) {
      if (rest === '' || options[name] !== undefined || !isOneWord(form)) continue
      const { word, after } = nextWord(rest)
      const isTaken = form.isRequired || last === undefined
      if (!isTaken && !(form.kind === 'job' && looksLikeJob(word))) continue
      ;[options[name], rest] = [word, after]
    }
    if (rest === '') return options
    if (last === undefined || options[last] !== undefined) {
      const facts = { command: saidPath(path, labels), words: rest.slice(0, 40).toWellFormed() }
      throw new UserError('words-unexpected', facts)
    }
    return { ...options, [last]: rest }
  }

  #unknownCommand(word: string, labels: Labels): UserError {
    const firsts = [...new Set(this.#sayables.flatMap(({ names }) => [...names[0]!]))]
    const typed = word.slice(0, 40).toWellFormed()
    const likely = nearest(foldedName(typed), firsts)
    const path = this.#sayables.find(({ names }) => likely !== undefined && names[0]!.has(likely))
    return new UserError('saying-unknown', {
      command: `/${typed}`,
      nearest: path === undefined ? 'none' : saidPath(path.path.split(' ', 1)[0]!, labels),
    })
  }

  #namesOf(path: string): ReadonlySet<string>[] {
    const parts = path.split(' ')
    return parts.map((part, at) => {
      const group = parts.slice(0, at + 1).join(' ')
      const names = this.#vocabularies.map((labels) => foldedName(labels(group, 'name')))
      return new Set([part, ...names])
    })
  }
}

/** The option that takes the rest of a line: the first required text, or else the first text. */
export function wordsOption(forms: OptionForms): string | undefined {
  const texts = Object.entries(forms).filter(([, { kind }]) => kind === 'prompt' || kind === 'text')
  return (texts.find(([, { isRequired }]) => isRequired) ?? texts[0])?.[0]
}

function isOneWord({ kind }: OptionForm): boolean {
  return kind !== 'prompt' && kind !== 'text' && kind !== 'picture' && kind !== 'flag'
}

/** Careful: ten letters may be a word as well as an id. */
function looksLikeJob(word: string): boolean {
  return /[\d#]/.test(word) && readJobId(word) !== undefined
}

function unknownAction(
  candidates: readonly Sayable[],
  depth: number,
  word: string,
  labels: Labels,
): UserError {
  const group = candidates[0]!.path.split(' ').slice(0, depth).join(' ')
  const said = candidates.map(({ path }) => {
    const parts = path.split(' ').slice(0, depth + 1)
    return labels(parts.join(' '), 'name')
  })
  return new UserError('action-unknown', {
    command: saidPath(group, labels),
    action: word.slice(0, 40).toWellFormed(),
    actions: [...new Set(said)].join(' / '),
  })
}

function nextWord(text: string): { readonly word: string; readonly after: string } {
  const match = /^\s*(\S*)\s*/.exec(text)!
  return { word: match[1]!, after: text.slice(match[0].length) }
}

/** The quotation that begins here, marks included, if it ends somewhere. */
function quotationAt(text: string, at: number): string | undefined {
  const closing = quotePairs.get(text[at] ?? '')
  const end = closing === undefined ? -1 : text.indexOf(closing, at + 1)
  return end < 0 ? undefined : text.slice(at, end + 1)
}

function quotedIfNeeded(value: string): string {
  const isPlain = value !== '' && !space.test(value) && !quotePairs.has(value[0]!)
  return isPlain ? value : quoted(value)
}

function quoted(text: string): string {
  for (const [opening, closing] of quotePairs) {
    if (!text.includes(closing)) return `${opening}${text}${closing}`
  }
  return `"${text.replaceAll('"', '')}"`
}
