/**
 * The migrations and their runner, held against Prisma's own engine: nothing of the schema is
 * missing in them, and what the runner writes down is what the engine would have.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Client } from 'pg'
import { UserError } from '../../src/core/errors.ts'
import { migrate, migrationsFolder } from '../../src/store/migrate.ts'
import { newDatabase } from './database.ts'
import { closeInMemory, diagnosis, difference, schemaText } from './schema-engine.ts'

const root = mkdtempSync(join(tmpdir(), 'zimagine-migrations-'))
after(() => rmSync(root, { recursive: true, force: true }))

/** Ours and others after them, in a folder of their own. */
function folderWith(more: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(root, 'migrations-'))
  cpSync(migrationsFolder, folder, { recursive: true })
  for (const [name, sql] of Object.entries(more)) {
    mkdirSync(join(folder, name), { recursive: true })
    writeFileSync(join(folder, name, 'migration.sql'), sql)
  }
  return folder
}

async function query<Row extends object>(url: string, sql: string): Promise<Row[]> {
  const client = new Client(url)
  await client.connect()
  try {
    return (await client.query<Row>(sql)).rows
  } finally {
    await client.end()
  }
}

const tables = (url: string): Promise<{ count: number }[]> =>
  query(url, `SELECT count(*)::int FROM pg_tables WHERE schemaname = 'public'`)

const fails = (code: string) => (error: unknown) =>
  error instanceof UserError && error.code === code

const urls = await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(() => newDatabase({ isEmpty: true })))
const nextUrl = (): string => urls.pop()!

describe('the migrations', () => {
  after(closeInMemory)

  it('make what the schema says', async () => {
    assert.equal((await difference()).trim(), '-- This is an empty migration.')
  })

  it('would be seen to lack a column', async () => {
    const more = schemaText.replace('model State {', 'model State {\n  missing Int?\n')

    assert.match(await difference(more), /ADD COLUMN +"missing"/)
  })
})

describe('migrate', () => {
  it('applies what is missing, once', async () => {
    const url = nextUrl()

    assert.deepEqual(await migrate(url), ['20261123000000_first'])
    assert.deepEqual(await migrate(url), [])
  })

  it('leaves Prisma nothing to find', async () => {
    const url = nextUrl()
    await migrate(url)

    assert.deepEqual(await diagnosis(url), {
      editedMigrationNames: [],
      failedMigrationNames: [],
      hasMigrationsTable: true,
      history: null,
    })
  })

  it('takes turns with another that starts at the same time', async () => {
    const url = nextUrl()
    const applied = await Promise.all([migrate(url), migrate(url), migrate(url)])

    assert.deepEqual(applied.flat(), ['20261123000000_first'])
  })

  it('keeps nothing of a migration that fails, and goes on once it is mended', async () => {
    const url = nextUrl()
    await migrate(url)
    const before = await tables(url)
    const broken = folderWith({ '20990101000000_more': 'CREATE TABLE half (n int); SELECT 1 / 0;' })
    const mended = folderWith({ '20990101000000_more': 'CREATE TABLE whole (n int);' })

    await assert.rejects(migrate(url, broken), fails('migration-failed'))
    assert.deepEqual(await tables(url), before)
    assert.deepEqual(await migrate(url, mended), ['20990101000000_more'])
  })

  it('refuses a migration that was edited after it was applied', async () => {
    const url = nextUrl()
    await migrate(url, folderWith({ '20990101000000_more': 'SELECT 1;' }))
    const edited = folderWith({ '20990101000000_more': 'SELECT 2;' })

    await assert.rejects(migrate(url, edited), fails('migration-edited'))
  })

  it('refuses a database that knows more migrations', async () => {
    const url = nextUrl()
    await migrate(url, folderWith({ '20990101000000_more': 'SELECT 1;' }))

    await assert.rejects(migrate(url), fails('database-newer'))
  })

  it('refuses a database in which Prisma left a migration half done', async () => {
    const url = nextUrl()
    await migrate(url)
    await query(url, 'UPDATE _prisma_migrations SET finished_at = NULL')

    await assert.rejects(migrate(url), fails('migration-failed'))
  })

  it('says why there is no database to reach', async () => {
    await assert.rejects(
      migrate('postgresql://nobody:secret@127.0.0.1:1/none'),
      (error) =>
        error instanceof UserError && error.message === 'database-unreachable, reason ECONNREFUSED',
    )
  })
})
