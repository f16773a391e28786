/** Codes and their facts. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { UserError, isFault } from '../../src/core/errors.ts'

describe('isFault', () => {
  it('knows a code with its facts', () => {
    assert.ok(isFault(['port-taken', { host: 'localhost', port: 7860 }]))
  })

  it('refuses a code without one of its facts', () => {
    assert.equal(isFault(['port-taken', { host: 'localhost' }]), false)
  })

  it('refuses a code that is not ours', () => {
    assert.equal(isFault(['no-such-code', {}]), false)
    assert.equal(isFault(['constructor', {}]), false)
  })
})

describe('UserError', () => {
  it('says code and facts to developers', () => {
    const error = new UserError('port-taken', { host: 'localhost', port: 7860 })

    assert.equal(error.message, 'port-taken, host localhost, port 7860')
  })
})
