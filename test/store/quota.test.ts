/** Quotas and balances as rows: what is written is what is read, and locks make no circles. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { charged, type Quota } from '../../src/core/quota.ts'
import { ensureGuild, ensureMember, type StoredGuild } from '../../src/store/guilds.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../src/store/prisma.ts'
import {
  type Accounts,
  accountsOf,
  type Payers,
  saveUsage,
  setQuota,
} from '../../src/store/quota.ts'
import { newName } from '../jobs/admission.ts'
import { newDatabase } from './database.ts'

const database = openDatabase(await newDatabase())
const dayMs = 86_400_000
const nowMs = Date.UTC(2026, 0, 1)
const quota: Quota = { refillMicros: 24_000_000, windowMs: dayMs, hardCapMicros: 48_000_000 }

after(() => closeDatabase(database))

type NewPayers = Payers & { readonly guild: StoredGuild }
const newPayers = async (): Promise<NewPayers> => {
  const guild = await ensureGuild(database, { platform: 'web', platformId: newName() })
  return { guild, member: await ensureMember(database, guild, { id: newName(), roleIds: [] }) }
}
const read = (payers: Payers, atMs = nowMs): Promise<Accounts> =>
  accountsOf(database, payers, { isLocked: false, nowMs: atMs })
const charge = (payers: Payers, micros: number): Promise<void> =>
  inTransaction(database, async (transaction) => {
    const accounts = await accountsOf(transaction, payers, { isLocked: true, nowMs })
    await saveUsage(transaction, payers, {
      guild: charged(accounts.guild, micros, nowMs),
      member: charged(accounts.member, micros, nowMs),
    })
  })

describe('quotas', () => {
  it('are read as they were set', async () => {
    const payers = await newPayers()
    await setQuota(database, payers.guild, { scope: 'guild' }, quota)
    await setQuota(database, payers.guild, { scope: 'everyone' }, quota)
    const { member, guild } = await read(payers)
    assert.deepEqual([member.quota, guild.quota], [quota, quota])
  })

  it('of another window are as fast, a day long, and never less than was said', async () => {
    const payers = await newPayers()
    const hourly = { refillMicros: 1_000_001, windowMs: 7_000_000, hardCapMicros: 30_000_000 }
    await setQuota(database, payers.guild, { scope: 'everyone' }, hourly)
    const { refillMicros, windowMs } = (await read(payers)).member.quota!
    const [asked, got] = [hourly.refillMicros / hourly.windowMs, refillMicros / windowMs]
    assert.ok(got >= asked && got < asked * 1.001, `asked ${asked}, got ${got}`)
  })

  it('of one guild are not those of another', async () => {
    const [payers, others] = [await newPayers(), await newPayers()]
    await setQuota(database, payers.guild, { scope: 'guild' }, quota)
    assert.equal((await read(others)).guild.quota, undefined)
  })
})

describe('balances', () => {
  it('are the same read with a lock and without', async () => {
    const payers = await newPayers()
    await setQuota(database, payers.guild, { scope: 'guild' }, quota)
    await charge(payers, 5_000)
    const atMs = nowMs + 1
    const locked = await inTransaction(database, (transaction) =>
      accountsOf(transaction, payers, { isLocked: true, nowMs: atMs }),
    )
    assert.deepEqual(locked, await read(payers, atMs))
  })

  it('of a guild are filled by all its members', async () => {
    const payers = await newPayers()
    const member = await ensureMember(database, payers.guild, { id: newName(), roleIds: [] })
    const friend = { ...payers, member }
    await setQuota(database, payers.guild, { scope: 'guild' }, quota)
    await charge(payers, 5_000)
    await charge(friend, 2_000)
    const { member: own, guild } = await read(friend)
    assert.deepEqual([own.usage.usedMicros, guild.usage.usedMicros], [2_000, 7_000])
  })

  it('without a quota keep nothing, so that a first one finds nothing in use', async () => {
    const payers = await newPayers()
    await charge(payers, 5_000)
    await setQuota(database, payers.guild, { scope: 'guild' }, quota)
    assert.equal((await read(payers)).guild.usage.usedMicros, 0)
  })

  it('lose nothing when 30 charge those of three members at once, for the first time', async () => {
    const { guild, member } = await newPayers()
    await setQuota(database, guild, { scope: 'guild' }, quota)
    const members = [member]
    for (const id of [newName(), newName()]) {
      members.push(await ensureMember(database, guild, { id, roleIds: [] }))
    }
    const charges = Array.from({ length: 30 }, (_, k) =>
      charge({ guild, member: members[k % 3]! }, 100),
    )
    await Promise.all(charges)
    const used = await Promise.all(members.map((member) => read({ guild, member })))
    assert.deepEqual(
      used.map(({ member }) => member.usage.usedMicros),
      [1_000, 1_000, 1_000],
    )
    assert.equal(used[0]?.guild.usage.usedMicros, 3_000)
  })
})
