/** `studio` block, moderator and queue: whom it concerns, in this guild and no other. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { usageOf } from '../../src/jobs/usage.ts'
import { findMember } from '../../src/store/guilds.ts'
import { findJob } from '../../src/store/jobs.ts'
import { newName, refusalOf } from '../jobs/admission.ts'
import { asked, database, newContext, next, nowMs, run } from './context.ts'
import { auditOf, newGuild } from './moderators.ts'

describe('studio block', () => {
  it('keeps a member from drawing until they are unblocked', async () => {
    const { moderator, member } = await newGuild()
    const draw = async () => run(await next(member), 'imagine', { prompt: 'a red fox' })
    await run(moderator, 'studio block', { member: 'Ann', reason: 'spam' })
    assert.equal((await refusalOf(draw())).code, 'member-blocked')
    await run(moderator, 'studio unblock', { member: 'Ann' })
    assert.match((await draw()).text, /\S/)
    const target = member.asked.member
    assert.deepEqual(await auditOf(moderator), [
      ['member blocked', { target, hours: 0, reason: 'spam', was: 'free' }],
      ['member unblocked', { target, reason: 'spam' }],
    ])
  })

  it('for hours says for how long', async () => {
    const { moderator, member } = await newGuild()
    const { text } = await run(moderator, 'studio block', { member: 'Ann', hours: 2 })
    assert.match(text, /^Ann cannot draw here for 2 hours\./)
    const { code, params } = await refusalOf(run(member, 'imagine', { prompt: 'a red fox' }))
    assert.deepEqual([code, params.waitMs], ['member-blocked-for', 7_200_000])
  })

  it('is not for oneself', async () => {
    const { moderator } = await newGuild()
    const { code } = await refusalOf(
      run(moderator, 'studio block', { member: moderator.asked.member }),
    )
    assert.equal(code, 'block-own')
  })

  it('of nobody cannot be taken off', async () => {
    const { moderator } = await newGuild()
    const { code } = await refusalOf(run(moderator, 'studio unblock', { member: 'Ann' }))
    assert.equal(code, 'member-not-blocked')
  })

  it('does not reach members of other guilds', async () => {
    const [{ moderator }, other] = [await newGuild(), await newContext()]
    const { code } = await refusalOf(run(moderator, 'studio block', { member: other.asked.member }))
    assert.equal(code, 'member-unknown')
  })
})

describe('studio moderator', () => {
  it('makes a member one, and takes it back', async () => {
    const { moderator, member } = await newGuild()
    const isModerator = async () =>
      (await findMember(database, member.guild, member.asked.member))?.isModerator
    await run(moderator, 'studio moderator add', { member: 'Ann' })
    const added = await isModerator()
    const { text } = await run(moderator, 'studio moderator remove', { member: 'Ann' })
    assert.deepEqual([added, await isModerator()], [true, false])
    assert.match(text, /no moderator by this command any more.*platform’s own roles always/)
    assert.deepEqual(
      (await auditOf(moderator)).map(([action]) => action),
      ['moderator added', 'moderator removed'],
    )
  })

  it('twice changes nothing, and says so', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio moderator add', { member: 'Ann' })
    const { text } = await run(moderator, 'studio moderator add', { member: 'Ann' })
    assert.match(text, /was a moderator here already/)
    assert.equal((await auditOf(moderator)).length, 1)
  })
})

describe('studio queue', () => {
  const draw = async (context: Parameters<typeof next>[0]) =>
    (await asked(await next(context), 'imagine', { prompt: 'a red fox' })).job
  const stateOf = async (id: string) => (await findJob(database, id))?.state

  it('shows and cancels anybody’s job, which is audited', async () => {
    const { moderator, member } = await newGuild()
    const job = await draw(member)
    const { items } = await run(moderator, 'studio queue view')
    assert.deepEqual(
      items?.map(({ title }) => title),
      ['Ann · a red fox'],
    )
    await run(moderator, 'studio queue cancel', { job: job.id })
    assert.equal(await stateOf(job.id), 'cancelled')
    assert.deepEqual(await auditOf(moderator), [['job cancelled', { jobId: job.id }]])
  })

  it('does not know the jobs of other guilds', async () => {
    const [{ moderator }, other] = [await newGuild(), await newContext()]
    const job = await draw(other)
    const { code } = await refusalOf(run(moderator, 'studio queue cancel', { job: job.id }))
    assert.equal(code, 'job-unknown')
  })

  it('is cleared only when that is confirmed', async () => {
    const { moderator, member } = await newGuild()
    const job = await draw(member)
    const { text, buttons } = await run(moderator, 'studio queue clear')
    assert.match(text, /^One job would be cancelled: all that wait here/)
    assert.equal(buttons?.[0]?.[0]?.action, 'v1:line-clear:yes')
    assert.equal(await stateOf(job.id), 'queued')
    await run(moderator, 'studio queue clear', { confirm: 'yes' })
    assert.equal(await stateOf(job.id), 'cancelled')
    assert.deepEqual(await auditOf(moderator), [['queue cleared', { target: '', jobs: 1 }]])
  })

  it('gives every member their quota back when it is cleared', async () => {
    const { moderator, member } = await newGuild()
    await draw(member)
    await run(moderator, 'studio queue clear', { confirm: 'yes' })
    const { member: share } = await usageOf(database, member, nowMs)
    assert.equal(share?.left.usedMicros, 0)
  })

  it('is cleared of one member’s jobs alone', async () => {
    const { moderator, member } = await newGuild()
    const other = await next(member, { member: newName() })
    const [job, kept] = [await draw(member), await draw(other)]
    await run(moderator, 'studio queue clear', { member: 'Ann', confirm: 'yes' })
    assert.deepEqual([await stateOf(job.id), await stateOf(kept.id)], ['cancelled', 'queued'])
  })

  it('of another guild stays when one is cleared', async () => {
    const [{ moderator }, other] = [await newGuild(), await newContext()]
    const job = await draw(other)
    await run(moderator, 'studio queue clear', { confirm: 'yes' })
    assert.equal(await stateOf(job.id), 'queued')
  })

  it('of many jobs is cleared in parts, all of it', async () => {
    const { moderator, member } = await newGuild()
    await run(moderator, 'studio settings set', { setting: 'memberQueued', value: '100' })
    await run(moderator, 'studio settings set', { setting: 'memberPerMinute', value: '100' })
    await run(moderator, 'studio settings set', { setting: 'guildPerMinute', value: '100' })
    await run(moderator, 'studio settings set', { setting: 'guildQueued', value: '100' })
    await run(moderator, 'studio quota set', { whose: 'everyone', instead: 'none' })
    for (let job = 0; job < 55; job += 1) await draw(member)
    assert.match(
      (await run(moderator, 'studio queue clear', { confirm: 'yes' })).text,
      /^55 jobs are cancelled/,
    )
    const cleared = (await auditOf(moderator)).filter(([action]) => action === 'queue cleared')
    assert.deepEqual(
      cleared.map(([, facts]) => facts),
      [
        { target: '', jobs: 50 },
        { target: '', jobs: 5 },
      ],
    )
  })
})
