/** Errors on their way between processes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EngineError } from '../../src/engine/error.ts'
import { failureOf } from '../../src/worker/runner-protocol.ts'

describe('failureOf', () => {
  it('keeps code and facts of an engine error', () => {
    const error = new EngineError('file-missing', { file: 'a.json' })

    assert.deepEqual(failureOf(error), {
      kind: 'engine',
      code: 'file-missing',
      params: { file: 'a.json' },
    })
  })

  it('tells the causes of any other error, the first first', () => {
    const error = new Error('cannot run', { cause: new Error('std::bad_alloc') })

    const failure = failureOf(error)

    assert.ok(failure.kind === 'internal')
    assert.equal(failure.message, 'cannot run: std::bad_alloc')
    assert.equal(failure.stack, error.stack)
  })

  it('ends with an error that is its own cause', () => {
    const error = new Error('again')
    error.cause = error

    const failure = failureOf(error)

    assert.ok(failure.kind === 'internal')
    assert.match(failure.message, /^(?:again: ){7}again$/)
  })

  it('takes anything that was thrown', () => {
    assert.deepEqual(failureOf('no error at all'), {
      kind: 'internal',
      message: 'no error at all',
      stack: '',
    })
  })
})
