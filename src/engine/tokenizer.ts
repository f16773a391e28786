/**
 * Text into the ids that Qwen3 reads, and back: byte-level BPE over the checkpoint's own
 * `tokenizer.json`, of which nothing reaches the npm library that this file has not checked. The
 * chat template is written out here, because what checkpoints hold is a program for one.
 * Source: Qwen3's `tokenizer.json` and, less its tool calls, its chat template in Jinja.
 */
import { join } from 'node:path'
import { Tokenizer as BytePairTokenizer } from '@huggingface/tokenizers'
import { z } from 'zod'
import { readConfig } from './checkpoint.ts'
import { EngineError } from './error.ts'
import { invalidFile, quote } from './untrusted-file.ts'

/** Qwen3's file takes 11 MB. */
const maxFileBytes = 64 * 2 ** 20

/** Tokens of a prompt that the transformer was trained to read. */
const promptTokens = 512

/**
 * The longest prompt, in UTF-16 units. Accents piled on one letter take longest, up to 0.6 s, as sorting them into normal
 * form is quadratic; spaces, emoji or one single word take under 0.2 s.
 */
export const maxPromptLength = 20_000
const maxTextLength = 2 * maxPromptLength

/** How Qwen's tokenizers cut text into words before BPE. */
const wordPattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const id = z.int().min(0).max(1_000_000)
const no = z.literal(false)

/**
 * `tokenizer.json`, only as Qwen writes it. Careful: a pattern is a program too, and one that was
 * made to be slow would run on every prompt; so the file must hold the known one, to the letter.
 */
const tokenizerSchema = z.object({
  normalizer: z.object({ type: z.literal('NFC') }),
  pre_tokenizer: z.object({
    type: z.literal('Sequence'),
    pretokenizers: z.tuple([
      z.object({
        type: z.literal('Split'),
        pattern: z.object({ Regex: z.literal(wordPattern) }),
        behavior: z.literal('Isolated'),
        invert: no,
      }),
      z.object({ type: z.literal('ByteLevel'), add_prefix_space: no, use_regex: no }),
    ]),
  }),
  model: z.object({
    type: z.literal('BPE'),
    vocab: z.record(z.string(), id),
    merges: z.array(z.tuple([z.string(), z.string()])),
    ignore_merges: no,
  }),
  added_tokens: z
    .array(
      z.object({
        id,
        content: z.string().min(1).max(100),
        single_word: no,
        lstrip: no,
        rstrip: no,
        normalized: no,
        special: z.boolean(),
      }),
    )
    .max(10_000),
  decoder: z.object({ type: z.literal('ByteLevel') }),
})

