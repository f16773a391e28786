/**
 * Brings a database to the schema of this program. Compatible with Prisma's `migrate deploy`: the
 * same table, checksum and advisory lock, so either may go on where the other left off. Each
 * migration is one transaction together with its row: applied and known to be, or neither.
 */
import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { UserError } from '../core/errors.ts'
import { asUnreachable } from './unreachable.ts'

/** Where our migrations lie: `TIMESTAMP_NAME/migration.sql`, applied in the order of their names. */
export const migrationsFolder = fileURLToPath(new URL('../../prisma/migrations', import.meta.url))

type Migration = { readonly name: string; readonly sql: string; readonly checksum: string }
type Row = {
  readonly migration_name: string
  readonly checksum: string
  readonly finished_at: Date | null
  readonly logs: string | null
}

/** Prisma's own number: two programs that start at once take turns. */
const lock = 72_707_369
const lockLimitMs = 120_000
const connectLimitMs = 10_000

/** Names of our migrations, in their order. */
export async function migrationNames(folder: string = migrationsFolder): Promise<string[]> {
  return (await readMigrations(folder)).map(({ name }) => name)
}

/**
 * Applies what is missing, up to `last` if one is given, and gives back its names.
 * @throws {UserError} migration-edited, migration-failed, database-newer, database-unreachable
 */
export async function migrate(
  url: string,
  folder: string = migrationsFolder,
  last?: string,
): Promise<string[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: connectLimitMs })
  client.on('error', () => {}) // The query under way is rejected too.
  try {
    await client.connect()
  } catch (error) {
    throw asUnreachable(error)
  }
  try {
    // Careful: the lock's own wait is bound by this too, as is the wait for another's open table.
    await client.query(`SET lock_timeout = ${lockLimitMs}`)
    await client.query('SELECT pg_advisory_lock($1)', [lock])
    await client.query(tableOfMigrations)
    const missing = pending(await readMigrations(folder), await readRows(client)).filter(
      ({ name }) => last === undefined || name <= last,
    )
    for (const migration of missing) await apply(client, migration)
    return missing.map(({ name }) => name)
  } finally {
    await client.end() // The lock goes with the connection.
  }
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => existsSync(sqlFile(folder, name)))
  return Promise.all(
    names.toSorted().map(async (name) => {
      const sql = await readFile(sqlFile(folder, name), 'utf8')
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') }
    }),
  )
}

async function readRows(client: Client): Promise<Row[]> {
  const { rows } = await client.query<Row>(
    `SELECT migration_name, checksum, finished_at, logs FROM _prisma_migrations
      WHERE rolled_back_at IS NULL ORDER BY started_at`,
  )
  return rows
}

/** What has not been applied yet, when everything that has is as it was and whole. */
function pending(migrations: readonly Migration[], rows: readonly Row[]): Migration[] {
  const known = new Map(migrations.map((migration) => [migration.name, migration]))
  for (const { migration_name: migration, checksum, finished_at, logs } of rows) {
    if (finished_at === null) {
      throw new UserError('migration-failed', { migration, reason: logs ?? 'it was interrupted' })
    }
    const ours = known.get(migration)
    if (ours === undefined) throw new UserError('database-newer', { migration })
    if (ours.checksum !== checksum) throw new UserError('migration-edited', { migration })
  }
  const applied = new Set(rows.map((row) => row.migration_name))
  return migrations.filter(({ name }) => !applied.has(name))
}

async function apply(client: Client, { name, sql, checksum }: Migration): Promise<void> {
  try {
    await client.query('BEGIN')
    await client.query(sql)
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, finished_at, applied_steps_count)
        VALUES ($1, $2, $3, clock_timestamp(), 1)`,
      [randomUUID(), checksum, name],
    )
    await client.query('COMMIT')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new UserError('migration-failed', { migration: name, reason }, { cause: error })
  }
}

const sqlFile = (folder: string, name: string): string => join(folder, name, 'migration.sql')

/** As Prisma makes it. */
const tableOfMigrations = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum VARCHAR(64) NOT NULL,
    finished_at TIMESTAMPTZ,
    migration_name VARCHAR(255) NOT NULL,
    logs TEXT,
    rolled_back_at TIMESTAMPTZ,
    started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count INTEGER NOT NULL DEFAULT 0
  )`
