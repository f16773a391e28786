/**
 * Makes alike what people read alike, so that a word list needs each word once: letter case, width
 * and other compatibility forms (Unicode's NFKD), Latin accents, traditional Chinese characters and
 * characters that cannot be seen. Letters of other scripts that look Latin are left alone. What is
 * neither letter nor digit parts words, however much of it there is.
 */
import { simplifiedOf } from './traditional.ts'

/** Folded text, one character each, with where it came from in the original, in UTF-16 units. */
export type FoldedText = {
  readonly characters: readonly string[]
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

const accents = /[\u0300-\u036f]/g
const invisible = /\p{Default_Ignorable_Code_Point}/u
const partOfWord = /[\p{L}\p{M}\p{N}]/u

/** Folds text; every run of what parts words becomes one space. */
export function folded(text: string): FoldedText {
  const characters: string[] = []
  const starts: number[] = []
  const ends: number[] = []
  let start = 0
  for (const original of text) {
    const end = start + original.length
    const replacement = foldedCharacter(original)
    // What cannot be seen, and an accent by itself, belongs to what stands before it.
    if (replacement.length === 0 && ends.length > 0) ends[ends.length - 1] = end
    for (const character of replacement) {
      if (character === ' ' && characters.at(-1) === ' ') continue
      characters.push(character)
      starts.push(start)
      ends.push(end)
    }
    start = end
  }
  return { characters, starts, ends }
}

function foldedCharacter(original: string): string[] {
  if (invisible.test(original)) return []
  const plain = original.normalize('NFKD').replaceAll(accents, '').normalize('NFC')
  // Upper case first: it knows more pairs than lower case does, such as sharp s and final sigma.
  const lower = plain.toUpperCase().toLowerCase()
  return Array.from(lower, (character) =>
    partOfWord.test(character) ? simplifiedOf(character) : ' ',
  )
}

const standIns: ReadonlyMap<string, string> = new Map([
  ['0', 'o'],
  ['3', 'e'],
  ['4', 'a'],
  ['5', 's'],
  ['7', 't'],
  ['@', 'a'],
  ['$', 's'],
])
const latinWord = /[\p{Script=Latin}0-9@$\uff10-\uff19\uff20\uff04]+/gu

/**
 * The text with digits read as the letters they may stand in for (`p0rn`), as long as before. Only
 * words of letters and stand-ins, and more of the former, are read so: `1980s`, `4k` and `a55` are
 * what they are.
 */
export function withoutStandIns(text: string, one: 'i' | 'l'): string {
  return text.replaceAll(latinWord, (word) => {
    const characters = Array.from(word)
    const letters = characters.map((character) => {
      if (/\p{L}/u.test(character)) return character
      const plain = character.normalize('NFKC')
      return plain === '1' ? one : standIns.get(plain)
    })
    const standing = letters.filter((letter, index) => letter !== characters[index]).length
    if (letters.includes(undefined) || standing * 2 >= letters.length) return word
    return letters.join('')
  })
}
