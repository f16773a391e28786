/**
 * The database's client: Prisma over the `pg` driver, on the embedded server and any other alike.
 * It connects when first asked, and again when the server was away.
 */
import { setTimeout } from 'node:timers/promises'
import { PrismaPg } from '@prisma/adapter-pg'
import { Prisma, PrismaClient } from './generated/client.ts'

/** Everything that is stored, by model; `$transaction` and raw SQL too. */
export type Database = PrismaClient

/** What a transaction sees and changes. */
export type Transaction = Prisma.TransactionClient

/** How many connections one process holds at most; the embedded server gives 60 to all. */
const mostConnections = 10
const connectLimitMs = 10_000
const transactionLimitMs = 15_000
const attempts = 5

/** Opens the client of a database that `migrate` has brought up to date. */
export function openDatabase(url: string, connections: number = mostConnections): Database {
  const adapter = new PrismaPg({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: connectLimitMs,
    application_name: 'zimagine',
  })
  return new PrismaClient({
    adapter,
    transactionOptions: { maxWait: connectLimitMs, timeout: transactionLimitMs },
  })
}

/**
 * Runs `work` in one transaction: all of it or nothing. Two that lock the same rows in another order
 * stop each other; the one that Postgres ends is run again, so `work` must only touch `transaction`.
 * Careful: the outer client would wait for a connection that this transaction holds.
 */
export async function inTransaction<Result>(
  database: Database,
  work: (transaction: Transaction) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await database.$transaction(work)
    } catch (error) {
      if (attempt === attempts || !isConflict(error)) throw error
      await setTimeout(Math.random() * 20 * attempt)
    }
  }
}

/** Whether Postgres ended a transaction only for the sake of another one. */
function isConflict(error: unknown): boolean {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError)) return false
  return error.code === 'P2034' || /\b40(?:P01|001)\b/.test(error.message)
}

/** Whether a row was refused because another one has the same key. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2002'
}

/** Whether a row was refused because the one that it belongs to is gone. */
export function isOrphan(error: unknown): boolean {
  return error instanceof Prisma.PrismaClientKnownRequestError && error.code === 'P2003'
}

/** Whether the database cannot answer now, but may in a moment: away, starting, full of others. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Prisma.PrismaClientKnownRequestError)) return false
  return /^P(?:1\d{3}|2024|2028|2037)$/.test(error.code) || awayCodes.test(error.message)
}

/** Classes of SQLSTATE: connections, resources, an operator's hand. */
const awayCodes = /\b(?:08|53|57P)[0-9A-Z]{2,3}\b/

/** Closes all connections. */
export async function closeDatabase(database: Database): Promise<void> {
  await database.$disconnect()
}
