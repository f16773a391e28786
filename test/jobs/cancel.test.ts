/** Cancelling on a real Postgres, with a queue that says what the test wants. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Rank } from '../../src/core/permission.ts'
import { cancel, type Canceller, type Cancelling } from '../../src/jobs/cancel.ts'
import { RateLimit } from '../../src/jobs/rate-limit.ts'
import { submit } from '../../src/jobs/submit.ts'
import { usageOf } from '../../src/jobs/usage.ts'
import { Queue } from '../../src/queue/pg-boss.ts'
import { ensureGuild, ensureMember } from '../../src/store/guilds.ts'
import { findJob, markDispatched, markStarted, settleCancelled } from '../../src/store/jobs.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../src/store/prisma.ts'
import { newDatabase } from '../store/database.ts'
import { newAsked, newName, newSpec, refusalOf } from './admission.ts'

const url = await newDatabase()
const database = openDatabase(url)
const rateLimit = new RateLimit()
const nowMs = Date.UTC(2026, 0, 1)
const now = (): number => nowMs

after(async () => {
  await rateLimit.close()
  await closeDatabase(database)
})

/** A queue that answers so, and what was asked of it. */
const queueThat = (
  answers: Awaited<ReturnType<Cancelling['cancelDispatch']>>,
): { readonly cancelling: Cancelling; readonly asked: string[] } => {
  const asked: string[] = []
  const cancelDispatch: Cancelling['cancelDispatch'] = async (jobId) => {
    asked.push(jobId)
    return answers
  }
  return { cancelling: { database, cancelDispatch, now }, asked }
}

const newJob = async (): Promise<{ readonly id: string; readonly owner: Canceller }> => {
  const asked = newAsked()
  const admission = { database, rateLimit, predictWaitMs: () => 0, now }
  const { job } = await submit(admission, asked, newSpec())
  const guild = await ensureGuild(database, { ...asked, platformId: asked.guild })
  const member = await ensureMember(database, guild, { ...asked, id: asked.member })
  return { id: job.id, owner: { guild, member, rank: 'member' } }
}
const newRunningJob: typeof newJob = async () => {
  const job = await newJob()
  await inTransaction(database, (transaction) => markDispatched(transaction, job.id, nowMs))
  await markStarted(database, job.id, { attempt: 1, device: 'test:0', nowMs })
  return job
}
const other = async ({ guild }: Canceller, rank: Rank): Promise<Canceller> => ({
  guild,
  member: await ensureMember(database, guild, { id: newName(), roleIds: [] }),
  rank,
})
const usedBy = async (owner: Canceller): Promise<number | undefined> =>
  (await usageOf(database, owner, nowMs)).member?.left.usedMicros
const audited = async ({ guild }: Canceller): Promise<unknown[]> => {
  const entries = await database.auditEntry.findMany({ where: { guildId: guild.row } })
  return entries.map(({ action, facts }) => [action, facts])
}

