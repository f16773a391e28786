/** What a refusal says, for tests that compare it. */
import assert from 'node:assert/strict'
import { UserError } from '../../src/core/errors.ts'

/** Code and facts of the refusal of an attempt; any other outcome fails the test. */
export function refusalOf(
  attempt: () => unknown,
): readonly [code: string, params: Readonly<Record<string, string | number>>] {
  try {
    attempt()
  } catch (error) {
    if (error instanceof UserError) return [error.code, error.params]
    throw error
  }
  return assert.fail('expected a UserError, got success')
}

/** What an attempt gives, or undefined if it is refused; any other error passes through. */
export function unlessRefused<T>(attempt: () => T): T | undefined {
  try {
    return attempt()
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
}
