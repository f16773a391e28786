/** Jobs of a batch are drawn side by side: the same pictures, in less time, each with its own end. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  blobs,
  cancelJob,
  database,
  dispatch,
  ended,
  eventually,
  hasStep,
  liveDispatch,
  moneyOf,
  newDispatch,
  newJob,
  newWorker,
  toldAt,
} from './house.ts'
import { skip } from './nano-runner.ts'
import { isAlive } from './processes.ts'

const worker = skip ? undefined : await newWorker()
const spec = { width: 128, height: 128, evaluations: 8, isPrivate: true } as const
const long = { ...spec, evaluations: 60 } as const

/** Three jobs that are dispatched as one batch to a device that is busy until it holds them all. */
async function newBatch(of: typeof spec | typeof long = spec): Promise<[string, string, string]> {
  const busy = await newDispatch(long)
  await hasStep(busy)
  const jobs = []
  for (const seed of [40, 41, 42]) jobs.push((await newJob({ ...of, seed })).id)
  for (const id of jobs) await dispatch(id, { batch: jobs[0]! })
  for (const id of jobs) {
    await eventually('it is held', async () => (await liveDispatch(id))?.isHeld)
  }
  await cancelJob(busy)
  return [jobs[0]!, jobs[1]!, jobs[2]!]
}

const timingsOf = async (id: string) =>
  (await database.job.findUniqueOrThrow({ where: { id } })).timings

describe('a batch', { skip }, () => {
  it('is drawn side by side, and each picture is as it is alone', async () => {
    const alone = []
    for (const seed of [40, 41, 42]) alone.push(await ended(await newDispatch({ ...spec, seed })))

    const ids = await newBatch()
    const jobs = await Promise.all(ids.map(ended))

    assert.deepEqual(
      jobs.map(({ resultKeys }) => resultKeys),
      alone.map(({ resultKeys }) => resultKeys),
    )
    for (const id of ids) assert.ok(toldAt(id, 0) < Math.min(...ids.map((each) => toldAt(each, 8))))
    const sum = (all: typeof jobs): number => all.reduce((total, job) => total + job.costMicros!, 0)
    console.log(`measured: ${sum(jobs)} us together, ${sum(alone)} us one after another`)
  })

  it('is charged in equal parts, and says that it was one', async () => {
    const ids = await newBatch()
    const costs = await Promise.all(ids.map(async (id) => (await ended(id)).costMicros!))

    assert.ok(Math.max(...costs) < 2 * Math.min(...costs))
    for (const id of ids) {
      const { ledger, charges } = await moneyOf(id)
      assert.equal(ledger, -charges)
      const timings = JSON.stringify(await timingsOf(id))
      assert.match(timings, /"batch": ?3/)
      assert.doesNotMatch(timings, /deviceMicros/)
    }
  })

  it('goes on without one that is cancelled', async () => {
    const [first, second, third] = await newBatch(long)
    await hasStep(second, 2)

    await cancelJob(second)

    assert.equal((await ended(second)).state, 'cancelled')
    const rest = await Promise.all([ended(first), ended(third)])
    assert.deepEqual(
      rest.map(({ state }) => state),
      ['done', 'done'],
    )
  })

  it('is drawn one by one when its runner is killed', async () => {
    const ids = await newBatch(long)
    await hasStep(ids[2], 2)

    const pid = worker!.runnerPid()!
    process.kill(pid, 'SIGKILL')
    await eventually('it is gone', () => !isAlive(pid))

    for (const id of ids) {
      const job = await ended(id)
      assert.deepEqual([job.state, job.attempt], ['done', 1])
      assert.match(JSON.stringify(await timingsOf(id)), /"batch": ?1/)
      assert.ok(await blobs.has(job.resultKeys[0]!))
      await eventually('the lease ends', async () => (await liveDispatch(id)) === undefined)
    }
  })
})
