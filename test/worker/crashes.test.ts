/** Runners that die under a job: it is drawn again, and when that is no use it fails with a refund. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findJob } from '../../src/store/jobs.ts'
import {
  blobs,
  database,
  ended,
  eventually,
  hasStep,
  liveDispatch,
  moneyOf,
  newDispatch,
  newWorker,
  slowSpec,
  toldOf,
} from './house.ts'
import { skip } from './nano-runner.ts'
import { isAlive } from './processes.ts'

const worker = skip ? undefined : await newWorker()
const slow = { ...slowSpec, isPrivate: true } as const

/** Kills the runner once it draws; returns when it is gone. */
async function killRunner(signal: NodeJS.Signals): Promise<void> {
  const pid = await eventually('there is a runner', () => worker!.runnerPid())
  process.kill(pid, signal)
  await eventually('the runner is gone', () => !isAlive(pid))
  await eventually('there is another', () => worker!.runnerPid() !== pid && worker!.runnerPid())
}

describe('a job whose runner dies', { skip }, () => {
  it('is drawn by another one, at no other price than its own time, and is the same', async () => {
    const straight = await ended(await newDispatch(slow))
    const id = await newDispatch(slow)
    await hasStep(id, 2)

    await killRunner('SIGKILL')

    const job = await ended(id)
    assert.equal(job.state, 'done')
    assert.deepEqual(job.resultKeys, straight.resultKeys)
    assert.ok(job.costMicros! < 2 * straight.costMicros!)
    const { ledger, charges } = await moneyOf(id)
    assert.equal(ledger, -charges)
  })

  it('is given to the next taker when it crashes', async () => {
    const id = await newDispatch(slow)
    await hasStep(id)

    await killRunner('SIGSEGV')

    const job = await ended(id)
    assert.deepEqual([job.state, job.attempt], ['done', 2])
  })

  it('fails with a refund the third time', async () => {
    const id = await newDispatch({ ...slow, evaluations: 60 })
    for (const attempt of [1, 2, 3]) {
      await eventually('it is begun', async () => {
        const job = await findJob(database, id)
        return job?.state === 'running' && job.attempt === attempt
      })
      await killRunner('SIGSEGV')
    }

    const job = await ended(id)
    const { error } = await database.job.findUniqueOrThrow({ where: { id } })
    assert.deepEqual([job.state, error], ['failed', { code: 'device-lost', params: {} }])
    assert.deepEqual(await moneyOf(id), { ledger: 0, charges: 0 })
    await eventually('the end is told', () => toldOf(id).includes('failed'))
    assert.equal(await liveDispatch(id), undefined)
  })

  it('leaves others that wait alone', async () => {
    const [first, second] = [await newDispatch(slow), await newDispatch()]
    await hasStep(first)

    await killRunner('SIGKILL')

    const states = [(await ended(first)).state, (await ended(second)).state]
    assert.deepEqual(states, ['done', 'done'])
    assert.equal((await ended(second)).attempt, 1)
    assert.ok(await blobs.has((await ended(second)).resultKeys[0]!))
  })
})
