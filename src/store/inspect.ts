/** A look at a database from outside, before anything of it is used. */
import { Client } from 'pg'
import { UserError } from '../core/errors.ts'
import { migrationNames } from './migrate.ts'
import { asUnreachable } from './unreachable.ts'

/** What there is to know of a database. */
export type DatabaseFacts = {
  /** Of Postgres, such as `18.4`. */
  readonly version: string
  /** Changes that the next start will make to it. */
  readonly pendingMigrations: number
  /** How far its clock is ahead of ours. */
  readonly clockAheadMs: number
}

const connectLimitMs = 5_000

/** Looks. @throws {UserError} database-unreachable, database-newer */
export async function inspectDatabase(databaseUrl: string): Promise<DatabaseFacts> {
  const client = new Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: connectLimitMs,
    query_timeout: connectLimitMs,
    application_name: 'zimagine-inspect',
  })
  client.on('error', () => {}) // The query under way is rejected too.
  try {
    await client.connect()
  } catch (error) {
    throw asUnreachable(error)
  }
  try {
    const askedAtMs = Date.now()
    const { rows } = await client.query<{ version: string; atMs: number; has: boolean }>(
      `SELECT current_setting('server_version') AS version,
        (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS "atMs",
        to_regclass('public._prisma_migrations') IS NOT NULL AS has`,
    )
    const { version, atMs, has } = rows[0]!
    const clockAheadMs = Math.round(atMs - (askedAtMs + Date.now()) / 2)
    const applied = has ? await appliedMigrations(client) : []
    const ours = await migrationNames()
    const foreign = applied.find((name) => !ours.includes(name))
    if (foreign !== undefined) throw new UserError('database-newer', { migration: foreign })
    const pendingMigrations = ours.length - applied.length
    return { version: version.split(' ')[0]!, pendingMigrations, clockAheadMs }
  } finally {
    await client.end()
  }
}

async function appliedMigrations(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT migration_name AS name FROM public._prisma_migrations
     WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`,
  )
  return rows.map(({ name }) => name)
}
