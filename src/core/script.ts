/** What the rules need to know about scripts. */

/**
 * A character of a script that puts no spaces between words, or (Hangul) joins particles to them:
 * where its words begin and end cannot be seen.
 */
export const unspaced =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u
