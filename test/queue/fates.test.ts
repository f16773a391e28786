/**
 * Jobs in a crowd of takers that settle, retry, give back, forget and cancel as chance has it: what
 * must hold whatever happens. The chance is seeded; the database is real.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Lease } from '../../src/queue/lease.ts'
import { Queue } from '../../src/queue/pg-boss.ts'
import { SeededRandom } from '../engine/seeded-random.ts'
import { newDatabase } from '../store/database.ts'

const databaseUrl = await newDatabase({ isEmpty: true })
const jobCount = 60
const deviceClass = 'crowd'

/** All that happened to one job. */
type Fate = {
  /** Attempts of its leases, in the order in which they were taken. */
  readonly attempts: number[]
  holders: number
  mostHolders: number
  settled: number
  isLost: boolean
  isRemoved: boolean
}

describe('a job in a crowd', () => {
  const queues: Queue[] = []
  const errors: unknown[] = []
  const fates = new Map<string, Fate>()

  before(async () => {
    const open = (): Promise<Queue> =>
      Queue.open(databaseUrl, { onError: (error) => errors.push(error) })
    queues.push(...(await Promise.all([open(), open(), open()])))
    for (let k = 0; k < jobCount; k++) {
      const fate = { attempts: [], holders: 0, mostHolders: 0, settled: 0 }
      fates.set(`job${k}`, { ...fate, isLost: false, isRemoved: false })
    }
    await liveThrough()
  })
  after(async () => {
    await Promise.all(queues.map((queue) => queue.close()))
  })

  async function liveThrough(): Promise<void> {
    const random = new SeededRandom(4)
    const stop = new AbortController()
    const isOver = (fate: Fate): boolean => fate.settled > 0 || fate.isLost || fate.isRemoved
    const check = (): void => {
      if ([...fates.values()].every(isOver)) stop.abort()
    }

    const act = async (queue: Queue, lease: Lease, fate: Fate): Promise<void> => {
      // The hold ends with the statement, so it is counted down before.
      const chance = random.int(100)
      fate.holders--
      if (chance < 35) await queue.giveBack(lease)
      else if (chance < 70) await queue.retry(lease, 'chance')
      else {
        const ends = await Promise.all([queue.settle(lease, 'done'), queue.settle(lease, 'done')])
        fate.settled += ends.filter((end) => end === 'settled').length
      }
      // By now the lease is over, and nothing that its old holder does may count.
      assert.equal(await queue.settle(lease, 'done'), 'stale')
      assert.equal(await queue.giveBack(lease), false)
      assert.equal(await queue.retry(lease, 'late'), false)
    }
    const work = async (queue: Queue): Promise<void> => {
      for (;;) {
        const lease = await queue.take(deviceClass, stop.signal)
        if (!lease) return
        const fate = fates.get(lease.jobId)!
        fate.attempts.push(lease.attempt)
        fate.mostHolders = Math.max(fate.mostHolders, ++fate.holders)
        await act(queue, lease, fate)
        check()
      }
    }
    const lead = async (queue: Queue): Promise<void> => {
      for (;;) {
        const lease = await queue.takeLost(stop.signal)
        if (!lease) return
        const fate = fates.get(lease.jobId)!
        assert.equal(fate.isLost, false)
        fate.isLost = true
        assert.equal(lease.attempt, fate.attempts.at(-1))
        assert.equal(await queue.settle(lease, 'failed'), 'settled')
        check()
      }
    }
    const interfere = async (queue: Queue): Promise<void> => {
      for (const [jobId, fate] of fates) {
        assert.equal(await queue.dispatch({ jobId, attempt: 1, deviceClass }), true)
        if (random.int(100) < 30) fate.isRemoved = (await queue.cancel(jobId)) === 'removed'
      }
      check()
    }

    const [first, second, third] = queues as [Queue, Queue, Queue]
    const takers = [first, first, second, second, third].map(work)
    await Promise.all([...takers, lead(second), interfere(third)])
  }

  it('ends in exactly one way', () => {
    const ways = [...fates.values()].map(
      ({ settled, isLost, isRemoved }) => settled + Number(isLost) + Number(isRemoved),
    )
    assert.deepEqual(new Set(ways), new Set([1]))
  })

  it('is never held by two', () => {
    for (const { mostHolders } of fates.values()) assert.ok(mostHolders <= 1)
  })

  it('has a larger attempt each time it is taken', () => {
    for (const { attempts } of fates.values()) {
      assert.deepEqual(
        attempts,
        attempts.map((_, k) => k + 1),
      )
    }
  })

  it('leaves nothing in the queue', async () => {
    assert.deepEqual(await queues[0]!.live(), [])
    assert.deepEqual(errors, [])
  })

  it('met every fate among the many', () => {
    const all = [...fates.values()]
    assert.ok(all.some(({ settled, attempts }) => settled === 1 && attempts.length > 1))
    assert.ok(all.some(({ isLost }) => isLost))
    assert.ok(all.some(({ isRemoved }) => isRemoved))
  })
})
