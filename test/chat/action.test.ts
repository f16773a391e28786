/** What buttons say: it fits every platform, reads back the same, and nothing else is read. */
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { actionFor, parseAction, printAction } from '../../src/chat/action.ts'
import { jobIdBytes, jobIdOf } from '../../src/core/job-id.ts'

const jobId = fc.uint8Array({ minLength: jobIdBytes, maxLength: jobIdBytes }).map(jobIdOf)
const picture = fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined })

describe('printAction', () => {
  it('says a job and a picture so that they read back the same', () => {
    const verb = fc.constantFrom('again', 'edit', 'info', 'keep', 'drop', 'delete', 'report')
    fc.assert(
      fc.property(verb, jobId, picture, (said, job, number) => {
        const text = printAction(said, job, number)
        const action = parseAction(text)
        assert.ok(text.length <= 100 && /^[\x21-\x7e]+$/.test(text))
        assert.deepEqual(action?.options, { job, ...(number !== undefined && { picture: number }) })
        assert.equal(action && actionFor(action), text)
      }),
    )
  })

  it('says a report by its number, of twelve digits at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999_999 }), (report) => {
        assert.deepEqual(parseAction(printAction('appeal', report)), {
          command: 'appeal',
          options: { report },
        })
      }),
    )
  })
})

describe('parseAction', () => {
  it('reads nothing that we have not said', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        assert.equal(parseAction(text), undefined)
      }),
    )
  })

  for (const text of [
    'v2:again:7k2mz0q9xa',
    'v1:constructor:7k2mz0q9xa',
    'v1:again:7k2mz0q9xa:9',
    'v1:again:7k2mz0q9xa:1:1',
    'v1:again:../etc/pass',
    'v1:appeal:seven',
    'v1:appeal:1234567890123',
    'v1:again:',
    ' v1:again:7k2mz0q9xa',
    'v1:again:7k2mz0q9xa\n',
  ]) {
    it(`does not read ${JSON.stringify(text)}`, () => {
      assert.equal(parseAction(text), undefined)
    })
  }
})

describe('actionFor', () => {
  it('has no button for what none can say', () => {
    const none = [
      actionFor({ command: 'imagine', options: { prompt: 'a fox' } }),
      actionFor({ command: 'edit', options: {} }),
    ]
    assert.deepEqual(none, [undefined, undefined])
  })
})
