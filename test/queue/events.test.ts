/** Events between connections of a real Postgres: commit, rollback, loss of the connection, limits. */
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { Client } from 'pg'
import { until } from '../worker/processes.ts'
import { type HeardEvent, type JobEvent, JobEvents, publish } from '../../src/queue/events.ts'
import type { Sql } from '../../src/queue/transaction.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../src/store/prisma.ts'
import { newDatabase } from '../store/database.ts'
import { TestClient } from './client.ts'

const jobId = '7k2mz0q9xa'
const queued: JobEvent = { type: 'queued', jobId }
const done: JobEvent = { type: 'done', jobId }
const postgres = new TestClient(await newDatabase({ isEmpty: true }))

describe('JobEvents', () => {
  let events: JobEvents
  const heard: HeardEvent[] = []
  const fail = (error: unknown): void => assert.fail(String(error))

  before(async () => {
    events = await JobEvents.open(postgres.url, () => undefined)
    events.subscribe((event) => heard.push(event))
  })
  after(() => events.close())
  beforeEach(() => heard.splice(0))

  /** Waits for `done`, which tests publish last. */
  const ended = async (): Promise<void> =>
    until('the last event is heard', () => heard.some(({ type }) => type === 'done'))

  it('hears what a transaction of another connection commits, in order', async () => {
    const step: JobEvent = { type: 'step', jobId, index: 3, evaluations: 8, previewId: jobId }

    await postgres.transaction(async (tx) => {
      await publish(queued, tx)
      await publish(step, tx)
      await publish(done, tx)
    })

    await ended()
    assert.deepEqual(heard, [queued, step, done])
  })

  it('lets others have their turn between the parts of a storm, which stays in order', async () => {
    let most = 0
    let before = 0
    let isWatching = true
    const watch = (): void => {
      most = Math.max(most, heard.length - before)
      before = heard.length
      if (isWatching) setImmediate(watch)
    }
    watch()
    await postgres.query(`
      SELECT pg_notify('zimagine_event', json_build_object(
        'type', 'step', 'jobId', '${jobId}', 'index', k, 'evaluations', 20000
      )::text) FROM generate_series(1, 20000) k`)
    await until('the storm is over', () => heard.length === 20_000)
    isWatching = false
    assert.ok(most <= 1_000, `expected at most 1000 events in a turn, got ${most}`)
    assert.ok(heard.every((event, k) => event.type === 'step' && event.index === k + 1))
  })

  it('hears nothing of a transaction that is rolled back', async () => {
    await assert.rejects(
      postgres.transaction(async (tx) => {
        await publish(queued, tx)
        throw new Error('changed my mind')
      }),
    )
    await postgres.transaction((tx) => publish(done, tx))

    await ended()
    assert.deepEqual(heard, [done])
  })

  it('hears what Prisma commits', async () => {
    const database = openDatabase(postgres.url)
    await inTransaction(database, (tx) => publish(done, tx))
    await closeDatabase(database)

    await ended()
    assert.deepEqual(heard, [done])
  })

  it('comes back when its connection is terminated, and tells of the gap', async () => {
    assert.equal(await postgres.terminate('zimagine-listener'), 1)
    await until('the gap is told', () => heard.length > 0)

    await postgres.transaction((tx) => publish(done, tx))

    await ended()
    assert.deepEqual(heard, [{ type: 'gap' }, done])
  })

  it('takes a payload that it cannot read for a gap', async () => {
    await postgres.query(`SELECT pg_notify('zimagine_event', '{"type":"from the future"}')`)

    await until('something is heard', () => heard.length > 0)
    assert.deepEqual(heard, [{ type: 'gap' }])
  })

  it('goes on when a subscriber throws, and says so', async () => {
    const errors: unknown[] = []
    const events = await JobEvents.open(postgres.url, (error) => errors.push(error))
    const others: HeardEvent[] = []
    events.subscribe(() => assert.fail('a subscriber broke'))
    events.subscribe((event) => others.push(event))

    await postgres.transaction((tx) => publish(done, tx))

    await until('the other subscriber hears', () => others.length > 0)
    await events.close()
    assert.match(String(errors[0]), /a subscriber broke/)
  })

  it('stops calling back after unsubscribing', async () => {
    const mine: HeardEvent[] = []
    const unsubscribe = events.subscribe((event) => mine.push(event))
    unsubscribe()

    await postgres.transaction((tx) => publish(done, tx))

    await ended()
    assert.deepEqual(mine, [])
  })

  it('is heard by another connection as soon as it commits', async () => {
    const client = new Client({ connectionString: postgres.url })
    await client.connect()
    const tx: Sql = { executeSql: (text, values) => client.query(text, values) }
    const waitsMs: number[] = []
    for (let k = 0; k < 100; k++) {
      const told = Promise.withResolvers<void>()
      const unsubscribe = events.subscribe(() => told.resolve())
      const start = performance.now()
      await Promise.all([publish(done, tx), told.promise])
      waitsMs.push(performance.now() - start)
      unsubscribe()
    }
    await client.end()

    const [p50, p99] = [50, 98].map((rank) => waitsMs.toSorted((a, b) => a - b)[rank]!.toFixed(1))
    console.log(`measured: NOTIFY to the other side, p50 ${p50} ms, p99 ${p99} ms`)
  })

  it('cannot be opened without a database', async () => {
    const url = new URL(postgres.url)
    url.pathname = '/nowhere'

    await assert.rejects(JobEvents.open(url.href, fail), /database "nowhere" does not exist/)
  })
})

describe('an event', () => {
  const sent: string[] = []
  const wire: Sql = {
    executeSql: async (_text, values) => {
      sent.push(String(values?.[1]))
      return { rows: [] }
    },
  }
  const name = fc.stringMatching(/^[a-zA-Z0-9_-]{1,64}$/)
  const count = fc.nat({ max: Number.MAX_SAFE_INTEGER })
  const step = fc.record({
    type: fc.constant('step' as const),
    jobId: name,
    index: count,
    evaluations: count,
    previewId: name,
  })

  it('fits into a notification, whatever it says', async () => {
    await fc.assert(
      fc.asyncProperty(step, async (event) => {
        await publish(event, wire)
        assert.ok(Buffer.byteLength(sent.at(-1)!) < 400)
      }),
    )
  })

  const tooMuch: [fact: string, event: JobEvent][] = [
    ['a job id of 65 characters', { type: 'done', jobId: 'a'.repeat(65) }],
    ['a sentence for a code', { type: 'failed', jobId, code: 'out of memory, sorry' }],
    ['a device with a line feed', { type: 'device', device: 'cuda:0\n', state: 'up' }],
    ['words for the id of a message', { type: 'message', guild: 'fox-den', id: 'the last' }],
    ['half a step', { type: 'step', jobId, index: 0.5, evaluations: 8 }],
  ]
  for (const [fact, event] of tooMuch) {
    it(`refuses ${fact}`, async () => {
      await assert.rejects(publish(event, wire), { name: 'ZodError' })
    })
  }
})
