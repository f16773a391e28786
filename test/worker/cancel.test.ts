/** Cancels and fences: a job that is not to be drawn any more stops, ends once, and costs nothing. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { findJob, markStarted } from '../../src/store/jobs.ts'
import {
  cancelJob,
  database,
  dispatch,
  ended,
  errors,
  eventually,
  hasStep,
  liveDispatch,
  moneyOf,
  newDispatch,
  newJob,
  newWorker,
  slowSpec,
  smallSpec,
  toldOf,
} from './house.ts'
import { skip } from './nano-runner.ts'

const worker = skip ? undefined : await newWorker()

afterEach(() => {
  assert.deepEqual(errors.splice(0), [])
})

describe('a cancel', { skip }, () => {
  it('stops a job that is being drawn within a step, and refunds it', async () => {
    const id = await newDispatch({ ...slowSpec, evaluations: 100 })
    await hasStep(id)

    assert.equal(await cancelJob(id), 'requested')

    const job = await ended(id)
    assert.equal(job.state, 'cancelled')
    assert.ok(job.costMicros! > 0)
    assert.deepEqual(await moneyOf(id), { ledger: 0, charges: 0 })
    await eventually('the end is told', () => toldOf(id).includes('cancelled'))
    assert.equal(await liveDispatch(id), undefined)
    assert.equal(await database.preview.count({ where: { jobId: id } }), 0)
  })

  it('ends a job that waits at the device at once', async () => {
    const first = await newDispatch({ ...slowSpec, evaluations: 100 })
    await hasStep(first)
    const second = await newDispatch()
    await eventually('the second is held', async () => (await liveDispatch(second))?.isHeld)

    await cancelJob(second)

    const job = await ended(second)
    assert.deepEqual([job.state, job.costMicros], ['cancelled', 0])
    assert.equal((await findJob(database, first))?.state, 'running')
    await cancelJob(first)
    await ended(first)
  })

  it('leaves the device to the next job', async () => {
    assert.equal((await ended(await newDispatch())).state, 'done')
    assert.ok(worker!.runnerPid())
  })

  it('and an end that race are one end, whose money adds up', async () => {
    const ends: string[] = []
    for (let round = 0; round < 25; round++) {
      const id = await newDispatch({ ...smallSpec, evaluations: 1, seed: round })
      await hasStep(id, 0)
      await new Promise((resolve) => setTimeout(resolve, round * 3))
      await cancelJob(id)
      const { state } = await ended(id)
      const { ledger, charges } = await moneyOf(id)
      assert.equal(ledger + charges, 0)
      assert.equal(charges > 0, state === 'done')
      await eventually('the end is told', () => toldOf(id).includes(state))
      assert.equal(toldOf(id).filter((type) => type !== 'step').length, 1)
      await eventually('the lease ends', async () => (await liveDispatch(id)) === undefined)
      ends.push(state)
    }
    console.log(`measured: ${ends.filter((end) => end === 'done').length} of 25 were done`)
  })
})

describe('a lease whose job has moved on', { skip }, () => {
  it('delivers nothing when a later attempt has begun before it', async () => {
    const { id } = await newJob()
    await database.job.update({ where: { id }, data: { state: 'dispatched', attempt: 4 } })
    await markStarted(database, id, { attempt: 5, device: 'other', nowMs: Date.now() })
    await database.job.update({ where: { id }, data: { state: 'queued', attempt: 0 } })
    await dispatch(id)
    await database.job.update({ where: { id }, data: { state: 'running', attempt: 5 } })

    await eventually('the lease ends', async () => (await liveDispatch(id)) === undefined)

    const job = await findJob(database, id)
    assert.deepEqual([job?.state, job?.attempt, job?.resultKeys], ['running', 5, []])
    assert.ok(!toldOf(id).includes('done'))
  })

  it('delivers nothing when a later attempt begins while it draws', async () => {
    const id = await newDispatch({ ...slowSpec, evaluations: 4 })
    await hasStep(id)
    await markStarted(database, id, { attempt: 9, device: 'other', nowMs: Date.now() })

    await eventually('the lease ends', async () => (await liveDispatch(id)) === undefined)

    const job = await findJob(database, id)
    assert.deepEqual([job?.state, job?.attempt, job?.resultKeys], ['running', 9, []])
    assert.ok((await moneyOf(id)).ledger < 0)
    assert.ok(!toldOf(id).includes('done'))
  })

  it('ends when the job is gone', async () => {
    const { id } = await newJob()
    const busy = await newDispatch({ ...slowSpec, evaluations: 4 })
    await hasStep(busy)
    await dispatch(id)
    await database.job.delete({ where: { id } })

    await eventually('the lease ends', async () => (await liveDispatch(id)) === undefined)
    assert.equal((await ended(busy)).state, 'done')
  })
})
