/** Figures of the rows and events of a real database, as Prometheus reads them. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { Metrics } from '../../src/ops/metrics.ts'
import { announceDevice } from '../../src/store/devices.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { newDatabase } from '../store/database.ts'
import { begin, newDoneJob, newFailedJob, newGuild, newJob, startMs } from './rows.ts'

const database = openDatabase(await newDatabase())
after(() => closeDatabase(database))
const guild = await newGuild(database)

/** The value on the line that begins so. */
function value(text: string, line: string): string | undefined {
  return text
    .split('\n')
    .find((found) => found.startsWith(`zimagine_${line} `))
    ?.split(' ')
    .at(-1)
}

describe('Metrics', () => {
  it('tells jobs by state and lane, and the oldest wait', async () => {
    await newJob(database, guild, { atMs: startMs })
    await newJob(database, guild, { atMs: startMs + 5_000 })
    const { id } = await newJob(database, guild)
    await begin(database, id, startMs)

    const text = await new Metrics(database, () => startMs + 60_000).text()

    assert.equal(value(text, 'jobs{state="queued",lane="fast"}'), '2')
    assert.equal(value(text, 'jobs{state="running",lane="fast"}'), '1')
    assert.equal(value(text, 'oldest_wait_seconds{lane="fast"}'), '60')
    assert.equal(value(text, 'database_up'), '1')
  })

  it('counts how jobs went that it has heard of, once each', async () => {
    const metrics = new Metrics(database)
    const { id: done } = await newDoneJob(database, guild)
    const failed = await newFailedJob(database, guild)

    metrics.hear({ type: 'done', jobId: done })
    metrics.hear({ type: 'done', jobId: done })
    metrics.hear({ type: 'failed', jobId: failed, code: 'runner-out-of-memory' })
    const text = await metrics.text()

    assert.equal(value(text, 'jobs_settled_total{state="done",lane="fast"}'), '1')
    assert.equal(value(text, 'jobs_settled_total{state="failed",lane="fast"}'), '1')
    assert.equal(value(text, 'jobs_failed_total{code="runner-out-of-memory"}'), '1')
    assert.equal(value(text, 'job_wait_seconds_count{lane="fast"}'), '2')
    assert.equal(value(text, 'job_device_seconds_sum{lane="fast"}'), '0.0006')
  })

  it('counts dispatches, gaps and failed deliveries', async () => {
    const metrics = new Metrics(database)
    const dispatched = { type: 'dispatched', jobId: '7k2mz0q9xa', device: 'test:0' } as const

    metrics.hear({ ...dispatched, attempt: 1 })
    metrics.hear({ ...dispatched, attempt: 2 })
    metrics.hear({ type: 'gap' })
    metrics.notifierFailed('discord')
    metrics.setBlobs({ count: 3, sizeBytes: 4096 })
    const text = await metrics.text()

    assert.equal(value(text, 'dispatches_total{attempt="first"}'), '1')
    assert.equal(value(text, 'dispatches_total{attempt="again"}'), '1')
    assert.equal(value(text, 'event_gaps_total'), '1')
    assert.equal(value(text, 'notifier_failures_total{platform="discord"}'), '1')
    assert.equal(value(text, 'blob_bytes'), '4096')
  })

  it('tells the devices that are alive', async () => {
    const device = { deviceClass: 'cpu', model: 'nano', mostPixels: 1, mostBatch: 1 }
    await announceDevice(database, { ...device, id: 'a', isDraining: false })
    await announceDevice(database, { ...device, id: 'b', isDraining: true })

    const text = await new Metrics(database).text()

    assert.equal(value(text, 'devices{class="cpu",state="ready"}'), '1')
    assert.equal(value(text, 'devices{class="cpu",state="draining"}'), '1')
  })

  it('reads rows at most once a second', async () => {
    let nowMs = startMs
    const metrics = new Metrics(database, () => nowMs)
    const queued = async (): Promise<number> =>
      Number(value(await metrics.text(), 'jobs{state="queued",lane="fast"}'))
    const before = await queued()
    await newJob(database, guild)

    nowMs += 999
    assert.equal(await queued(), before)
    nowMs += 1
    assert.equal(await queued(), before + 1)
  })

  it('tells of the process and its event loop', async () => {
    const text = await new Metrics(database).text()

    assert.match(text, /^process_resident_memory_bytes /m)
    assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m)
  })

  it('names no guild, member or job', async () => {
    const metrics = new Metrics(database)
    const { id } = await newDoneJob(database, guild)
    metrics.hear({ type: 'done', jobId: id })

    const text = await metrics.text()

    assert.doesNotMatch(text, new RegExp(`${id}|${guild.id}|name-\\d`))
  })

  it('answers while the database is away', async () => {
    const away = openDatabase('postgresql://zimagine:none@127.0.0.1:1/none')
    const text = await new Metrics(away).text()
    await closeDatabase(away)

    assert.equal(value(text, 'database_up'), '0')
    assert.match(text, /^process_resident_memory_bytes /m)
  })
})