describe('cancel', () => {
  it('ends a queued job at once and refunds it, without asking the queue', async () => {
    const { id, owner } = await newJob()
    const { cancelling, asked } = queueThat('absent')
    assert.equal(await cancel(cancelling, owner, id), 'cancelled')
    assert.deepEqual([(await findJob(database, id))?.state, await usedBy(owner)], ['cancelled', 0])
    assert.deepEqual(asked, [])
  })

  it('ends a dispatched job that no device has taken yet', async () => {
    const { id, owner } = await newJob()
    await inTransaction(database, (transaction) => markDispatched(transaction, id, nowMs))
    const { cancelling, asked } = queueThat('removed')
    assert.equal(await cancel(cancelling, owner, id), 'cancelled')
    assert.deepEqual([await usedBy(owner), asked], [0, [id]])
  })

  for (const answer of ['requested', 'absent'] as const) {
    it(`flags a running job that the queue calls ${answer}, for its device to end`, async () => {
      const { id, owner } = await newRunningJob()
      assert.equal(await cancel(queueThat(answer).cancelling, owner, id), 'requested')
      const job = await findJob(database, id)
      assert.deepEqual([job?.state, job?.cancelledAtMs], ['running', nowMs])
    })
  }

  it('done twice refunds once', async () => {
    const { id, owner } = await newJob()
    const { cancelling } = queueThat('absent')
    const outcomes = await Promise.all([1, 2, 3].map(() => cancel(cancelling, owner, id)))
    assert.deepEqual(outcomes.toSorted(), ['cancelled', 'ended', 'ended'])
    assert.equal(await database.ledgerEntry.count({ where: { jobId: id } }), 2)
  })

  it('is refused to other members', async () => {
    const { id, owner } = await newJob()
    const attempt = cancel(queueThat('absent').cancelling, await other(owner, 'member'), id)
    assert.deepEqual(await refusalOf(attempt), {
      code: 'not-allowed',
      params: { verb: 'cancel any', needed: 'moderator' },
    })
  })

  it('by a moderator is audited', async () => {
    const { id, owner } = await newJob()
    const moderator = await other(owner, 'moderator')
    assert.equal(await cancel(queueThat('absent').cancelling, moderator, id), 'cancelled')
    assert.deepEqual(await audited(owner), [['job cancelled', { jobId: id }]])
  })

  it('by the one who asked is not', async () => {
    const { id, owner } = await newJob()
    await cancel(queueThat('absent').cancelling, owner, id)
    assert.deepEqual(await audited(owner), [])
  })

  it('does not know the jobs of other guilds', async () => {
    const [{ id }, { owner: stranger }] = [await newJob(), await newJob()]
    const moderator: Canceller = { ...stranger, rank: 'moderator' }
    assert.deepEqual(await refusalOf(cancel(queueThat('absent').cancelling, moderator, id)), {
      code: 'job-unknown',
      params: { job: id },
    })
  })
})

describe('cancel, over the real queue', () => {
  const errors: unknown[] = []
  let queue: Queue
  before(async () => {
    queue = await Queue.open(url, { onError: (error) => errors.push(error) })
  })
  after(async () => {
    await queue.close()
    assert.deepEqual(errors, [])
  })

  const cancelling: Cancelling = {
    database,
    cancelDispatch: (jobId, transaction) => queue.cancel(jobId, transaction),
    now,
  }
  /** A job in the queue of a class of devices of its own. */
  const dispatched = async (): Promise<Awaited<ReturnType<typeof newJob>>> => {
    const job = await newJob()
    await inTransaction(database, async (transaction) => {
      const attempt = await markDispatched(transaction, job.id, nowMs)
      await queue.dispatch({ jobId: job.id, attempt: attempt!, deviceClass: job.id }, transaction)
    })
    return job
  }

  it('takes a waiting dispatch out with the job', async () => {
    const { id, owner } = await dispatched()
    assert.equal(await cancel(cancelling, owner, id), 'cancelled')
    assert.deepEqual([await queue.live(), await usedBy(owner)], [[], 0])
  })

  it('reaches the device that holds the job, which then settles it', async () => {
    const { id, owner } = await dispatched()
    const lease = await queue.take(id, AbortSignal.timeout(30_000))
    assert.ok(lease)
    await markStarted(database, id, { attempt: lease.attempt, device: 'test:0', nowMs })
    assert.equal(await cancel(cancelling, owner, id), 'requested')
    assert.equal(await queue.heartbeat(lease), 'cancelled')
    await inTransaction(database, async (transaction) => {
      await settleCancelled(transaction, id, lease.attempt, { costMicros: 9, nowMs })
      assert.equal(await queue.settle(lease, 'cancelled', transaction), 'settled')
    })
    const job = await findJob(database, id)
    assert.deepEqual([job?.state, job?.costMicros, await usedBy(owner)], ['cancelled', 9, 0])
  })
})
