/** The end of a worker: what is begun is ended or given back, and nothing of it is left. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { aliveDevices, readModelCard } from '../../src/store/devices.ts'
import { findJob } from '../../src/store/jobs.ts'
import {
  database,
  ended,
  events,
  eventually,
  hasStep,
  liveDispatch,
  moneyOf,
  newDispatch,
  newWorker,
  slowSpec,
} from './house.ts'
import { skip } from './nano-runner.ts'
import { children, isAlive } from './processes.ts'

const deviceEvents = (id: string): string[] =>
  events.flatMap((event) => (event.type === 'device' && event.device === id ? [event.state] : []))
const alive = async () => aliveDevices(database, Date.now())

describe('a worker', { skip }, () => {
  it('tells of its device and its model, and takes them away at its end', async () => {
    const worker = await newWorker({ deviceId: 'here:1' })
    const pid = worker.runnerPid()!

    assert.deepEqual(await alive(), [worker.device()])
    assert.deepEqual(
      [worker.device().id, worker.device().deviceClass, (await readModelCard(database))?.name],
      ['here:1', 'nano', 'nano'],
    )
    await worker.close()

    assert.deepEqual(await alive(), [])
    await eventually('both is told', () => deviceEvents('here:1').length === 2)
    assert.deepEqual(deviceEvents('here:1'), ['up', 'down'])
    assert.equal(isAlive(pid), false)
  })

  it('ends what it draws and gives back what it has not begun', async () => {
    const worker = await newWorker()
    const begun = await newDispatch(slowSpec)
    await hasStep(begun)
    const waiting = await newDispatch()
    await eventually('it is held', async () => (await liveDispatch(waiting))?.isHeld)

    const closing = worker.close()
    await eventually('it says so', async () => (await alive()).some((each) => each.isDraining))
    await closing

    assert.equal((await findJob(database, begun))?.state, 'done')
    const job = await findJob(database, waiting)
    assert.deepEqual([job?.state, (await liveDispatch(waiting))?.isHeld], ['dispatched', false])

    const other = await newWorker()
    assert.equal((await ended(waiting)).state, 'done')
    await other.close()
  })
})

describe('a worker in a hurry', { skip }, () => {
  it('gives back what it draws, for another to draw', async () => {
    const before = children()
    const worker = await newWorker({ drainMs: 50 })
    const id = await newDispatch({ ...slowSpec, evaluations: 60 })
    await hasStep(id)

    await worker.close()

    assert.equal((await liveDispatch(id))?.isHeld, false)
    assert.deepEqual(children(), before)
    const { ledger, charges } = await moneyOf(id)
    assert.ok(ledger < 0 && charges === 0)
    await newWorker()
    assert.equal((await ended(id)).state, 'done')
  })

  it('leaves no process behind when it cannot start', async () => {
    const before = children()

    await assert.rejects(newWorker({ modelFolder: '/no/such/model' }), { code: 'model-missing' })

    assert.deepEqual(children(), before)
  })
})
