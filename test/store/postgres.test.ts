/**
 * The embedded Postgres with the real programs: what it is, what outlives a kill, and who owns it.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Client } from 'pg'
import { EmbeddedPostgres } from '../../src/store/postgres.ts'
import {
  query,
  serverPid,
  start,
  startOwner,
  temporaryFolder,
  until,
  urlOf,
} from './embedded-server.ts'

describe('EmbeddedPostgres', () => {
  it('starts a server with a password on an empty folder and leaves none behind', async (t) => {
    const dataFolder = join(temporaryFolder(t), 'data')
    const postgres = await EmbeddedPostgres.start({ dataFolder })
    const [found] = await query<{ version: string; fsync: string; encoding: string }>(
      postgres.url,
      `SELECT current_setting('server_version') AS version, current_setting('fsync') AS fsync,
        current_setting('server_encoding') AS encoding`,
    )
    const withoutPassword = postgres.url.replace(/:[^:@]+@/, ':wrong@')
    const refused = await query(withoutPassword, 'SELECT 1').catch((error: unknown) => error)
    const pid = serverPid(dataFolder)
    await postgres.close()

    assert.match(found!.version, /^18\./)
    assert.deepEqual({ ...found, version: '18' }, { version: '18', fsync: 'on', encoding: 'UTF8' })
    assert.match(String(refused), /password authentication failed/)
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  })

  it('keeps what was stored from one start to the next, and the URL with it', async (t) => {
    const dataFolder = temporaryFolder(t)
    const first = await start(t, dataFolder)
    await query(first.url, 'CREATE TABLE kept AS SELECT 7 AS n')
    await first.close()
    const second = await start(t, dataFolder)

    assert.deepEqual(await query(second.url, 'SELECT n FROM kept'), [{ n: 7 }])
    assert.equal(second.url, first.url)
  })

  it('knows the case of every script, whatever the system', async (t) => {
    const { url } = await start(t, temporaryFolder(t))

    assert.deepEqual(await query(url, `SELECT lower('ÄΩЖ') AS low`), [{ low: 'äωж' }])
  })

  it('gives its role no power over the machine', async (t) => {
    const { url } = await start(t, temporaryFolder(t))

    await assert.rejects(query(url, `COPY (SELECT 1) TO PROGRAM 'true'`), { code: '42501' })
  })

  it('keeps the password from other users', async (t) => {
    const dataFolder = temporaryFolder(t)
    await start(t, dataFolder)

    assert.equal(statSync(join(dataFolder, 'postgres/password')).mode & 0o777, 0o600)
    assert.equal(statSync(join(dataFolder, 'postgres/cluster')).mode & 0o777, 0o700)
    assert.equal(statSync(join(dataFolder, 'postgres/socket')).mode & 0o777, 0o700)
  })

  it('listens on loopback where the path is too long for a socket', async (t) => {
    const dataFolder = join(temporaryFolder(t), 'long'.repeat(25))
    const { url } = await start(t, dataFolder)

    assert.match(url, /@127\.0\.0\.1:\d+\/zimagine$/)
    assert.deepEqual(await query(url, 'SELECT 1 AS one'), [{ one: 1 }])
  })

  it('listens on a socket in a folder with a comma, a space and Chinese in its name', async (t) => {
    const { url } = await start(t, join(temporaryFolder(t), 'a, b "数据"'))

    assert.match(url, /host=%2F/)
    assert.deepEqual(await query(url, 'SELECT 1 AS one'), [{ one: 1 }])
  })
})

describe('a kill', () => {
  it('of the owner leaves the server, which the next start takes over and stops', async (t) => {
    const dataFolder = temporaryFolder(t)
    const { child, answer } = await startOwner(t, dataFolder)
    await query(urlOf(answer), 'CREATE TABLE kept AS SELECT 7 AS n')
    const pid = serverPid(dataFolder)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const postgres = await start(t, dataFolder)

    assert.equal(serverPid(dataFolder), pid)
    assert.deepEqual(await query(postgres.url, 'SELECT n FROM kept'), [{ n: 7 }])
    await postgres.close()
    assert.ok(!existsSync(join(dataFolder, 'postgres/cluster/postmaster.pid')))
  })

  it('of the server loses no commit: it is started again at the same URL', async (t) => {
    const dataFolder = temporaryFolder(t)
    const { url } = await start(t, dataFolder, true)
    await query(url, 'CREATE TABLE kept AS SELECT 7 AS n')
    const pid = serverPid(dataFolder)
    process.kill(pid, 'SIGKILL')
    await until(async () => serverPid(dataFolder) !== pid)
    await until(async () => (await query(url, 'SELECT 1')).length === 1)

    assert.deepEqual(await query(url, 'SELECT n FROM kept'), [{ n: 7 }])
  })

  it('of one of its connections leaves the owner in possession', async (t) => {
    const dataFolder = temporaryFolder(t)
    const { url } = await start(t, dataFolder)
    const backend = new Client(url)
    backend.on('error', () => {})
    await backend.connect()
    const { rows } = await backend.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')
    const ended = new Promise((resolve) => backend.once('end', resolve))
    process.kill(rows[0]!.pid, 'SIGKILL') // Postgres then ends every connection and recovers.
    await ended
    await until(async () => (await query(url, 'SELECT 1')).length === 1)

    const { answer } = await startOwner(t, dataFolder)
    assert.deepEqual(answer, { code: 'data-folder-in-use', params: { folder: dataFolder } })
  })

  it('of both leaves a lock file that does not stand in the way', async (t) => {
    const dataFolder = temporaryFolder(t)
    const { child } = await startOwner(t, dataFolder)
    child.kill('SIGKILL')
    process.kill(serverPid(dataFolder), 'SIGKILL')
    await once(child, 'exit')

    const { url } = await start(t, dataFolder)
    assert.deepEqual(await query(url, 'SELECT 1 AS one'), [{ one: 1 }])
  })
})

describe('the owner', () => {
  it('is one: a second start is refused and disturbs nothing', async (t) => {
    const dataFolder = temporaryFolder(t)
    const { url } = await start(t, dataFolder)
    const { answer } = await startOwner(t, dataFolder)

    assert.deepEqual(answer, { code: 'data-folder-in-use', params: { folder: dataFolder } })
    assert.deepEqual(await query(url, 'SELECT 1 AS one'), [{ one: 1 }])
  })

  it('is one of two that start at once on an empty folder', async (t) => {
    const dataFolder = temporaryFolder(t)
    const owners = await Promise.all([startOwner(t, dataFolder), startOwner(t, dataFolder)])
    const [code, ...others] = owners.flatMap(({ answer }) => ('code' in answer ? answer.code : []))

    assert.equal(code, 'data-folder-in-use')
    assert.deepEqual(others, [])
    assert.deepEqual(
      (await readdir(dataFolder)).filter((name) => name.endsWith('.draft')),
      [],
    )
  })
})
