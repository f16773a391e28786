/** What is left of quotas, and by which rule, on a real Postgres. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { Quota } from '../../src/core/quota.ts'
import { usageOf } from '../../src/jobs/usage.ts'
import { ensureGuild, ensureMember } from '../../src/store/guilds.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../src/store/prisma.ts'
import {
  accountsOf,
  defaultQuota,
  type Payers,
  resetUsage,
  saveUsage,
  setQuota,
} from '../../src/store/quota.ts'
import { newDatabase } from '../store/database.ts'
import { newName } from './admission.ts'

const database = openDatabase(await newDatabase())
const hourMs = 3_600_000
const nowMs = Date.UTC(2026, 0, 1)
const daily = (refillMicros: number): Quota => ({
  refillMicros,
  windowMs: 24 * hourMs,
  hardCapMicros: 2 * refillMicros,
})

after(() => closeDatabase(database))

const newPayers = async (roleIds: string[] = []): Promise<Payers> => {
  const guild = await ensureGuild(database, { platform: 'web', platformId: newName() })
  return { guild, member: await ensureMember(database, guild, { id: newName(), roleIds }) }
}
/** As if the member had asked for so much. */
const use = (payers: Payers, micros: number): Promise<void> =>
  inTransaction(database, async (transaction) => {
    await accountsOf(transaction, payers, { isLocked: true, nowMs })
    const usage = { usedMicros: micros, atMs: nowMs }
    await saveUsage(transaction, payers, { guild: usage, member: usage })
  })

describe('usage', () => {
  it('of who has used nothing is the whole default quota', async () => {
    const { member, rule, guild } = await usageOf(database, await newPayers(), nowMs)
    assert.deepEqual([member?.quota, member?.left.usedMicros], [defaultQuota, 0])
    assert.deepEqual([rule, guild], ['everyone', undefined])
  })

  it('says what is left and when all of it is back', async () => {
    const payers = await newPayers()
    await setQuota(database, payers.guild, { scope: 'everyone' }, daily(24_000_000))
    await use(payers, 6_000_000)
    const { member } = await usageOf(database, payers, nowMs + hourMs)
    assert.equal(member?.left.usedMicros, 5_000_000)
    assert.equal(member.left.fastMicros, 19_000_000)
    assert.ok(Math.abs(member.left.fullInMs - 5 * hourMs) < 10, `got ${member.left.fullInMs}`)
  })

  it('is by the most generous of the roles', async () => {
    const payers = await newPayers(['small', 'large', 'none'])
    for (const [id, micros] of [
      ['small', 24_000],
      ['large', 48_000],
    ] as const) {
      await setQuota(database, payers.guild, { scope: 'role', id }, daily(micros))
    }
    const { member, rule } = await usageOf(database, payers, nowMs)
    assert.deepEqual([rule, member?.quota], ['role', daily(48_000)])
  })

  it('is by what is set for the member before all else', async () => {
    const payers = await newPayers(['large'])
    await setQuota(database, payers.guild, { scope: 'role', id: 'large' }, daily(48_000))
    await setQuota(database, payers.guild, { scope: 'member', id: payers.member.id }, daily(24_000))
    const { member, rule } = await usageOf(database, payers, nowMs)
    assert.deepEqual([rule, member?.quota], ['member', daily(24_000)])
  })

  it('has no limit where moderators set none', async () => {
    const payers = await newPayers()
    await setQuota(database, payers.guild, { scope: 'everyone' }, null)
    assert.equal((await usageOf(database, payers, nowMs)).member, undefined)
  })

  it('is by the next rule once a rule is taken away', async () => {
    const payers = await newPayers()
    const subject = { scope: 'member', id: payers.member.id } as const
    await setQuota(database, payers.guild, subject, daily(24_000))
    await setQuota(database, payers.guild, subject, undefined)
    assert.equal((await usageOf(database, payers, nowMs)).rule, 'everyone')
  })

  it("shows the guild's quota beside the member's", async () => {
    const payers = await newPayers()
    await setQuota(database, payers.guild, { scope: 'guild' }, daily(96_000))
    assert.deepEqual((await usageOf(database, payers, nowMs)).guild?.quota, daily(96_000))
  })

  it('of one guild is not that of another', async () => {
    const [payers, others] = [await newPayers(), await newPayers()]
    await use(payers, 1_000)
    assert.equal((await usageOf(database, others, nowMs)).member?.left.usedMicros, 0)
  })

  it('is nothing after a reset, which the ledger shows as granted', async () => {
    const payers = await newPayers()
    await use(payers, 1_000)
    await inTransaction(database, (transaction) => resetUsage(transaction, payers, nowMs))
    const { member } = await usageOf(database, payers, nowMs)
    const entries = await database.ledgerEntry.findMany({ where: { guildId: payers.guild.row } })
    assert.equal(member?.left.usedMicros, 0)
    assert.deepEqual(
      entries.map(({ kind, micros }) => [kind, Number(micros)]),
      [['grant', 1_000]],
    )
  })
})
