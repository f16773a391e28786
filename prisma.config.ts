/**
 * Where Prisma's command line finds the schema. It is used to generate, validate and format alone;
 * migrations run by src/store/migrate.ts.
 */
import { defineConfig } from 'prisma/config'

// These three insist on an engine on disk although they run none, and scripts are off, so npm
// installed none. Careful: never for other commands, `migrate deploy` would do nothing and say done.
if (/^(?:generate|validate|format)$/.test(process.argv[2] ?? '')) {
  process.env.PRISMA_SCHEMA_ENGINE_BINARY ??= process.execPath
}

// The command line takes only a default export.
// oxlint-disable-next-line import/no-default-export
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
})
