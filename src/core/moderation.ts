/**
 * Word lists: which words of a guild's list occur in a text, and where. Both are folded first
 * (`folding.ts`). A word hits whole words only where its script has spaces, and any part of a text
 * where it has none (Chinese): `ass` is not in `glass`. Other forms of a word (plurals) are other
 * words. Lists are words, never patterns: the time is bounded by text length x longest word.
 */
import { UserError } from './errors.ts'
import { folded, withoutStandIns } from './folding.ts'
import { unspaced } from './script.ts'

/** A word of the list that occurs in a text, from `start` up to `end`, in UTF-16 units. */
export type Hit = {
  /** As it stands in the list. */
  readonly rule: string
  readonly start: number
  readonly end: number
}

/** The longest word or phrase of a list, in UTF-16 units. */
export const wordLimit = 60

/** The longest list of a guild. */
export const wordsLimit = 1_000

type Node = { readonly next: Map<string, Node>; rule?: string }

/**
 * A word for a list, tidied. Symbols are refused, since folding would drop them and leave a word
 * that hits far more; so is a single letter of a script with spaces.
 * @throws {UserError} word-invalid
 */
export function checkedWord(typed: string): string {
  const word = typed.trim().replaceAll(/\s+/g, ' ')
  const isPlain = /^[\p{L}\p{M}\p{N}]+(?:[ '.\u2019\u00b7-][\p{L}\p{M}\p{N}]+)*$/u.test(word)
  const { characters } = folded(word.slice(0, wordLimit))
  const isLetter = characters.length < 2 && !unspaced.test(word)
  if (word.length > wordLimit || !isPlain || isLetter) {
    throw new UserError('word-invalid', { limit: wordLimit })
  }
  return word
}

/** A guild's list, made ready once and then asked often. */
export class WordList {
  readonly #root: Node = { next: new Map() }

  /** Words as `checkedWord` gives them. */
  constructor(words: readonly string[]) {
    for (const rule of words) {
      let node = this.#root
      for (const character of folded(rule).characters.join('').trim()) {
        const next = node.next.get(character) ?? { next: new Map<string, Node>() }
        node.next.set(character, next)
        node = next
      }
      if (node !== this.#root) node.rule ??= rule
    }
  }

  /** Every hit, in the order of the text, none within another; the longest of several is told. */
  hits(text: string): Hit[] {
    const readings = new Set([text, withoutStandIns(text, 'i'), withoutStandIns(text, 'l')])
    const found: Hit[] = []
    const isFound = new Uint8Array(text.length)
    for (const hit of [...readings].flatMap((reading) => this.#hitsAsRead(reading))) {
      if (isFound.subarray(hit.start, hit.end).includes(1)) continue
      isFound.fill(1, hit.start, hit.end)
      found.push(hit)
    }
    return found.toSorted((one, other) => one.start - other.start)
  }

  /** Refuses a text that hits. @throws {UserError} prompt-refused, naming the first rule */
  check(text: string): void {
    const hit = this.hits(text)[0]
    if (hit !== undefined) throw new UserError('prompt-refused', { rule: hit.rule })
  }

  #hitsAsRead(text: string): Hit[] {
    const { characters, starts, ends } = folded(text)
    const hits: Hit[] = []
    for (let at = 0; at < characters.length; at++) {
      if (isWithinWord(characters, at)) continue
      const match = this.#longestFrom(characters, at)
      if (match === undefined) continue
      hits.push({ rule: match.rule, start: starts[at]!, end: ends[match.end - 1]! })
      at = match.end - 1
    }
    return hits
  }

  #longestFrom(
    characters: readonly string[],
    from: number,
  ): { readonly rule: string; readonly end: number } | undefined {
    let longest
    let node: Node | undefined = this.#root
    for (let end = from + 1; end <= characters.length; end++) {
      node = node.next.get(characters[end - 1]!)
      if (node === undefined) break
      const { rule } = node
      if (rule !== undefined && !isWithinWord(characters, end)) longest = { rule, end }
    }
    return longest
  }
}

/** Whether the cut before `at` goes through a word of a script with spaces. */
function isWithinWord(characters: readonly string[], at: number): boolean {
  return isSpaced(characters[at - 1]) && isSpaced(characters[at])
}

function isSpaced(character: string | undefined): boolean {
  return character !== undefined && character !== ' ' && !unspaced.test(character)
}
