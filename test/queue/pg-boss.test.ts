/** Dispatches, leases and their ends on a real Postgres, within one process. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dispatch, Lease, LeaseEnded } from '../../src/queue/lease.ts'
import { Queue } from '../../src/queue/pg-boss.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../src/store/prisma.ts'
import { until } from '../worker/processes.ts'
import { newDatabase } from '../store/database.ts'
import { TestClient } from './client.ts'

const postgres = new TestClient(await newDatabase({ isEmpty: true }))

describe('Queue', () => {
  let queue: Queue
  /** Another process' queue, as far as the database can tell. */
  let other: Queue
  const errors: unknown[] = []
  const options = { onError: (error: unknown) => errors.push(error) }

  before(async () => {
    ;[queue, other] = await Promise.all([
      Queue.open(postgres.url, options),
      Queue.open(postgres.url, options),
    ])
  })
  after(async () => {
    await Promise.all([queue.close(), other.close()])
    assert.deepEqual(errors, [])
  })

  let jobs = 0
  /** A dispatch of a new job to a class that no other test uses. */
  const dispatch = (facts: Partial<Dispatch> = {}): Dispatch => {
    const name = `job${++jobs}`
    return { jobId: name, attempt: 1, deviceClass: name, ...facts }
  }
  const take = async (by: Queue, deviceClass: string): Promise<Lease> => {
    const lease = await by.take(deviceClass, AbortSignal.timeout(30_000))
    assert.ok(lease, `nothing to take for ${deviceClass}`)
    return lease
  }
  /** Looks whether there is anything, without waiting for a poll. */
  const isEmpty = async (by: Queue, deviceClass: string): Promise<boolean> => {
    const lease = await by.take(deviceClass, AbortSignal.timeout(100))
    if (lease) await by.giveBack(lease)
    return lease === undefined
  }

  /** When the heart of a job's lease last beat. */
  const heartbeatOf = async ({ jobId }: Dispatch): Promise<string> => {
    const sql = 'SELECT heartbeat_on::text AS at FROM pgboss.job WHERE singleton_key = $1'
    return String((await postgres.query(sql, [jobId])).rows[0]?.at)
  }

  describe('a dispatch', () => {
    it('reaches a taker with its facts', async () => {
      const sent = dispatch({ attempt: 4, payload: { estimateMs: 1200, isWarm: true } })
      await queue.dispatch(sent)

      const { jobId, attempt, payload, retriesLeft } = await take(other, sent.deviceClass)
      assert.deepEqual(
        { jobId, attempt, payload, retriesLeft },
        { jobId: sent.jobId, attempt: 4, payload: sent.payload, retriesLeft: 2 },
      )
    })

    it('enters once for each attempt', async () => {
      const sent = dispatch()

      assert.deepEqual([await queue.dispatch(sent), await other.dispatch(sent)], [true, false])
    })

    it('enters once for each attempt even after it has ended', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      await queue.settle(await take(queue, sent.deviceClass), 'done')

      assert.equal(await queue.dispatch(sent), false)
      assert.equal(await queue.dispatch({ ...sent, attempt: 2 }), true)
    })

    it('keeps a second attempt of its job out while it is held', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      await take(queue, sent.deviceClass)

      assert.equal(await queue.dispatch({ ...sent, attempt: 2 }), false)
    })

    it('wakes a waiting taker of another process long before it would poll', async () => {
      const waits: number[] = []
      for (let k = 0; k < 20; k++) {
        const sent = dispatch()
        const taking = take(other, sent.deviceClass)
        await sleep(50)
        const start = performance.now()
        await Promise.all([queue.dispatch(sent), taking])
        waits.push(performance.now() - start)
      }
      const median = waits.toSorted((a, b) => a - b)[10]!
      console.log(`measured: dispatch to lease in a waiting worker, p50 ${median.toFixed(1)} ms`)
      assert.ok(median < 700)
    })

    it('is not there when its transaction is rolled back', async () => {
      const sent = dispatch()

      await assert.rejects(
        postgres.transaction(async (tx) => {
          assert.equal(await queue.dispatch(sent, tx), true)
          throw new Error('changed my mind')
        }),
      )

      assert.equal(await isEmpty(queue, sent.deviceClass), true)
    })

    it('enters, is cancelled and settled in transactions of Prisma', async () => {
      const sent = dispatch()
      const database = openDatabase(postgres.url)

      assert.equal(await inTransaction(database, (tx) => queue.dispatch(sent, tx)), true)
      const lease = await take(queue, sent.deviceClass)
      assert.equal(await inTransaction(database, (tx) => other.cancel(sent.jobId, tx)), 'requested')
      const settle = (): Promise<string> =>
        inTransaction(database, (tx) => queue.settle(lease, 'cancelled', tx))
      assert.deepEqual([await settle(), await settle()], ['settled', 'stale'])
      await closeDatabase(database)
    })

    it('is taken in the order of dispatch', async () => {
      const { deviceClass } = dispatch()
      const sent = Array.from({ length: 5 }, () => dispatch({ deviceClass }))
      for (const each of sent) await queue.dispatch(each)

      const taken: string[] = []
      for (const _ of sent) taken.push((await take(other, deviceClass)).jobId)
      assert.deepEqual(
        taken,
        sent.map(({ jobId }) => jobId),
      )
    })

    it('is refused when it carries more than a few facts', async () => {
      await assert.rejects(queue.dispatch(dispatch({ payload: { prompt: 'x'.repeat(5000) } })), {
        message: /^internal: .*4096 bytes/,
      })
      await assert.rejects(queue.dispatch(dispatch({ deviceClass: 'a b' })), /^Error: internal: /)
      await assert.rejects(queue.dispatch(dispatch({ jobId: 'a b' })), { name: 'ZodError' })
    })

    it('goes to whoever has less patience', async () => {
      const sent = dispatch()
      const stop = new AbortController()
      const patient = other.take(sent.deviceClass, stop.signal, () => 60_000)
      await queue.dispatch(sent)

      assert.equal((await take(queue, sent.deviceClass)).jobId, sent.jobId)
      stop.abort()
      assert.equal(await patient, undefined)
    })

    it('is held by one of many takers', async () => {
      const { deviceClass } = dispatch()
      const sent = Array.from({ length: 40 }, () => dispatch({ deviceClass }))
      const stop = new AbortController()
      const taken: string[] = []
      const takers = [queue, other, queue, other].map(async (by) => {
        for (;;) {
          const lease = await by.take(deviceClass, stop.signal)
          if (!lease) return
          taken.push(lease.jobId)
          await by.settle(lease, 'done')
          if (taken.length === sent.length) stop.abort()
        }
      })
      await Promise.all(sent.map((each) => queue.dispatch(each)))

      await Promise.all(takers)
      assert.deepEqual(taken.toSorted(), sent.map(({ jobId }) => jobId).toSorted())
    })

    it('can be withdrawn while nobody holds it', async () => {
      const [waiting, held] = [dispatch(), dispatch()]
      await queue.dispatch(waiting)
      await queue.dispatch(held)
      const lease = await take(queue, held.deviceClass)

      assert.equal(await other.withdraw(waiting.jobId), true)
      assert.equal(await other.withdraw(held.jobId), false)
      assert.equal(await isEmpty(queue, waiting.deviceClass), true)
      assert.equal(await queue.heartbeat(lease), 'held')
    })
  })

  describe('a lease', () => {
    it('is settled once', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      const lease = await take(queue, sent.deviceClass)

      const ends = await Promise.all([queue.settle(lease, 'done'), queue.settle(lease, 'done')])
      assert.deepEqual(ends.toSorted(), ['settled', 'stale'])
    })

    it('is still held, its heart beaten, when the transaction that settles it is rolled back', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      const lease = await take(queue, sent.deviceClass)

      await assert.rejects(
        postgres.transaction(async (tx) => {
          assert.equal(await queue.settle(lease, 'done', tx), 'settled')
          throw new Error('changed my mind')
        }),
      )

      assert.equal(await queue.heartbeat(lease), 'held')
      const beatAt = await heartbeatOf(sent)
      while ((await heartbeatOf(sent)) === beatAt) await sleep(100)
      assert.equal(await queue.settle(lease, 'done'), 'settled')
    })

    it('ends in silence when the transaction that settles it commits', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      const lease = await take(queue, sent.deviceClass)

      await postgres.transaction((tx) => queue.settle(lease, 'done', tx))

      assert.equal(await queue.heartbeat(lease), 'lost')
      assert.equal(lease.signal.aborted, false)
    })

    it('given back goes to the next taker with a new attempt and every retry left', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      const first = await take(queue, sent.deviceClass)

      assert.equal(await queue.giveBack(first), true)

      const second = await take(other, sent.deviceClass)
      assert.deepEqual([second.attempt, second.retriesLeft], [2, 2])
      assert.equal(await queue.settle(first, 'done'), 'stale')
      assert.equal(await queue.giveBack(first), false)
      assert.equal(await other.settle(second, 'done'), 'settled')
    })

    it('has no more retries when its dispatch is withdrawn and begins anew', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      await queue.retry(await take(queue, sent.deviceClass), 'runner-crashed')
      const given = await take(queue, sent.deviceClass)
      await queue.giveBack(given)
      assert.equal(await other.withdraw(sent.jobId), true)

      await other.dispatch({ ...sent, attempt: 4 })

      const lease = await take(queue, sent.deviceClass)
      assert.deepEqual([lease.attempt, lease.retriesLeft], [4, 1])
    })

    it('has every retry when its dispatch was withdrawn before anybody took it', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      assert.equal(await other.withdraw(sent.jobId), true)

      await other.dispatch({ ...sent, attempt: 2 })

      const lease = await take(queue, sent.deviceClass)
      assert.deepEqual([lease.attempt, lease.retriesLeft], [2, 2])
    })

    it('retried too often is lost, and the leader is told once', async () => {
      const sent = dispatch({ attempt: 7 })
      await queue.dispatch(sent)
      const attempts: number[] = []
      for (let k = 0; k < 3; k++) {
        const lease = await take(queue, sent.deviceClass)
        attempts.push(lease.attempt)
        assert.equal(await queue.retry(lease, 'runner-crashed'), true)
      }
      assert.deepEqual(attempts, [7, 8, 9])
      assert.equal(await isEmpty(queue, sent.deviceClass), true)

      const lost = await other.takeLost(AbortSignal.timeout(30_000))

      assert.deepEqual([lost?.jobId, lost?.attempt], [sent.jobId, 9])
      assert.equal(await other.settle(lost!, 'failed'), 'settled')
      assert.equal(await queue.takeLost(AbortSignal.timeout(100)), undefined)
    })
  })

  describe('cancel', () => {
    it('removes what nobody holds', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)

      assert.equal(await other.cancel(sent.jobId), 'removed')
      assert.equal(await isEmpty(queue, sent.deviceClass), true)
    })

    it('finds nothing of a job that has ended', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      await queue.settle(await take(queue, sent.deviceClass), 'done')

      assert.equal(await queue.cancel(sent.jobId), 'absent')
    })

    it('leaves the lease to its holder, who settles it', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      const lease = await take(queue, sent.deviceClass)

      assert.equal(await other.cancel(sent.jobId), 'requested')

      await until('the signal is aborted', () => lease.signal.aborted)
      assert.equal((lease.signal.reason as LeaseEnded).why, 'cancelled')
      assert.equal(await queue.settle(lease, 'cancelled'), 'settled')
    })

    it('is found by the heartbeat when its notification was missed', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      const lease = await take(queue, sent.deviceClass)
      await postgres.query(
        `UPDATE pgboss.job SET data = data || '{"cancelled": true}' WHERE singleton_key = $1`,
        [sent.jobId],
      )

      assert.equal(await queue.heartbeat(lease), 'cancelled')
      assert.equal(lease.signal.aborted, true)
    })

    it('is not forgotten when its holder dies', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      const first = await take(queue, sent.deviceClass)
      await other.cancel(sent.jobId)
      await queue.retry(first, 'runner-crashed')

      const second = await take(other, sent.deviceClass)
      assert.equal(second.signal.aborted, true)
    })

    it('does nothing when its transaction is rolled back', async () => {
      const sent = dispatch()
      await queue.dispatch(sent)
      const lease = await take(queue, sent.deviceClass)

      await assert.rejects(
        postgres.transaction(async (tx) => {
          assert.equal(await other.cancel(sent.jobId, tx), 'requested')
          throw new Error('changed my mind')
        }),
      )

      assert.equal(await queue.heartbeat(lease), 'held')
    })
  })

  describe('a new leader', () => {
    it('finds every dispatch that has not ended', async () => {
      const [held, retried, waiting] = [dispatch(), dispatch({ attempt: 3 }), dispatch()]
      for (const sent of [held, retried, waiting]) await queue.dispatch(sent)
      await take(queue, held.deviceClass)
      await queue.giveBack(await take(queue, retried.deviceClass))

      const mine = new Set([held, retried, waiting].map(({ jobId }) => jobId))
      const live = (await other.live()).filter(({ jobId }) => mine.has(jobId))
      assert.deepEqual(live, [
        { jobId: held.jobId, attempt: 1, deviceClass: held.deviceClass, isHeld: true },
        { jobId: retried.jobId, attempt: 4, deviceClass: retried.deviceClass, isHeld: false },
        { jobId: waiting.jobId, attempt: 1, deviceClass: waiting.deviceClass, isHeld: false },
      ])
    })
  })
})
