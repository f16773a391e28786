/** `queue`: what waits, who is served, and cancelling. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ServedGuild } from '../../src/chat/services.ts'
import { findJob } from '../../src/store/jobs.ts'
import { newName, refusalOf } from '../jobs/admission.ts'
import { asked, database, newContext, next, run } from './context.ts'

describe('queue mine', () => {
  it('lists what has not ended, with place, time and a way to cancel', async () => {
    const context = await newContext()
    const { job } = await asked(context, 'imagine', { prompt: 'a red fox' })
    const { text, items } = await run(context, 'queue mine')
    assert.equal(text, 'One of your jobs has not ended.')
    assert.deepEqual(
      items?.map(({ title, buttons }) => [title, buttons?.[0]?.action]),
      [['a red fox', `v1:cancel:${job.id}`]],
    )
    assert.match(items[0]?.text ?? '', /number 2 in line.*\n.*5 to 18 seconds/)
  })

  it('shows nobody else’s', async () => {
    const context = await newContext()
    await run(context, 'imagine', { prompt: 'a red fox' })
    const { items } = await run(await next(context, { member: newName() }), 'queue mine')
    assert.deepEqual(items, [])
  })

  it('says who is served and why, other guilds by number only', async () => {
    const context = await newContext()
    const served = (guild: string): ServedGuild => ({
      guild,
      lane: 'fast',
      weight: 1,
      waitingJobs: 2,
      queuedMicros: 1,
      runningJobs: 1,
    })
    const servedNow = (): ServedGuild[] => [served('discord:secret'), served(context.guild.id)]
    const { text } = await run(await next(context, { services: { servedNow } }), 'queue mine')
    assert.deepEqual(text.split('\n').slice(1), [
      'Turns go to whoever has had least for their weight:',
      'another community (1): 2 jobs waiting, 1 at a device, weight 1',
      'this community: 2 jobs waiting, 1 at a device, weight 1',
    ])
  })
})

describe('queue all', () => {
  it('shows the whole guild, but not what is private', async () => {
    const context = await newContext()
    const other = await next(context, { member: newName() })
    await run(context, 'imagine', { prompt: 'a red fox' })
    await run(other, 'imagine', { prompt: 'a secret', private: true })
    const { items } = await run(await next(context, { rank: 'moderator' }), 'queue all')
    const titles = items?.map(({ title }) => title)
    assert.deepEqual(
      titles?.toSorted(),
      [`${context.asked.member} · a red fox`, `${other.asked.member} · (private)`].toSorted(),
    )
  })
})

describe('queue cancel', () => {
  it('ends a job, however its id is typed', async () => {
    const context = await newContext()
    const { job } = await asked(context, 'imagine', { prompt: 'a red fox' })
    const { text } = await run(context, 'queue cancel', { job: ` #${job.id.toUpperCase()}` })
    assert.match(text, /is cancelled/)
    assert.equal((await findJob(database, job.id))?.state, 'cancelled')
  })

  it('twice says that it had ended', async () => {
    const context = await newContext()
    const { job } = await asked(context, 'imagine', { prompt: 'a red fox' })
    await run(context, 'queue cancel', { job: job.id })
    assert.match((await run(context, 'queue cancel', { job: job.id })).text, /had ended already/)
  })

  it('is refused for another’s job, but not to moderators', async () => {
    const context = await newContext()
    const { job } = await asked(context, 'imagine', { prompt: 'a red fox' })
    const other = await next(context, { member: newName() })
    const { code } = await refusalOf(run(other, 'queue cancel', { job: job.id }))
    assert.equal(code, 'not-allowed')
    const moderator = await next(other, { rank: 'moderator' })
    assert.match((await run(moderator, 'queue cancel', { job: job.id })).text, /is cancelled/)
  })

  for (const job of ['nonsense', '0123456789', '🦊'.repeat(30)]) {
    it(`does not know ${job.slice(0, 10)}`, async () => {
      const { code } = await refusalOf(run(await newContext(), 'queue cancel', { job }))
      assert.equal(code, 'job-unknown')
    })
  }
})
