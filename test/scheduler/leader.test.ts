/** Processes that want to lead, on a real Postgres: killed, frozen and cut off while they do. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { after, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { together, whileLeading } from '../../src/scheduler/leader.ts'
import { newDatabase } from '../store/database.ts'

const file = fileURLToPath(new URL('leading-process.ts', import.meta.url))
/** Far above what is needed; the figures are printed. */
const longMs = 60_000
/** Promised: another process leads so soon. */
const failoverMs = 10_000

/** A process and whatever it has said so far. */
class Candidate {
  readonly process: ChildProcess
  readonly #said: string[] = []

  constructor(databaseUrl: string) {
    this.process = fork(file, [databaseUrl])
    this.process.on('message', (word: string) => this.#said.push(word))
  }

  get said(): readonly string[] {
    return this.#said
  }

  async says(word: string): Promise<void> {
    const deadline = AbortSignal.timeout(longMs)
    while (!this.#said.includes(word)) await once(this.process, 'message', { signal: deadline })
  }
}

const urls: string[] = []
for (let i = 0; i < 4; i++) urls.push(await newDatabase({ isEmpty: true }))

describe('leading', () => {
  const candidates: Candidate[] = []
  after(() => {
    for (const { process } of candidates) process.kill('SIGKILL')
  })
  const start = (url: string): Candidate => {
    const candidate = new Candidate(url)
    candidates.push(candidate)
    return candidate
  }
  /** One that leads and one that waits for it. */
  const startTwo = async (url: string): Promise<[Candidate, Candidate]> => {
    const first = start(url)
    await first.says('leads')
    const second = start(url)
    await sleep(1500)
    assert.deepEqual(second.said, [])
    return [first, second]
  }
  const measured = async (what: string, done: Promise<void>): Promise<void> => {
    const startMs = performance.now()
    await done
    const ms = performance.now() - startMs
    console.log(`measured: ${what} to another leader, ${(ms / 1000).toFixed(1)} s`)
    assert.ok(ms < failoverMs, `expected another leader within 10 s, got ${ms} ms`)
  }

  it('goes to another process when the leader is killed', async () => {
    const [first, second] = await startTwo(urls[0]!)
    first.process.kill('SIGKILL')
    await measured('kill -9 of the leader', second.says('leads'))
  })

  it('goes to another process when the leader is frozen, who stops when it wakes', async () => {
    const [first, second] = await startTwo(urls[1]!)
    first.process.kill('SIGSTOP')
    await measured('SIGSTOP of the leader', second.says('leads'))
    first.process.kill('SIGCONT')
    await first.says('stops')
  })

  it('comes back after the database has dropped every connection', async () => {
    const only = start(urls[2]!)
    await only.says('leads')
    const client = new Client(urls[2])
    await client.connect()
    await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    )
    await client.end()
    await only.says('stops')
    const deadline = performance.now() + longMs
    while (only.said.at(-1) !== 'leads') {
      assert.ok(performance.now() < deadline, 'it never led again')
      await sleep(20)
    }
  })

  it('ends only after its work has, when it is no longer wanted', async () => {
    const stop = new AbortController()
    const order: string[] = []
    const began = Promise.withResolvers<void>()
    const leading = whileLeading(
      async (signal) => {
        began.resolve()
        await once(signal, 'abort')
        await sleep(50)
        order.push('work')
      },
      { databaseUrl: urls[3]!, signal: stop.signal, onError: (error) => assert.ifError(error) },
    ).then(() => order.push('leading'))
    await began.promise
    stop.abort()
    await leading
    assert.deepEqual(order, ['work', 'leading'])
  })
})

describe('parts of one lead', () => {
  it('have all ended before the failure of one is told', async () => {
    const order: string[] = []
    const parts = together(new AbortController().signal, [
      async () => {
        throw new Error('one part failed')
      },
      async (signal) => {
        await once(signal, 'abort')
        await sleep(50)
        order.push('another part')
      },
    ])

    await assert.rejects(parts, /one part failed/)
    assert.deepEqual(order, ['another part'])
  })

  it('end when they are told to', async () => {
    const stop = new AbortController()
    const parts = together(stop.signal, [
      async (signal) => {
        await once(signal, 'abort')
      },
    ])

    stop.abort()
    await parts
  })
})
