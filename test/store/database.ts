/**
 * Databases for tests: one embedded Postgres for a test file, started on first use without waiting
 * for the disk, and any number of databases on it, each with the schema. The schema is migrated
 * once, into a template that each database is copied from. Everything is gone when the file ends.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { Client } from 'pg'
import { migrate } from '../../src/store/migrate.ts'
import { EmbeddedPostgres } from '../../src/store/postgres.ts'

type Server = { readonly url: string }

let server: Promise<Server> | undefined
let databases = 0

/**
 * The URL of a new database. Without `isEmpty` it has the schema. Careful: call it where `after`
 * may be called, at the top of a file or in a suite or hook, not in an `it`.
 */
export async function newDatabase(options: { readonly isEmpty?: boolean } = {}): Promise<string> {
  server ??= startServer()
  const { url } = await server
  databases += 1
  const name = `test_${databases}`
  await execute(
    url,
    `CREATE DATABASE ${name} TEMPLATE ${options.isEmpty ? 'template0' : 'migrated'}`,
  )
  return databaseUrl(url, name)
}

async function startServer(): Promise<Server> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'zimagine-test-'))
  chmodSync(dataFolder, 0o755) // As root the server runs as another user.
  const postgres = await EmbeddedPostgres.start({ dataFolder, isDurable: false })
  after(async () => {
    await postgres.close()
    rmSync(dataFolder, { recursive: true, force: true })
  })
  await execute(postgres.url, 'CREATE DATABASE migrated')
  await migrate(databaseUrl(postgres.url, 'migrated'))
  return postgres
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new Client(url)
  await client.connect()
  await client.query(sql)
  await client.end()
}

function databaseUrl(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}
