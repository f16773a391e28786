/** How tests look at what the engine refuses: the error itself, with its facts. */
import assert from 'node:assert/strict'
import { EngineError } from '../../src/engine/error.ts'

/** The EngineError that `attempt` ends in; fails if it succeeds or fails in another way. */
export async function refusalOf(attempt: () => unknown): Promise<EngineError> {
  try {
    await attempt()
  } catch (error) {
    if (error instanceof EngineError) return error
    throw error
  }
  return assert.fail('expected an EngineError, got success')
}
