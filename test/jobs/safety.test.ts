/** Word lists at work on a real Postgres: kept for a moment, audited without a flood, set aside once. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { addRule, removeRule } from '../../src/jobs/lists.ts'
import type { Moderating } from '../../src/jobs/moderation.ts'
import { RateLimit } from '../../src/jobs/rate-limit.ts'
import { appealRefusal, uphold } from '../../src/jobs/reports.ts'
import { checkWords } from '../../src/jobs/safety.ts'
import { submit } from '../../src/jobs/submit.ts'
import { keptMs, wordListOf } from '../../src/jobs/word-lists.ts'
import type { BlobStore } from '../../src/store/blobs/blob-store.ts'
import { ensureGuild, ensureMember } from '../../src/store/guilds.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { newDatabase } from '../store/database.ts'
import { newAsked, newSpec, refusalOf } from './admission.ts'

const database = openDatabase(await newDatabase())
const startMs = Date.UTC(2026, 0, 1)
const rateLimit = new RateLimit()

after(async () => {
  await rateLimit.close()
  await closeDatabase(database)
})

/** Somebody in a guild of their own that draws no fox, and a moderator of it. */
async function newPeople(words: readonly string[] = ['fox']) {
  const asked = newAsked()
  const guild = await ensureGuild(database, { ...asked, platformId: asked.guild })
  const member = await ensureMember(database, guild, { ...asked, id: asked.member })
  const keeper = await ensureMember(database, guild, { id: 'keeper', roleIds: [] })
  const moderating: Moderating = { database, guild, member: keeper, nowMs: startMs }
  for (const word of words) await addRule(moderating, word)
  return { asked, guild, member, moderating }
}

type People = Awaited<ReturnType<typeof newPeople>>

const ask = ({ guild, member }: People, prompt: string, nowMs = startMs) =>
  checkWords(database, { guild, member, spec: newSpec({ prompt }), nowMs })
const codeOf = async (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'drawn',
    async () => (await refusalOf(attempt)).code,
  )
const refusals = async ({ guild }: People): Promise<number> =>
  database.auditEntry.count({ where: { guildId: guild.row, action: 'prompt refused' } })

describe('a word list', () => {
  it('holds at once where it was changed', async () => {
    const people = await newPeople([])
    const before = await codeOf(ask(people, 'a fox'))
    await addRule(people.moderating, 'fox')
    const added = await codeOf(ask(people, 'a fox'))
    await removeRule(people.moderating, 'FOX')
    const removed = await codeOf(ask(people, 'a fox'))
    assert.deepEqual([before, added, removed], ['drawn', 'prompt-refused', 'drawn'])
  })

  it('that another process has changed holds after a moment', async () => {
    const people = await newPeople([])
    await ask(people, 'a fox')
    await database.word.create({ data: { guildId: people.guild.row, word: 'fox' } })
    const [soon, later] = [startMs + keptMs - 1, startMs + keptMs]
    assert.deepEqual(
      [await codeOf(ask(people, 'a fox', soon)), await codeOf(ask(people, 'a fox', later))],
      ['drawn', 'prompt-refused'],
    )
  })

  it('is read once for many wishes', async () => {
    const { guild } = await newPeople()
    const [first, ...others] = await Promise.all(
      Array.from({ length: 20 }, () => wordListOf(database, guild, startMs)),
    )
    assert.ok(others.every((list) => list === first))
  })

  it('is another one in another guild', async () => {
    await newPeople(['fox'])
    assert.equal(await codeOf(ask(await newPeople(['owl']), 'a fox')), 'drawn')
  })
})

describe('a refusal', () => {
  it('is audited once a minute for a member and a rule', async () => {
    const people = await newPeople()
    for (const afterMs of [0, 1_000, 59_999]) {
      await refusalOf(ask(people, `a fox ${afterMs}`, startMs + afterMs))
    }
    assert.equal(await refusals(people), 1)
    await refusalOf(ask(people, 'a fox', startMs + 60_000))
    assert.equal(await refusals(people), 2)
  })

  it('by another rule is another entry', async () => {
    const people = await newPeople(['fox', 'owl'])
    await refusalOf(ask(people, 'a fox'))
    await refusalOf(ask(people, 'an owl'))
    assert.equal(await refusals(people), 2)
  })
})

describe('an appeal that was upheld', () => {
  const noBlobs = {} as BlobStore
  const prompt = 'a fox terrier'
  const admission = { database, rateLimit, predictWaitMs: () => 0, now: () => startMs }
  const newPass = async () => {
    const people = await newPeople()
    await refusalOf(ask(people, prompt))
    const { guild, member, moderating } = people
    const reporting = { database, guild, member, nowMs: startMs }
    const { id } = await appealRefusal(reporting, { note: '' })
    await uphold(moderating, noBlobs, { id, answer: '' })
    return { ...people, id }
  }
  const draw = ({ asked }: People, invocationId: string, facts = {}) =>
    submit(admission, { ...asked, invocationId }, newSpec({ prompt, ...facts }))

  it('lets its words be drawn once', async () => {
    const people = await newPass()
    const { job } = await draw(people, 'one')
    assert.equal(job.state, 'queued')
    assert.equal((await refusalOf(draw(people, 'two'))).code, 'prompt-refused')
  })

  it('lets one of two in that come at once', async () => {
    const people = await newPass()
    const both = await Promise.allSettled([draw(people, 'one'), draw(people, 'two')])
    assert.deepEqual(both.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
  })

  it('is not used up by a wish that is refused for something else', async () => {
    const people = await newPass()
    const tooLarge = await refusalOf(draw(people, 'one', { width: 4096, height: 4096 }))
    assert.equal(tooLarge.code, 'size-not-allowed')
    assert.equal((await draw(people, 'two')).job.state, 'queued')
  })

  it('lets in no other words and nobody else', async () => {
    const people = await newPass()
    const { guild } = people
    const member = await ensureMember(database, guild, { id: 'somebody else', roleIds: [] })
    const codes = [
      await codeOf(ask(people, 'a fox terrier and another')),
      await codeOf(ask({ ...people, member }, prompt)),
    ]
    assert.deepEqual(codes, ['prompt-refused', 'prompt-refused'])
  })

  it('is in the audit log when it is used, without its words', async () => {
    const people = await newPass()
    const { job } = await draw(people, 'one')
    const entry = await database.auditEntry.findFirst({
      where: { guildId: people.guild.row, action: 'pass used' },
    })
    assert.deepEqual(entry?.facts, { report: people.id, rule: 'fox', jobId: job.id })
  })
})
