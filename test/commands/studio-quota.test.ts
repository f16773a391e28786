/** `studio quota`: what moderators set is what holds, is shown in pictures too, and is audited. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readQuota } from '../../src/core/quota-amount.ts'
import { usageOf } from '../../src/jobs/usage.ts'
import type { Context } from '../../src/chat/command.ts'
import { newName, refusalOf } from '../jobs/admission.ts'
import { database, newContext, next, nowMs, run } from './context.ts'
import { auditOf, newGuild } from './moderators.ts'

const secondsOf = async ({ guild, member }: Context): Promise<number | undefined> => {
  const { member: share } = await usageOf(database, { guild, member }, nowMs)
  return share && share.quota.refillMicros / 1e6
}

describe('studio quota set', () => {
  for (const [whose, subject] of [
    ['everyone', {}],
    ['member', { member: 'ann' }],
  ] as const) {
    it(`for ${whose} is what the member has`, async () => {
      const { moderator, member } = await newGuild()
      await run(moderator, 'studio quota set', { whose, ...subject, seconds: 40, window: 'hour' })
      assert.equal(await secondsOf(member), 40)
    })
  }

  it('for a role is what its members have', async () => {
    const { moderator, member } = await newGuild()
    await run(moderator, 'studio quota set', { whose: 'role', role: 'artists', seconds: 40 })
    const artist = { ...member, member: { ...member.member, roleIds: ['artists'] } }
    assert.deepEqual([await secondsOf(artist), await secondsOf(member)], [40, 300])
  })

  it('for the guild is counted beside the members’', async () => {
    const { moderator, member } = await newGuild()
    await run(moderator, 'studio quota set', { whose: 'guild', seconds: 40 })
    const { guild } = await usageOf(database, member, nowMs)
    assert.equal(guild?.quota.refillMicros, 40_000_000)
  })

  it('can be no limit, and the default again', async () => {
    const { moderator, member } = await newGuild()
    await run(moderator, 'studio quota set', { whose: 'everyone', instead: 'none' })
    const none = await secondsOf(member)
    await run(moderator, 'studio quota set', { whose: 'everyone', instead: 'default' })
    assert.deepEqual([none, await secondsOf(member)], [undefined, 300])
  })

  it('says what holds now, in pictures too, and what held before', async () => {
    const { moderator } = await newGuild()
    const options = { whose: 'everyone', seconds: 40, window: 'day', cap: 60 } as const
    await run(moderator, 'studio quota set', { whose: 'everyone', instead: 'none' })
    const { text } = await run(moderator, 'studio quota set', options)
    assert.match(
      text,
      /now 40 seconds of device time a day, about \d+ pictures of 256x256;.*up to 60 seconds\. Before: no limit\. To undo/,
    )
  })

  it('is audited with how it was and is, and not when nothing changes', async () => {
    const { moderator } = await newGuild()
    const options = { whose: 'everyone', seconds: 40 } as const
    await run(moderator, 'studio quota set', options)
    await run(moderator, 'studio quota set', options)
    const [entry, ...others] = await auditOf(moderator)
    const facts = entry?.[1] as Readonly<Record<string, string>>
    assert.deepEqual(
      [entry?.[0], facts.subject, facts.was, others],
      ['quota set', 'everyone', 'default', []],
    )
    assert.equal(readQuota(facts.is ?? '')?.refillMicros, 40_000_000)
  })

  for (const [what, options, code] of [
    ['no amount', { whose: 'everyone' }, 'quota-incomplete'],
    ['no role', { whose: 'role', seconds: 1 }, 'quota-incomplete'],
    ['no member', { whose: 'member', seconds: 1 }, 'quota-incomplete'],
    ['a number and none', { whose: 'guild', seconds: 1, instead: 'none' }, 'quota-contradictory'],
    ['a cap below the amount', { whose: 'guild', seconds: 9, cap: 8 }, 'quota-invalid'],
    ['nobody we know', { whose: 'member', member: 'Anne-Marie', seconds: 9 }, 'member-unknown'],
  ] as const) {
    it(`is refused for ${what}, and nothing is changed`, async () => {
      const { moderator } = await newGuild()
      assert.equal((await refusalOf(run(moderator, 'studio quota set', options))).code, code)
      assert.deepEqual(await auditOf(moderator), [])
    })
  }

  it('does not know the members of other guilds', async () => {
    const [{ moderator }, other] = [await newGuild(), await newContext()]
    const options = { whose: 'member', member: other.asked.member, seconds: 9 } as const
    const { code } = await refusalOf(run(moderator, 'studio quota set', options))
    assert.equal(code, 'member-unknown')
  })

  it('guesses at whom somebody meant', async () => {
    const { moderator } = await newGuild()
    const { params } = await refusalOf(run(moderator, 'studio quota show', { member: 'An' }))
    assert.equal(params.nearest, 'Ann')
  })
})

describe('studio quota show', () => {
  it('lists what is set, the guild’s and everyone’s first', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio quota set', { whose: 'member', member: 'Ann', seconds: 10 })
    await run(moderator, 'studio quota set', { whose: 'everyone', instead: 'none' })
    const { items } = await run(moderator, 'studio quota show')
    assert.deepEqual(
      items?.map(({ title }) => title),
      ['Every member without a rule of their own', 'Ann'],
    )
  })

  it('says what a member has in use and which rule is theirs', async () => {
    const { moderator, member } = await newGuild()
    await run(member, 'imagine', { prompt: 'a red fox' })
    const { text } = await run(moderator, 'studio quota show', { member: member.asked.member })
    assert.match(
      text,
      /^Ann: 300 seconds.* The rule is the one for everyone\.\nIn use are one second;/,
    )
  })

  it('does not show another guild’s', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio quota set', { whose: 'guild', seconds: 10 })
    const other = await newContext({ rank: 'moderator' })
    assert.equal((await run(other, 'studio quota show')).items?.length, 1)
  })
})

describe('studio quota reset', () => {
  it('leaves a member with nothing in use, and is audited', async () => {
    const { moderator, member } = await newGuild()
    await run(member, 'imagine', { prompt: 'a red fox' })
    const used = async () => (await usageOf(database, member, nowMs)).member?.left.usedMicros ?? 0
    const before = await used()
    const { text } = await run(await next(moderator), 'studio quota reset', { member: 'Ann' })
    assert.match(text, /^Ann now has nothing in use/)
    assert.deepEqual([before > 0, await used()], [true, 0])
    assert.deepEqual(
      (await auditOf(moderator)).map(([action]) => action),
      ['quota reset'],
    )
  })

  it('is refused for a stranger', async () => {
    const { moderator } = await newGuild()
    const { code } = await refusalOf(run(moderator, 'studio quota reset', { member: newName() }))
    assert.equal(code, 'member-unknown')
  })
})
