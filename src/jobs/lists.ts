/** The lists that moderators keep: words that their guild does not draw, styles of its own. */
import { UserError } from '../core/errors.ts'
import { checkedWord, wordsLimit } from '../core/moderation.ts'
import { nearest } from '../core/nearest.ts'
import { checkedStyle, findStyle, type Style } from '../core/style.ts'
import { wordsOf } from '../store/guilds.ts'
import { addStyle, removeStyle, stylesOf } from '../store/styles.ts'
import { addWord, countWords, removeWord } from '../store/words.ts'
import { type Moderating, moderate, type WasAndIs } from './moderation.ts'
import { forgetWords } from './word-lists.ts'

/** The most styles of a guild's own. */
export const stylesLimit = 100

/** Adds a word. @returns it, tidied, and whether it is new @throws {UserError} word-invalid, words-full */
export async function addRule(
  moderating: Moderating,
  typed: string,
): Promise<{ readonly word: string; readonly isNew: boolean }> {
  const word = checkedWord(typed)
  const isNew = await moderate(moderating, async ({ transaction, guild }) => {
    const isNew = await addWord(transaction, guild, word)
    if ((await countWords(transaction, guild)) > wordsLimit) {
      throw new UserError('words-full', { limit: wordsLimit })
    }
    return {
      result: isNew,
      audited: isNew ? { action: 'word added', facts: { word } } : undefined,
    }
  })
  forgetWords(moderating.database, moderating.guild)
  return { word, isNew }
}

/** Takes a word off the list. @returns it @throws {UserError} word-unknown */
export async function removeRule(moderating: Moderating, typed: string): Promise<string> {
  const plain = typed.trim().replaceAll(/\s+/g, ' ')
  const removed = await moderate(moderating, async ({ transaction, guild }) => {
    const words = await wordsOf(transaction, guild)
    const word =
      words.find((each) => each === plain) ??
      words.find((each) => each.toLowerCase() === plain.toLowerCase())
    if (word === undefined) {
      const facts = { word: plain.slice(0, 60).toWellFormed(), nearest: nearest(plain, words) }
      throw new UserError('word-unknown', { ...facts, nearest: facts.nearest ?? 'none' })
    }
    await removeWord(transaction, guild, word)
    return { result: word, audited: { action: 'word removed', facts: { word } } }
  })
  forgetWords(moderating.database, moderating.guild)
  return removed
}

/**
 * Adds a style of the guild's own, in place of one of that name.
 *
 * @returns it, and the one that it replaces
 * @throws {UserError} style-invalid, styles-full
 */
export async function addPreset(
  moderating: Moderating,
  style: Style,
): Promise<{ readonly was: Style | undefined; readonly is: Style }> {
  const is = checkedStyle(style)
  return moderate(moderating, async ({ transaction, guild }) => {
    const was = await addStyle(transaction, guild, is)
    if ((await stylesOf(transaction, guild)).length > stylesLimit) {
      throw new UserError('styles-full', { limit: stylesLimit })
    }
    const facts: WasAndIs<string> = { was: was?.template ?? '', is: is.template }
    const isSame = facts.was === facts.is && was?.negativePrompt === is.negativePrompt
    return {
      result: { was, is },
      audited: isSame ? undefined : { action: 'style added', facts: { style: is.name, ...facts } },
    }
  })
}

/** Removes a style of the guild's own. @returns it @throws {UserError} style-unknown */
export async function removePreset(moderating: Moderating, typed: string): Promise<Style> {
  return moderate(moderating, async ({ transaction, guild }) => {
    const style = findStyle(typed, await stylesOf(transaction, guild))
    await removeStyle(transaction, guild, style.name)
    const facts = { style: style.name, was: style.template }
    return { result: style, audited: { action: 'style removed', facts } }
  })
}
