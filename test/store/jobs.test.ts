/**
 * The money of jobs on a real Postgres: each ends once, by its latest attempt, and the ledger adds up
 * to the charges whatever happens in whatever order.
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import * as fc from 'fast-check'
import { ensureGuild, ensureMember, type StoredGuild } from '../../src/store/guilds.ts'
import {
  findJob,
  insertJob,
  markCancelled,
  markDispatched,
  markQueued,
  markStarted,
  type Settlement,
  settleCancelled,
  settleDone,
  settleFailed,
  type StoredJob,
} from '../../src/store/jobs.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../src/store/prisma.ts'
import { accountsOf, type Payers, setQuota } from '../../src/store/quota.ts'
import { newAsked, newJobId, newName, newSpec } from '../jobs/admission.ts'
import { newDatabase } from './database.ts'

const database = openDatabase(await newDatabase())
const nowMs = Date.UTC(2026, 0, 1)
const estimateMicros = 1_000
const results = { keys: ['blob-1'], device: 'test:0' }
const error = { code: 'runner-out-of-memory', params: {} }

after(() => closeDatabase(database))

const payersOf = async (): Promise<Payers & { guild: StoredGuild }> => {
  const guild = await ensureGuild(database, { platform: 'slack', platformId: newName() })
  const quota = { refillMicros: 24_000_000, windowMs: 86_400_000, hardCapMicros: 48_000_000 }
  await setQuota(database, guild, { scope: 'everyone' }, quota)
  await setQuota(database, guild, { scope: 'guild' }, quota)
  const member = await ensureMember(database, guild, { id: newName(), roleIds: [] })
  return { guild, member }
}

const insert = async (payers: Payers & { guild: StoredGuild }): Promise<StoredJob> =>
  inTransaction(database, async (transaction) => {
    const accounts = await accountsOf(transaction, payers, { isLocked: true, nowMs })
    const { invocationId, replyTo } = newAsked()
    const job = { id: newJobId(), invocationId, spec: newSpec(), lane: 'fast', replyTo } as const
    return insertJob(transaction, { ...payers, ...job, estimateMicros }, accounts, nowMs)
  })

const dispatch = (id: string): Promise<number | undefined> =>
  inTransaction(database, (transaction) => markDispatched(transaction, id, nowMs))
const start = (id: string, attempt: number): Promise<boolean> =>
  markStarted(database, id, { attempt, device: 'test:0', nowMs })
const finish = (id: string, attempt: number, costMicros = 600): Promise<Settlement> =>
  inTransaction(database, (transaction) =>
    settleDone(transaction, id, attempt, { costMicros, results, nowMs }),
  )
const fail = (id: string, attempt: number): Promise<Settlement> =>
  inTransaction(database, (transaction) =>
    settleFailed(transaction, id, attempt, { error, costMicros: 5, nowMs }),
  )
const cancel = (id: string, attempt: number): Promise<Settlement> =>
  inTransaction(database, (transaction) =>
    settleCancelled(transaction, id, attempt, { costMicros: 5, nowMs }),
  )

/** A job at a device, in its first attempt. */
const running = async (payers?: Payers & { guild: StoredGuild }): Promise<string> => {
  const { id } = await insert(payers ?? (await payersOf()))
  await dispatch(id)
  await start(id, 1)
  return id
}
const ledgerOf = async (id: string): Promise<(string | number)[][]> => {
  const entries = await database.ledgerEntry.findMany({
    where: { jobId: id },
    orderBy: { id: 'asc' },
  })
  return entries.map(({ kind, micros }) => [kind, Number(micros)])
}
const usedBy = async (payers: Payers): Promise<readonly [member: number, guild: number]> => {
  const { member, guild } = await accountsOf(database, payers, { isLocked: false, nowMs })
  return [member.usage.usedMicros, guild.usage.usedMicros]
}

