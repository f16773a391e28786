/** Health of this process over a real database, and the small server that tells of it. */
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { after, describe, it } from 'node:test'
import { UserError } from '../../src/core/errors.ts'
import { type HealthServerOptions, serveHealth } from '../../src/ops/health-server.ts'
import { health } from '../../src/ops/health.ts'
import { Metrics } from '../../src/ops/metrics.ts'
import { aliveMs, announceDevice } from '../../src/store/devices.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { newDatabase } from '../store/database.ts'

const database = openDatabase(await newDatabase())
after(() => closeDatabase(database))
const device = { deviceClass: 'cpu', model: 'nano', mostPixels: 1, mostBatch: 1, isDraining: false }
await announceDevice(database, { ...device, id: 'here:0' })
const around = { database, dataFolder: tmpdir() }

describe('health', () => {
  it('is good where the database answers, the disk has room and our devices are alive', async () => {
    const { isOk, checks } = await health({ ...around, deviceIds: ['here:0'] })

    assert.deepEqual([isOk, checks.database.isOk, checks.disk.isOk], [true, true, true])
    assert.deepEqual(checks.devices, { isOk: true, alive: 1, ours: 1, oursAlive: 1 })
  })

  it('is bad once our device has not been heard of for a while', async () => {
    const now = (): number => Date.now() + aliveMs
    const { isOk, checks } = await health({ ...around, deviceIds: ['here:0'], now })

    assert.deepEqual([isOk, checks.devices.isOk], [false, false])
  })

  it('is good for a bot without devices of its own, whoever else is alive', async () => {
    const now = (): number => Date.now() + aliveMs

    assert.equal((await health({ ...around, deviceIds: [], now })).isOk, true)
  })

  it('is bad without the database, and tells no address', async () => {
    const away = openDatabase('postgresql://zimagine:none@127.0.0.1:1/none')
    const bad = await health({ ...around, database: away, deviceIds: ['here:0'] })
    await closeDatabase(away)

    assert.equal(bad.isOk, false)
    assert.doesNotMatch(JSON.stringify(bad), /127\.0\.0\.1|zimagine/)
  })

  it('is bad where the data folder cannot be found', async () => {
    const { isOk, checks } = await health({ database, dataFolder: '/nowhere', deviceIds: [] })

    assert.deepEqual([isOk, checks.disk], [false, { isOk: false, reason: 'ENOENT' }])
  })
})

const metrics = new Metrics(database)
const options: HealthServerOptions = {
  host: '127.0.0.1',
  port: 0,
  metrics,
  health: () => health({ ...around, deviceIds: ['here:0'] }),
}

describe('serveHealth', () => {
  it('answers 200 with the checks where all is well', async () => {
    const server = await serveHealth(options)
    const answer = await fetch(`${server.url}/healthz`)
    const body = (await answer.json()) as { isOk: boolean }
    await server.close()

    assert.deepEqual([answer.status, body.isOk], [200, true])
  })

  it('answers 503 where it is not', async () => {
    const server = await serveHealth({
      ...options,
      health: () => health({ ...around, deviceIds: ['gone:0'] }),
    })
    const { status } = await fetch(`${server.url}/healthz`)
    await server.close()

    assert.equal(status, 503)
  })

  it('serves the metrics', async () => {
    const server = await serveHealth(options)
    const answer = await fetch(`${server.url}/metrics`)
    const text = await answer.text()
    await server.close()

    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=/)
    assert.match(text, /^zimagine_database_up 1$/m)
  })

  it('has nothing else, and takes nothing', async () => {
    const server = await serveHealth(options)
    const { status: other } = await fetch(`${server.url}/`)
    const { status: posted } = await fetch(`${server.url}/healthz`, { method: 'POST' })
    await server.close()

    assert.deepEqual([other, posted], [404, 405])
  })

  it('does not ask anew for everyone who wants to know', async () => {
    let questions = 0
    const server = await serveHealth({
      ...options,
      health: () => {
        questions += 1
        return options.health()
      },
    })
    await Promise.all(Array.from({ length: 5 }, () => fetch(`${server.url}/healthz`)))
    await server.close()

    assert.ok(questions < 5, `asked ${questions} times`)
  })

  it('says so where its port is taken', async () => {
    const server = await serveHealth(options)
    const port = Number(new URL(server.url).port)
    const refused = await serveHealth({ ...options, port }).catch((error: unknown) => error)
    await server.close()

    assert.ok(refused instanceof UserError)
    assert.deepEqual(
      [refused.code, refused.params['reason']],
      ['health-listen-failed', 'EADDRINUSE'],
    )
  })
})
