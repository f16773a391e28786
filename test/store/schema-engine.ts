/**
 * Prisma's own engine (WebAssembly) for tests that hold our migrations and our runner against it:
 * over a database in memory, or over a real one.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'
import { PrismaPg } from '@prisma/adapter-pg'
import { SchemaEngine } from '@prisma/schema-engine-wasm'
import { PrismaPGlite } from 'pglite-prisma-adapter'
import { migrationsFolder } from '../../src/store/migrate.ts'

const schemaFile = fileURLToPath(new URL('../../prisma/schema.prisma', import.meta.url))
const schema = { path: 'schema.prisma', content: readFileSync(schemaFile, 'utf8') }
const filters = { externalTables: [], externalEnums: [] }

// The adapters' own dependency: it makes their errors into answers, as the engine wants them.
const fromAdapter = createRequire(createRequire(import.meta.url).resolve('@prisma/adapter-pg'))
const { bindMigrationAwareSqlAdapterFactory: bound } = fromAdapter(
  '@prisma/driver-adapter-utils',
) as { bindMigrationAwareSqlAdapterFactory: (factory: object) => object }

function migrationList() {
  const names = readdirSync(migrationsFolder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted()
  return {
    baseDir: migrationsFolder,
    lockfile: {
      path: 'migration_lock.toml',
      content: readFileSync(join(migrationsFolder, 'migration_lock.toml'), 'utf8'),
    },
    shadowDbInitScript: '',
    migrationDirectories: names.map((path) => ({
      path,
      migrationFile: {
        path: 'migration.sql',
        content: {
          tag: 'ok' as const,
          value: readFileSync(join(migrationsFolder, path, 'migration.sql'), 'utf8'),
        },
      },
    })),
  }
}

let inMemory: Promise<{ engine: SchemaEngine; database: PGlite }> | undefined

async function openInMemory() {
  const database = new PGlite()
  const adapter = bound(new PrismaPGlite(database))
  const engine = await SchemaEngine.new(
    { datamodels: [[schema.path, schema.content]] },
    () => {},
    adapter,
  )
  return { engine, database }
}

/** The SQL that leads from the migrations to the schema; empty but for a comment if they agree. */
export async function difference(content: string = schema.content): Promise<string> {
  inMemory ??= openInMemory()
  const { engine } = await inMemory
  const { stdout } = await engine.diff({
    from: { tag: 'migrations', ...migrationList() },
    to: { tag: 'schemaDatamodel', files: [{ path: schema.path, content }] },
    script: true,
    exitCode: null,
    filters,
  })
  return stdout ?? ''
}

/** Closes the database in memory. */
export async function closeInMemory(): Promise<void> {
  await (await inMemory)?.database.close()
}

/** What `prisma migrate status` would find out about a database. */
export async function diagnosis(url: string) {
  const engine = await SchemaEngine.new(
    { datamodels: [[schema.path, schema.content]] },
    () => {},
    bound(new PrismaPg(url)),
  )
  return engine.diagnoseMigrationHistory({
    migrationsList: migrationList(),
    optInToShadowDatabase: false,
    filters,
  })
}

/** The schema as it is written. */
export const schemaText = schema.content
