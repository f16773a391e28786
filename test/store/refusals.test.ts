/** Refused prompts: whose they are, and for how long. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { JobSpec } from '../../src/core/job-spec.ts'
import { ensureGuild, ensureMember, type StoredMember } from '../../src/store/guilds.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { forgetRefusal, keepRefusal, refusalKeptMs, refusalOf } from '../../src/store/refusals.ts'
import { newDatabase } from './database.ts'

const database = openDatabase(await newDatabase())
after(() => closeDatabase(database))
const nowMs = Date.UTC(2026, 0, 1)
let names = 0
const newMember = async (): Promise<StoredMember> => {
  const guild = await ensureGuild(database, { platform: 'web', platformId: 'foxes' })
  return ensureMember(database, guild, { id: `member-${(names += 1)}`, roleIds: [] })
}
const specOf = (prompt: string): JobSpec => ({
  kind: 'imagine',
  prompt,
  width: 128,
  height: 128,
  seed: 7,
  count: 1,
  evaluations: 8,
  guidance: 0,
  isRaw: false,
  isPrivate: false,
})
const refuse = (member: StoredMember, prompt: string, atMs: number = nowMs): Promise<number> =>
  keepRefusal(database, { member, rule: 'fox', spec: specOf(prompt), nowMs: atMs })

describe('a refusal', () => {
  it('belongs to its member alone', async () => {
    const [member, other] = [await newMember(), await newMember()]
    const id = await refuse(member, 'a fox')
    assert.deepEqual(await refusalOf(database, member, { id, nowMs }), {
      id,
      rule: 'fox',
      spec: specOf('a fox'),
      atMs: nowMs,
    })
    assert.equal(await refusalOf(database, other, { id, nowMs }), undefined)
  })

  it('takes the place of the one before, whose id means nothing then', async () => {
    const member = await newMember()
    const first = await refuse(member, 'a fox')
    const second = await refuse(member, 'two foxes')
    assert.equal(await refusalOf(database, member, { id: first, nowMs }), undefined)
    assert.equal(
      (await refusalOf(database, member, { id: second, nowMs }))?.spec.prompt,
      'two foxes',
    )
    assert.equal((await refusalOf(database, member, { nowMs }))?.id, second)
  })

  it('is kept for seven days, then forgotten when anybody is refused', async () => {
    const [member, other] = [await newMember(), await newMember()]
    await refuse(member, 'a fox')
    assert.ok(await refusalOf(database, member, { nowMs: nowMs + refusalKeptMs }))
    assert.equal(await refusalOf(database, member, { nowMs: nowMs + refusalKeptMs + 1 }), undefined)
    await refuse(other, 'a fox', nowMs + refusalKeptMs + 1)
    assert.equal(await database.state.count({ where: { name: `refusal/${member.row}` } }), 0)
  })

  it('is forgotten when its member appeals', async () => {
    const member = await newMember()
    await refuse(member, 'a fox')
    await forgetRefusal(database, member)
    assert.equal(await refusalOf(database, member, { nowMs }), undefined)
  })
})
