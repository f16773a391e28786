/** Why a database cannot be reached, without its URL, which holds a password. */
import { UserError } from '../core/errors.ts'

/** What the driver's error on connecting means; `reason` is its code, such as ECONNREFUSED. */
export function asUnreachable(error: unknown): UserError {
  const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  return new UserError('database-unreachable', { reason }, { cause: error })
}
