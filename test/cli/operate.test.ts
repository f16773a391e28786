/** `backup` and `restore` as an operator types them, on the database of a data folder. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { migrate } from '../../src/store/migrate.ts'
import { query, start, temporaryFolder } from '../store/embedded-server.ts'
import { type Ended, runCommand } from './command.ts'

/** Runs a command on a data folder. */
const run = (dataFolder: string, ...args: string[]): Promise<Ended> =>
  runCommand(args, { DATA_DIR: dataFolder })

describe('backup', () => {
  it('saves a database that runs, and restore brings it to another folder', async (t) => {
    const [here, there] = [temporaryFolder(t), temporaryFolder(t)]
    const file = join(here, 'backup.tar')
    const { url } = await start(t, here)
    await migrate(url)
    await query(url, `INSERT INTO states (name, value, updated_at) VALUES ('kept', '7', now())`)

    const [saved, saidSaved] = await run(here, 'backup', file)
    const [inUse, saidInUse] = await run(here, 'restore', file)
    const [restored, saidRestored] = await run(there, 'restore', file)

    assert.deepEqual([saved, inUse, restored], [0, 1, 0], saidSaved + saidInUse + saidRestored)
    assert.match(saidSaved, /Saved .*backup\.tar: one row and no pictures\./)
    assert.match(saidInUse, /Another Zimagine already uses the data folder/)
    assert.match(saidRestored, /Restored the backup of 20.*: one row/)
    const { url: copy } = await start(t, there)
    assert.deepEqual(await query(copy, `SELECT name, value FROM states`), [
      { name: 'kept', value: 7 },
    ])
  })

  it('makes no database where there is none', async (t) => {
    const folder = temporaryFolder(t)

    const [exitCode, said] = await run(folder, 'backup', join(folder, 'backup.tar'))

    assert.deepEqual([exitCode, existsSync(join(folder, 'postgres'))], [1, false])
    assert.match(said, /no database to back up yet/)
  })

  for (const args of [[], ['a', 'b'], ['a', '--force'], ['--all', 'a']]) {
    it(`is not run as backup ${args.join(' ')}`, async (t) => {
      const [exitCode, said] = await run(temporaryFolder(t), 'backup', ...args)

      assert.equal(exitCode, 2)
      assert.match(said, /npm run backup -- FILE/)
    })
  }
})
