/**
 * What the queue needs of somebody's database transaction: a way to run one statement in it. Prisma
 * has `$queryRawUnsafe`, everyone else brings `executeSql`, so that rows of the store and rows of
 * the queue commit together, and this floor knows no other driver than its own.
 */
import { fromPrisma } from 'pg-boss'

/** One statement with `$1` parameters, its rows as the driver gives them. */
export type Sql = {
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

/** A transaction, or a whole client where none is needed: Prisma's, or anything with `executeSql`. */
export type Transaction =
  Sql | { $queryRawUnsafe<T = unknown>(query: string, ...values: unknown[]): PromiseLike<T> }

/** The one shape behind every kind of transaction. */
export function sqlOf(transaction: Transaction): Sql {
  if ('executeSql' in transaction) return transaction
  return fromPrisma({
    $queryRawUnsafe: async (query, ...values) => transaction.$queryRawUnsafe(query, ...values),
  })
}
