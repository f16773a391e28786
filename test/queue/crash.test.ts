/**
 * Workers in processes of their own that are killed, stopped, drained and cancelled while they hold
 * a lease on a real Postgres.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Lease } from '../../src/queue/lease.ts'
import { Queue } from '../../src/queue/pg-boss.ts'
import { newDatabase } from '../store/database.ts'
import { TestClient } from './client.ts'
import type { Said } from './worker-process.ts'

const workerFile = fileURLToPath(new URL('worker-process.ts', import.meta.url))
const databaseUrl = await newDatabase({ isEmpty: true })
/** Far above what is needed; the figures are printed. */
const longMs = 60_000

/** A worker process and all that it says. */
class Worker {
  readonly process: ChildProcess
  readonly #said: Said[] = []

  constructor(databaseUrl: string, deviceClass: string) {
    this.process = fork(workerFile, [databaseUrl, deviceClass])
    this.process.on('message', (said: Said) => this.#said.push(said))
  }

  /** Waits until it says something of a kind. */
  async says<K extends Said['said']>(kind: K): Promise<Said & { said: K }> {
    const deadline = AbortSignal.timeout(longMs)
    for (;;) {
      const found = this.#said.find((said) => said.said === kind)
      if (found) return found as Said & { said: K }
      await once(this.process, 'message', { signal: deadline })
    }
  }

  /** Ends it without a word. */
  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return
    const gone = once(this.process, 'exit')
    this.process.kill('SIGKILL')
    await gone
  }
}

describe('a worker process', { concurrency: true }, () => {
  let queue: Queue
  const errors: unknown[] = []
  const workers: Worker[] = []

  before(async () => {
    queue = await Queue.open(databaseUrl, { onError: (error) => errors.push(error) })
  })
  after(async () => {
    await Promise.all(workers.map((worker) => worker.kill()))
    await queue.close()
  })

  const start = (deviceClass: string, url = databaseUrl): Worker => {
    const worker = new Worker(url, deviceClass)
    workers.push(worker)
    return worker
  }
  /** A worker that holds a job of its own class, both called `name`. */
  const startHolding = async (name: string): Promise<Worker> => {
    const worker = start(name)
    await queue.dispatch({ jobId: name, attempt: 1, deviceClass: name })
    await worker.says('took')
    return worker
  }
  const take = async (deviceClass: string): Promise<Lease> => {
    const lease = await queue.take(deviceClass, AbortSignal.timeout(longMs))
    assert.ok(lease, `nothing to take for ${deviceClass}`)
    return lease
  }

  it('that is killed loses its job to another, who gets the next attempt', async () => {
    const worker = await startHolding('killed')
    const startMs = performance.now()
    await worker.kill()

    const lease = await take('killed')

    const seconds = (performance.now() - startMs) / 1000
    console.log(`measured: kill -9 of a worker to redelivery, ${seconds.toFixed(1)} s`)
    assert.deepEqual([lease.jobId, lease.attempt, lease.retriesLeft], ['killed', 2, 1])
    assert.equal(await queue.settle(lease, 'done'), 'settled')
  })

  it('that was frozen for too long learns it, and cannot settle', async () => {
    const worker = await startHolding('frozen')
    worker.process.kill('SIGSTOP')
    const lease = await take('frozen')
    worker.process.kill('SIGCONT')

    assert.equal((await worker.says('ended')).why, 'lost')
    worker.process.send('settle')
    assert.equal((await worker.says('settled')).end, 'stale')
    assert.equal(await queue.settle(lease, 'done'), 'settled')
  })

  it('hears of a cancel at once', async () => {
    const waitsMs: number[] = []
    for (const name of ['cancelled1', 'cancelled2', 'cancelled3']) {
      const worker = await startHolding(name)
      const startMs = performance.now()
      assert.equal(await queue.cancel(name), 'requested')
      assert.equal((await worker.says('ended')).why, 'cancelled')
      waitsMs.push(performance.now() - startMs)
      worker.process.send('settle')
      assert.equal((await worker.says('settled')).end, 'settled')
      await worker.kill()
    }
    const [, median] = waitsMs.toSorted((a, b) => a - b)
    console.log(`measured: cancel to the signal in another process, ${median!.toFixed(1)} ms`)
  })

  it('that is drained gives its job back at no cost, and ends', async () => {
    const worker = await startHolding('drained')
    const gone = once(worker.process, 'exit')
    const startMs = performance.now()
    worker.process.kill('SIGTERM')

    const lease = await take('drained')

    const ms = performance.now() - startMs
    console.log(`measured: SIGTERM of a worker to redelivery, ${ms.toFixed(0)} ms`)
    assert.deepEqual([lease.attempt, lease.retriesLeft], [2, 2])
    assert.deepEqual(await gone, [0, null])
  })
})

describe('a database', () => {
  it('that a dead instance left is emptied of its leases at the next start', async () => {
    const url = await newDatabase({ isEmpty: true })
    const errors: unknown[] = []
    const leader = await Queue.open(url, { onError: (error) => errors.push(error) })
    await leader.dispatch({ jobId: 'left', attempt: 1, deviceClass: 'gpu' })
    const worker = new Worker(url, 'gpu')
    await worker.says('took')
    await worker.kill()
    await leader.close()

    const queue = await Queue.open(url, { onError: (error) => errors.push(error) })
    assert.equal(await queue.giveBackAll(), 1)
    const lease = await queue.take('gpu', AbortSignal.timeout(longMs))
    await queue.close()

    assert.deepEqual([lease?.jobId, lease?.attempt, lease?.retriesLeft], ['left', 2, 1])
    assert.deepEqual(errors, [])
  })

  it('that drops every connection is outlived by takers, holders and cancels', async (t) => {
    const url = await newDatabase({ isEmpty: true })
    const errors: unknown[] = []
    const queue = await Queue.open(url, { onError: (error) => errors.push(error) })
    const leader = await Queue.open(url, { onError: (error) => errors.push(error) })
    t.after(() => Promise.all([queue.close(), leader.close()]))
    await leader.dispatch({ jobId: 'held', attempt: 1, deviceClass: 'gpu' })
    const held = await queue.take('gpu', AbortSignal.timeout(longMs))
    const taking = queue.take('gpu', AbortSignal.timeout(longMs))
    const cancelled = new Promise((resolve) => held!.signal.addEventListener('abort', resolve))

    assert.ok((await new TestClient(url).terminate('zimagine-%')) >= 4)
    // The first statement on each pooled connection may be the one that finds it dead.
    const retried = async <T>(act: () => Promise<T>, tries = 10): Promise<T> =>
      act().catch((error: unknown) => {
        if (tries === 0) throw error
        return retried(act, tries - 1)
      })
    await retried(() => leader.dispatch({ jobId: 'next', attempt: 1, deviceClass: 'gpu' }))
    assert.equal(await retried(() => leader.cancel('held')), 'requested')

    assert.equal((await taking)?.jobId, 'next')
    await cancelled
    assert.equal(await queue.settle(held!, 'cancelled'), 'settled')
  })
})