/** One turn of a conversation. Careful: special tokens in its text are special, `<|im_end|>` too. */
export type ChatTurn = {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** What is used of the npm library, whose own types TypeScript cannot follow. */
type BytePairEncoder = {
  encode(text: string, options: { add_special_tokens: boolean }): { readonly ids: number[] }
  decode(ids: number[], options: { clean_up_tokenization_spaces: boolean }): string
}

/** Qwen's tokenizer; takes about 80 MB for Qwen3's vocabulary. */
export class Tokenizer {
  /** Every id is below this; the embedding may have rows to spare. */
  readonly vocabularySize: number
  /** `<|im_end|>`, which ends a turn. */
  readonly endOfTurnId: number
  /** `<|endoftext|>`, which ends everything, and pads. */
  readonly endOfTextId: number
  readonly #library: BytePairEncoder

  private constructor(ids: ReadonlyMap<string, number>, library: BytePairEncoder) {
    this.vocabularySize = ids.size
    this.endOfTurnId = ids.get('<|im_end|>')!
    this.endOfTextId = ids.get('<|endoftext|>')!
    this.#library = library
  }

  /**
   * Reads `tokenizer.json` in a checkpoint's tokenizer folder, for Qwen3's in 1.5 s.
   * @throws {EngineError} file-missing, file-invalid
   */
  static async open(folder: string): Promise<Tokenizer> {
    const file = join(folder, 'tokenizer.json')
    const config = await readConfig(file, tokenizerSchema, maxFileBytes)
    const ids = checkVocabulary(file, config)
    return new Tokenizer(ids, new BytePairTokenizer({ ...config, post_processor: null }, {}))
  }

  /**
   * Ids of `text`, nothing added; special tokens in it are taken as such.
   * @throws {EngineError} spec-invalid for `text` over 40,000 UTF-16 units
   */
  encodeRaw(text: string): number[] {
    checkLength('text', text, maxTextLength)
    return this.#library.encode(text, { add_special_tokens: false }).ids
  }

  /** What the text encoder reads of a prompt: a conversation in which the assistant is next. */
  chatPrompt(prompt: string): string {
    return this.renderChat([{ role: 'user', content: prompt }], { thinking: true })
  }

  /**
   * Ids of a prompt in its template, cut at the end to `maxLength`, by which the reference loses the
   * template's last tokens before any of the prompt's. Without padding.
   * @throws {EngineError} spec-invalid for a `prompt` over 20,000 UTF-16 units
   */
  encodePrompt(prompt: string, maxLength = promptTokens): { ids: number[]; isTruncated: boolean } {
    checkLength('prompt', prompt, maxPromptLength)
    const ids = this.encodeRaw(this.chatPrompt(prompt))
    return { ids: ids.slice(0, maxLength), isTruncated: ids.length > maxLength }
  }

  /**
   * A conversation up to where the assistant is to speak. What the assistant thought in earlier
   * turns is left out; without `thinking` it is handed a thought already finished.
   * @param turns at least one, the last of them the user's
   */
  renderChat(turns: readonly ChatTurn[], { thinking }: { readonly thinking: boolean }): string {
    if (turns.at(-1)?.role !== 'user') {
      throw new Error('internal: a conversation must end with a turn of the user')
    }
    const said = turns.map(({ role, content }) => {
      const text = role === 'assistant' ? withoutThought(content) : content
      return `<|im_start|>${role}\n${text}<|im_end|>\n`
    })
    return `${said.join('')}<|im_start|>assistant\n${thinking ? '' : '<think>\n\n</think>\n\n'}`
  }

  /** The text of `ids`, special tokens included; what is no id of ours is left out. */
  decode(ids: readonly number[]): string {
    const known = ids.filter((id) => id >= 0 && id < this.vocabularySize)
    // Careful: the library throws for none, and by default drops spaces before punctuation.
    if (known.length === 0) return ''
    return this.#library.decode(known, { clean_up_tokenization_spaces: false })
  }
}

/**
 * Token to id for all tokens, once it is sure that every text has ids and that they are 0 to n - 1.
 * @throws {EngineError} file-invalid
 */
function checkVocabulary(
  file: string,
  { model, added_tokens: added }: z.output<typeof tokenizerSchema>,
): ReadonlyMap<string, number> {
  const ids = new Map(Object.entries(model.vocab))
  for (const byte of byteCharacters()) {
    if (!ids.has(byte)) throw invalidFile(file, 'model.vocab', `a token ${quote(byte)}`, 'none')
  }
  for (const [i, [left, right]] of model.merges.entries()) {
    if (!ids.has(left) || !ids.has(right) || !ids.has(left + right)) {
      const got = quote([left, right])
      throw invalidFile(file, `model.merges[${i}]`, 'two tokens that make a third', got)
    }
  }

  for (const token of added) ids.set(token.content, token.id)
  for (const name of ['<|im_start|>', '<|im_end|>', '<|endoftext|>']) {
    if (!added.some((token) => token.content === name)) {
      throw invalidFile(file, 'added_tokens', `a token ${name}`, 'none')
    }
  }
  const seen = new Set<number>()
  for (const [token, id] of ids) {
    if (id >= ids.size || seen.has(id)) {
      throw invalidFile(file, token, `an id below ${ids.size} of its own`, `${id}`)
    }
    seen.add(id)
  }
  return ids
}

/** The characters that stand for the 256 bytes in byte-level BPE, as GPT-2 chose them. */
function byteCharacters(): string[] {
  const ranges = ['!~', '\u00a1\u00ac', '\u00ae\u0143']
  return ranges.flatMap((range) => {
    const [first, last] = [range.charCodeAt(0), range.charCodeAt(1)]
    return Array.from({ length: last - first + 1 }, (_, i) => String.fromCharCode(first + i))
  })
}

/** An assistant's turn after the end of its thought, if it has one. */
function withoutThought(content: string): string {
  const end = content.lastIndexOf('</think>')
  return end < 0 ? content : content.slice(end + '</think>'.length).replace(/^\n+/, '')
}

function checkLength(field: string, text: string, limit: number): void {
  if (text.length > limit) {
    const expected = `at most ${limit} characters`
    throw new EngineError('spec-invalid', { field, expected, got: text.length })
  }
}
