/**
 * Names of jobs: ten characters of Crockford's base 32, in lower case. It has no i, l, o and u, so
 * that an id survives being read aloud, written down and typed again.
 */

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** How many random bytes an id is made of; five bits of each are used. */
export const jobIdBytes = 10

/** The id that random bytes make: 2^50 of them, all equally likely. */
export function jobIdOf(bytes: Uint8Array): string {
  if (bytes.length !== jobIdBytes) {
    throw new Error(`internal: expected ${jobIdBytes} random bytes, got ${bytes.length}`)
  }
  return Array.from(bytes, (byte) => alphabet[byte % alphabet.length]).join('')
}

/** The id somebody meant: any case or width, hyphens, a # before it, o for 0, i and l for 1. */
export function readJobId(typed: string): string | undefined {
  if (typed.length > 40) return undefined
  const plain = typed.normalize('NFKC').trim().replace(/^#/, '').replaceAll('-', '').toLowerCase()
  const id = plain.replaceAll('o', '0').replaceAll(/[il]/g, '1')
  return /^[0-9a-hjkmnp-tv-z]{10}$/.test(id) ? id : undefined
}
