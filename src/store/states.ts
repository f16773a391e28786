/**
 * Small things that processes tell each other and their successors by name: one row each, a JSON
 * value that whoever reads it checks. The newest writer wins.
 */
import type { z } from 'zod'
import type { Prisma } from './generated/client.ts'
import type { Database, Transaction } from './prisma.ts'

/** Keeps a value under a name, in place of the one before. */
export async function writeState(
  database: Database | Transaction,
  name: string,
  value: Prisma.InputJsonValue,
): Promise<void> {
  // Careful: Prisma's own `upsert` would keep this process busy with each part of a large value.
  await database.$executeRaw`
    INSERT INTO states (name, value, updated_at)
    VALUES (${name}, ${JSON.stringify(value)}::jsonb, ${new Date()})
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at`
}

/** Keeps a value under a name unless there is one, and gives back the one that is kept. */
export async function ensureState(
  database: Database,
  name: string,
  value: Prisma.InputJsonValue,
): Promise<unknown> {
  await database.state.createMany({ data: [{ name, value }], skipDuplicates: true })
  return (await database.state.findUniqueOrThrow({ where: { name } })).value
}

/** The value under a name, and since when; none if there is none, or none that `schema` knows. */
export async function readState<Value>(
  database: Database | Transaction,
  name: string,
  schema: z.ZodType<Value>,
): Promise<{ readonly value: Value; readonly updatedAtMs: number } | undefined> {
  const row = await database.state.findUnique({ where: { name } })
  const read = schema.safeParse(row?.value)
  if (!row || !read.success) return undefined
  return { value: read.data, updatedAtMs: row.updatedAt.getTime() }
}

/** Every value whose name begins so, with the rest of its name. */
export async function readStates<Value>(
  database: Database | Transaction,
  prefix: string,
  schema: z.ZodType<Value>,
): Promise<{ readonly name: string; readonly value: Value; readonly updatedAtMs: number }[]> {
  const rows = await database.state.findMany({
    where: { name: { startsWith: prefix } },
    orderBy: { name: 'asc' },
  })
  return rows.flatMap(({ name, value, updatedAt }) => {
    const read = schema.safeParse(value)
    if (!read.success) return []
    return [{ name: name.slice(prefix.length), value: read.data, updatedAtMs: updatedAt.getTime() }]
  })
}

/** Forgets a value. */
export async function forgetState(database: Database | Transaction, name: string): Promise<void> {
  await database.state.deleteMany({ where: { name } })
}
