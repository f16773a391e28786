/** Who may do what. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Rank, type Verb, checkMay, may, rankOf, verbs } from '../../src/core/permission.ts'
import { refusalOf } from './refusal.ts'

const ranks: Rank[] = ['blocked', 'member', 'moderator', 'operator']
const all = Object.keys(verbs) as Verb[]

describe('may', () => {
  it('allows a rank whatever a lower one may', () => {
    for (const verb of all) {
      const allowed = ranks.filter((rank) => may(rank, verb))
      assert.deepEqual(allowed, ranks.slice(ranks.indexOf(verbs[verb])), verb)
    }
  })

  it('allows an operator everything', () => {
    assert.ok(all.every((verb) => may('operator', verb)))
  })

  it('leaves the weight of a guild to operators', () => {
    assert.equal(may('moderator', 'studio weight'), false)
  })

  it('leaves every other studio command to moderators', () => {
    for (const verb of all.filter((each) => each.startsWith('studio '))) {
      assert.equal(may('member', verb), false, verb)
    }
  })

  it('lets members see and cancel their own jobs only', () => {
    assert.deepEqual(
      (['queue own', 'cancel own', 'queue all', 'cancel any'] as const).map((verb) =>
        may('member', verb),
      ),
      [true, true, false, false],
    )
  })

  it('lets the blocked draw nothing, but leaves them their data and an appeal', () => {
    assert.deepEqual(
      all.filter((verb) => may('blocked', verb)),
      ['help', 'quota', 'privacy export', 'privacy delete', 'appeal'],
    )
  })
})

describe('rankOf', () => {
  const nobody = { isOperator: false, isModerator: false, isBlocked: false }

  for (const [rank, person] of [
    ['member', {}],
    ['moderator', { isModerator: true }],
    ['blocked', { isModerator: true, isBlocked: true }],
    ['operator', { isOperator: true, isBlocked: true }],
  ] as const) {
    it(`is ${rank} for ${Object.keys(person).join(' and ') || 'anybody'}`, () => {
      assert.equal(rankOf({ ...nobody, ...person }), rank)
    })
  }
})

describe('checkMay', () => {
  it('says who may', () => {
    assert.deepEqual(
      refusalOf(() => checkMay('member', 'studio words')),
      ['not-allowed', { verb: 'studio words', needed: 'moderator' }],
    )
  })

  it('says to the blocked that they are', () => {
    assert.equal(refusalOf(() => checkMay('blocked', 'imagine'))[0], 'member-blocked')
  })

  it('says nothing to who may', () => {
    assert.equal(checkMay('member', 'imagine'), undefined)
  })
})
