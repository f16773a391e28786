/** What a worker outlives: a database that is away, a model that is away, memory that is short. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { aliveDevices } from '../../src/store/devices.ts'
import { TestClient } from '../queue/client.ts'
import {
  database,
  databaseUrl,
  ended,
  errors,
  events,
  eventually,
  hasStep,
  liveDispatch,
  moneyOf,
  newDispatch,
  newWorker,
  slowSpec,
} from './house.ts'
import { modelFolder, skip } from './nano-runner.ts'

const postgres = new TestClient(databaseUrl)
const folder = mkdtempSync(join(tmpdir(), 'zimagine-model-'))
const model = join(folder, 'nano')
after(() => rmSync(folder, { recursive: true, force: true }))
symlinkSync(modelFolder, model)
const worker = skip ? undefined : await newWorker({ modelFolder: model, deviceId: 'here:1' })

const states = (): string[] =>
  events.flatMap((event) =>
    event.type === 'device' && event.device === 'here:1' ? [event.state] : [],
  )

describe('a worker', { skip }, () => {
  it('ends its job once although all its connections were cut meanwhile', async () => {
    const id = await newDispatch({ ...slowSpec, evaluations: 30 })
    await hasStep(id, 2)

    for (let k = 0; k < 20; k++) await postgres.terminate('zimagine%')

    assert.equal((await ended(id)).state, 'done')
    const { ledger, charges } = await moneyOf(id)
    assert.ok(charges > 0)
    assert.equal(ledger, -charges)
    await eventually('the lease ends', async () => (await liveDispatch(id)) === undefined)
    errors.splice(0)
  })

  it('takes its device away while no runner can be started, and draws when one can', async () => {
    const pid = worker!.runnerPid()!
    rmSync(model)
    process.kill(pid, 'SIGKILL')
    await eventually('it is told', () => states().at(-1) === 'down')
    assert.deepEqual(await aliveDevices(database, Date.now()), [])

    const id = await newDispatch()
    symlinkSync(modelFolder, model)

    assert.deepEqual([(await ended(id)).state, states().at(-1)], ['done', 'up'])
    assert.match(String(errors.splice(0)), /model-missing/)
  })

  it('tells of memory that is short, and goes on', async (t) => {
    const pid = worker!.runnerPid()!
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const sizeBytes = (Number(/VmSize:\s*(\d+)/.exec(status)?.[1]) + 20_000) * 1024
    const limit = (value: string): boolean =>
      spawnSync('prlimit', [`--pid=${pid}`, `--as=${value}:`]).status === 0
    if (!limit(String(sizeBytes))) return t.skip('needs prlimit')

    const id = await newDispatch({ width: 1024, height: 1024, evaluations: 1 })

    assert.equal((await ended(id)).state, 'failed')
    const { error } = await database.job.findUniqueOrThrow({ where: { id } })
    assert.deepEqual(error, { code: 'runner-out-of-memory', params: {} })
    assert.deepEqual(await moneyOf(id), { ledger: 0, charges: 0 })
    limit('unlimited')
    assert.equal((await ended(await newDispatch())).state, 'done')
  })
})
