/**
 * The embedded Postgres with the real programs: who may run it, what outlives a kill, who owns it,
 * and what a full disk does. Tests that need another user or a small disk need root and say so.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { type TestContext, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { UserError } from '../../src/core/errors.ts'
import { EmbeddedPostgres } from '../../src/store/postgres.ts'

const isRoot = process.getuid?.() === 0
const needsRoot = { skip: isRoot ? false : 'needs root' }
const nobody = 65534
const ownerScript = fileURLToPath(new URL('embedded-owner.ts', import.meta.url))

const endings = new WeakMap<TestContext, (() => unknown)[]>()

/** Runs `end` after the test, the latest first: `t.after` alone would begin with the earliest. */
function later(t: TestContext, end: () => unknown): void {
  const ends = endings.get(t) ?? []
  ends.unshift(end)
  if (endings.has(t)) return
  endings.set(t, ends)
  t.after(async () => {
    for (const each of ends) await each()
  })
}

/** A folder that `nobody` can enter, removed after the test. */
function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'zimagine-postgres-'))
  chmodSync(folder, 0o755)
  later(t, () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function start(t: TestContext, dataFolder: string, isDurable = false) {
  const postgres = await EmbeddedPostgres.start({ dataFolder, isDurable })
  later(t, () => postgres.close())
  return postgres
}

type Answer = { readonly url: string } | { readonly code: string; readonly params: object }

/** Starts a process that owns the data folder; `answer` is what it printed. */
async function startOwner(
  t: TestContext,
  dataFolder: string,
  user: { uid?: number; gid?: number } = {},
): Promise<{ child: ChildProcess; answer: Answer }> {
  const child = spawn(process.execPath, [ownerScript, dataFolder], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: '/',
    ...user,
  })
  later(t, async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.stdin.end()
    await once(child, 'exit')
  })
  for await (const line of createInterface(child.stdout)) {
    return { child, answer: JSON.parse(line) as Answer }
  }
  throw new Error('the owner said nothing')
}

function urlOf(answer: Answer): string {
  assert.ok('url' in answer, JSON.stringify(answer))
  return answer.url
}

async function query<Row extends object>(url: string, sql: string): Promise<Row[]> {
  const client = new Client(url)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query<Row>(sql)).rows
  } finally {
    await client.end().catch(() => {})
  }
}

const serverPid = (dataFolder: string): number =>
  Number.parseInt(readFileSync(join(dataFolder, 'postgres/cluster/postmaster.pid'), 'utf8'), 10)

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo().catch(() => false))) await setTimeout(20)
}

const fails = (code: string) => (error: unknown) =>
  error instanceof UserError && error.code === code

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

describe('the user', () => {
  it('may be root: the server then runs as nobody', needsRoot, async (t) => {
    const dataFolder = temporaryFolder(t)
    await start(t, dataFolder)
    const status = readFileSync(`/proc/${serverPid(dataFolder)}/status`, 'utf8')

    assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m)
    assert.match(status, /^Gid:\t65534\t65534\t65534\t65534$/m)
  })

  it('may be anyone, in a folder that no one else can read', needsRoot, async (t) => {
    const dataFolder = join(temporaryFolder(t), 'data')
    mkdirSync(dataFolder, { mode: 0o700 })
    spawnSync('chown', [`${nobody}:${nobody}`, dataFolder])
    const { answer } = await startOwner(t, dataFolder, { uid: nobody, gid: nobody })

    assert.deepEqual(await query(urlOf(answer), 'SELECT 1 AS one'), [{ one: 1 }])
  })

  it('may change to root, who then runs the server as before', needsRoot, async (t) => {
    const dataFolder = join(temporaryFolder(t), 'data')
    mkdirSync(dataFolder)
    const user = 1 // daemon; initdb wants one that the system knows
    spawnSync('chown', [`${user}:${user}`, dataFolder])
    const { child, answer } = await startOwner(t, dataFolder, { uid: user, gid: user })
    urlOf(answer)
    child.stdin!.end()
    await once(child, 'exit')
    await start(t, dataFolder)

    assert.equal(statSync(`/proc/${serverPid(dataFolder)}`).uid, user)
  })

  it('is told who cannot enter which folder', needsRoot, async (t) => {
    const closed = join(temporaryFolder(t), 'closed')
    mkdirSync(closed, { mode: 0o700 })
    const folder = join(closed, 'data')
    const { answer } = await startOwner(t, folder)

    assert.deepEqual(answer, { code: 'data-folder-closed', params: { folder, closed } })
  })

  it('is told that the folder belongs to someone else', needsRoot, async (t) => {
    const folder = temporaryFolder(t)
    const { answer } = await startOwner(t, folder, { uid: nobody, gid: nobody })

    assert.deepEqual(answer, { code: 'data-folder-unusable', params: { folder, reason: 'EACCES' } })
  })

  it('is told that another Postgres made the cluster', async (t) => {
    const dataFolder = temporaryFolder(t)
    await (await start(t, dataFolder)).close()
    spawnSync('sh', ['-c', `echo 17 > '${dataFolder}/postgres/cluster/PG_VERSION'`])

    await assert.rejects(EmbeddedPostgres.start({ dataFolder }), fails('database-version'))
  })
})

describe('a full disk', () => {
  /** A disk of our own; skips the test where none can be mounted. */
  function smallDisk(t: TestContext, sizeMegabytes: number): string | undefined {
    const folder = temporaryFolder(t)
    const options = ['-t', 'tmpfs', '-o', `size=${sizeMegabytes}m,mode=755`, 'none', folder]
    if (!isRoot || spawnSync('mount', options).status !== 0) {
      t.skip('needs the right to mount a small disk')
      return undefined
    }
    later(t, () => spawnSync('umount', ['--lazy', folder]))
    return folder
  }
  const resize = (folder: string, sizeMegabytes: number): void => {
    spawnSync('mount', ['-o', `remount,size=${sizeMegabytes}m`, folder])
  }

  it('at the first start is said and leaves nothing half made', async (t) => {
    const folder = smallDisk(t, 20)
    if (folder === undefined) return

    await assert.rejects(EmbeddedPostgres.start({ dataFolder: folder }), fails('disk-full'))
    assert.deepEqual(await readdir(folder), [])
    resize(folder, 200)
    const { url } = await start(t, folder)
    assert.deepEqual(await query(url, 'SELECT 1 AS one'), [{ one: 1 }])
  })

  it('while running loses no commit, and work goes on when there is space again', async (t) => {
    const folder = smallDisk(t, 100)
    if (folder === undefined) return
    const { url } = await start(t, folder, true)
    await query(url, 'CREATE TABLE filled (n int, bytes text STORAGE PLAIN)')
    let stored = 0
    const filling = async (): Promise<void> => {
      for (;;) {
        await query(
          url,
          `INSERT INTO filled SELECT ${stored}, repeat('x', 1000) FROM generate_series(1, 2000)`,
        )
        stored += 1
      }
    }
    await assert.rejects(filling())
    resize(folder, 300)
    await until(async () => (await query(url, 'SELECT 1')).length === 1)

    const [counted] = await query<{ whole: number }>(
      url,
      `SELECT count(*)::int AS whole
        FROM (SELECT n FROM filled GROUP BY n HAVING count(*) = 2000 AND n < ${stored}) AS groups`,
    )
    assert.ok(stored > 5)
    assert.equal(counted!.whole, stored)
    await query(url, 'INSERT INTO filled VALUES (-1)')
  })
})