describe('a job that is drawn', () => {
  it('is charged its true cost', async () => {
    const payers = await payersOf()
    const id = await running(payers)
    await finish(id, 1)
    const charges = await database.charge.findMany({ where: { jobId: id } })
    assert.deepEqual(await ledgerOf(id), [
      ['reservation', -1_000],
      ['settlement', 400],
    ])
    assert.deepEqual(
      charges.map(({ micros }) => Number(micros)),
      [600],
    )
    assert.deepEqual(await usedBy(payers), [600, 600])
  })

  it('keeps its pictures', async () => {
    const id = await running()
    await finish(id, 1)
    const job = await findJob(database, id)
    assert.deepEqual([job?.state, job?.resultKeys, job?.costMicros], ['done', ['blob-1'], 600])
  })

  it('may cost more than was thought', async () => {
    const payers = await payersOf()
    await finish(await running(payers), 1, 2_500)
    assert.deepEqual(await usedBy(payers), [2_500, 2_500])
  })

  it('is settled once by 10 who settle at once', async () => {
    const id = await running()
    const all = await Promise.all(Array.from({ length: 10 }, () => finish(id, 1)))
    assert.equal(all.filter((settlement) => settlement === 'settled').length, 1)
    assert.equal((await ledgerOf(id)).length, 2)
  })

  it('ends in one way, whatever is tried at once', async () => {
    const id = await running()
    const all = await Promise.all([finish(id, 1), fail(id, 1), cancel(id, 1)])
    assert.equal(all.filter((settlement) => settlement === 'settled').length, 1)
    assert.equal((await ledgerOf(id)).length, 2)
  })

  it('is not settled by a device that was given up', async () => {
    const id = await running()
    await start(id, 2)
    assert.deepEqual([await finish(id, 1), await finish(id, 2)], ['stale', 'settled'])
  })

  it('is not begun again by a device that comes back late', async () => {
    const id = await running()
    await start(id, 2)
    assert.equal(await start(id, 1), false)
  })
})

describe('a job that is not drawn', () => {
  it('is refunded when it fails, without a charge', async () => {
    const payers = await payersOf()
    const id = await running(payers)
    await fail(id, 1)
    assert.deepEqual(await ledgerOf(id), [
      ['reservation', -1_000],
      ['refund', 1_000],
    ])
    assert.equal(await database.charge.count({ where: { jobId: id } }), 0)
    assert.deepEqual(await usedBy(payers), [0, 0])
  })

  it('fails in the attempt that was lost before any device began', async () => {
    const { id } = await insert(await payersOf())
    await dispatch(id)
    assert.equal(await fail(id, 4), 'settled')
  })

  it('is cancelled, not failed, when that was wanted', async () => {
    const id = await running()
    await inTransaction(database, (transaction) => markCancelled(transaction, id, nowMs))
    await fail(id, 1)
    assert.equal((await findJob(database, id))?.state, 'cancelled')
  })

  it('that is gone has nothing to settle', async () => {
    assert.equal(await fail('0000000000', 1), 'stale')
  })
})

describe('random lives of jobs', () => {
  type Move = {
    readonly job: number
    readonly what: string
    readonly attempt: number
    readonly cost: number
  }
  const moves = fc.array(
    fc.record({
      job: fc.nat(2),
      what: fc.constantFrom('dispatch', 'start', 'queue', 'finish', 'fail', 'cancel', 'flag'),
      attempt: fc.integer({ min: 0, max: 4 }),
      cost: fc.integer({ min: 0, max: 5_000 }),
    }),
    { minLength: 5, maxLength: 25 },
  )
  const make = async (id: string, { what, attempt, cost }: Move): Promise<unknown> => {
    if (what === 'dispatch') return dispatch(id)
    if (what === 'start') return start(id, attempt)
    if (what === 'queue') return markQueued(database, id, attempt)
    if (what === 'finish') return finish(id, attempt, cost)
    if (what === 'fail') return fail(id, attempt)
    if (what === 'cancel') return cancel(id, attempt)
    return inTransaction(database, (transaction) => markCancelled(transaction, id, nowMs))
  }
  const sum = (rows: readonly { readonly micros: bigint }[]): number =>
    rows.reduce((total, { micros }) => total + Number(micros), 0)

  it('leave a ledger that adds up to charges and reservations, and balances equal to it', async () => {
    let ended = 0
    await fc.assert(
      fc.asyncProperty(moves, fc.integer({ min: 1, max: 4 }), async (lives, width) => {
        const payers = await payersOf()
        const jobs = await Promise.all([1, 2, 3].map(() => insert(payers)))
        // Some at once, as processes do.
        for (let at = 0; at < lives.length; at += width) {
          const some = lives.slice(at, at + width)
          await Promise.all(some.map((move) => make(jobs[move.job]!.id, move)))
        }
        let used = 0
        for (const { id } of jobs) {
          const job = await findJob(database, id)
          const isOpen = job?.costMicros === undefined
          if (!isOpen) ended += 1
          const ledger = sum(await database.ledgerEntry.findMany({ where: { jobId: id } }))
          const charges = sum(await database.charge.findMany({ where: { jobId: id } }))
          assert.equal(0 - ledger, isOpen ? estimateMicros : charges)
          used -= ledger
        }
        assert.deepEqual(await usedBy(payers), [used, used])
      }),
      { numRuns: 30 },
    )
    assert.ok(ended > 20, `only ${ended} jobs ended`)
  })
})
