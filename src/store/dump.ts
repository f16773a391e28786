/**
 * The whole database as text, read in one snapshot while others go on writing, and written back. A
 * row travels as Postgres' own text of it, which any type survives; so both ends must have the same
 * migrations. Not among the rows: unlogged tables, which a crash would empty too, and the queue's
 * dispatches, whose jobs wait again when they are back.
 * Source: PostgreSQL 18, composite types (input and output), DECLARE, SET CONSTRAINTS.
 */
import { Client, escapeIdentifier } from 'pg'
import { UserError } from '../core/errors.ts'
import { asUnreachable } from './unreachable.ts'

/** Where a sequence stands: as text, for it is 64 bits wide. */
export type SequenceState = { readonly value: string; readonly isCalled: boolean }

const rowsAtOnce = 500
const keysAtOnce = 200
const connectLimitMs = 10_000

/** A database at one moment. */
export class Snapshot {
  readonly #client: Client

  private constructor(client: Client) {
    this.#client = client
  }

  /** @throws {UserError} database-unreachable, backup-nothing */
  static async open(databaseUrl: string): Promise<Snapshot> {
    const client = await connect(databaseUrl)
    try {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY')
      if (!(await hasSchema(client))) throw new UserError('backup-nothing', {})
    } catch (error) {
      await client.end()
      throw error
    }
    return new Snapshot(client)
  }

  /** Names of the migrations that made the tables, in their order. */
  async migrations(): Promise<string[]> {
    return readMigrations(this.#client)
  }

  /** Names of the tables that are worth keeping. */
  async tables(): Promise<string[]> {
    return readTables(this.#client)
  }

  /** The rows of a table as text, some at a time. */
  async *rows(table: string): AsyncGenerator<string[], void, undefined> {
    const name = escapeIdentifier(table)
    await this.#client.query(`DECLARE rows CURSOR FOR SELECT t::text AS row FROM public.${name} t`)
    yield* this.#fetch('rows', rowsAtOnce)
    await this.#client.query('CLOSE rows')
  }

  /** Where each sequence stands; at or after all the numbers in the rows. */
  async sequences(): Promise<Record<string, SequenceState>> {
    const { rows } = await this.#client.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class
       WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace ORDER BY 1`,
    )
    const states: Record<string, SequenceState> = {}
    for (const { name } of rows) {
      const read = await this.#client.query<SequenceState>(
        `SELECT last_value::text AS value, is_called AS "isCalled"
         FROM public.${escapeIdentifier(name)}`,
      )
      states[name] = read.rows[0]!
    }
    return states
  }

  /**
   * Keys of all blobs that the rows name, in order, some at a time. Ends the snapshot: to read blobs
   * takes long, and old rows could not be cleared away meanwhile.
   */
  async *blobKeys(): AsyncGenerator<string[], void, undefined> {
    await this.#client.query(
      `DECLARE keys CURSOR WITH HOLD FOR
       SELECT key AS row FROM jobs, unnest(input_keys || result_keys) AS key
       UNION
       SELECT match[1] FROM web_messages,
         regexp_matches(content::text, '([0-9a-f]{64}\\.(?:png|jpg|webp))', 'g') AS match
       ORDER BY 1`,
    )
    await this.#client.query('COMMIT')
    yield* this.#fetch('keys', keysAtOnce)
    await this.#client.query('CLOSE keys')
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    await this.#client.end()
  }

  async *#fetch(cursor: string, count: number): AsyncGenerator<string[], void, undefined> {
    for (;;) {
      const { rows } = await this.#client.query<{ row: string }>(`FETCH ${count} FROM ${cursor}`)
      if (rows.length === 0) return
      yield rows.map(({ row }) => row)
    }
  }
}

/** A database that is being filled: all of it or nothing. */
export class Filling {
  readonly #client: Client

  private constructor(client: Client) {
    this.#client = client
  }

  /**
   * Looks whether a database may be filled: nobody uses it, and it is empty or ours to be emptied.
   *
   * @throws {UserError} database-unreachable, restore-in-use, restore-not-empty
   */
  static async open(
    databaseUrl: string,
    { isForced }: { readonly isForced: boolean },
  ): Promise<Filling> {
    const client = await connect(databaseUrl)
    try {
      const sessions = await othersOn(client)
      if (sessions > 0) throw new UserError('restore-in-use', { sessions })
      const mayEmpty = isForced && (await hasSchema(client))
      if (!mayEmpty && !(await isEmptyOf(client, await readTables(client)))) {
        throw new UserError('restore-not-empty', {})
      }
    } catch (error) {
      await client.end()
      throw error
    }
    return new Filling(client)
  }

  /** Whether the tables are those that the rows came from. @throws {UserError} restore-other-version */
  async requireMigrations(migrations: readonly string[]): Promise<void> {
    if ((await readMigrations(this.#client)).join() === migrations.join()) return
    throw new UserError('restore-other-version', {})
  }

  /** Empties every table. Rows may then come in any order: who belongs to whom is checked at the end. */
  async begin(): Promise<void> {
    await this.#client.query('BEGIN')
    await this.#client.query('DROP SCHEMA IF EXISTS pgboss CASCADE')
    const tables = await readTables(this.#client)
    const names = tables.map((table) => `public.${escapeIdentifier(table)}`)
    await this.#client.query(`TRUNCATE ${names.join(', ')} CASCADE`)
    await this.#alterForeignKeys('DEFERRABLE INITIALLY DEFERRED')
  }

  /** Adds rows to a table as `Snapshot.rows` gave them. */
  async insert(table: string, rows: readonly string[]): Promise<void> {
    const name = `public.${escapeIdentifier(table)}`
    // Careful: without OFFSET 0 each column would read its row's text anew.
    await this.#client.query(
      `INSERT INTO ${name} SELECT (row).*
       FROM (SELECT text::${name} AS row FROM unnest($1::text[]) AS text OFFSET 0) AS read`,
      [rows],
    )
  }

  /** Sets the sequences, lets jobs wait again whose device knows nothing of them, and commits. */
  async finish(sequences: Readonly<Record<string, SequenceState>>): Promise<number> {
    for (const [name, { value, isCalled }] of Object.entries(sequences)) {
      const sequence = `public.${escapeIdentifier(name)}`
      await this.#client.query('SELECT setval($1::regclass, $2, $3)', [sequence, value, isCalled])
    }
    await this.#client.query('SET CONSTRAINTS ALL IMMEDIATE')
    await this.#alterForeignKeys('NOT DEFERRABLE')
    const { rowCount } = await this.#client.query(
      `UPDATE jobs SET state = 'queued' WHERE state IN ('dispatched', 'running')`,
    )
    await this.#client.query('COMMIT')
    return rowCount ?? 0
  }

  /** Ends the connection; what was not finished is undone. */
  async close(): Promise<void> {
    await this.#client.end()
  }

  async #alterForeignKeys(how: string): Promise<void> {
    const { rows } = await this.#client.query<{ table: string; name: string }>(
      `SELECT conrelid::regclass::text AS table, conname AS name FROM pg_constraint
       WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1, 2`,
    )
    for (const { table, name } of rows) {
      // The table's name comes quoted where it must be.
      await this.#client.query(
        `ALTER TABLE ${table} ALTER CONSTRAINT ${escapeIdentifier(name)} ${how}`,
      )
    }
  }
}

async function connect(databaseUrl: string): Promise<Client> {
  const client = new Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: connectLimitMs,
    application_name: 'zimagine-dump',
    keepAlive: true,
  })
  client.on('error', () => {}) // The query under way is rejected too.
  try {
    await client.connect()
  } catch (error) {
    throw asUnreachable(error)
  }
  // Texts of times, numbers and bytes that any server reads as they were meant.
  await client.query(
    `SET datestyle = 'ISO'; SET timezone = 'UTC'; SET intervalstyle = 'postgres';
     SET extra_float_digits = 1; SET bytea_output = 'hex'; SET idle_in_transaction_session_timeout = 0`,
  )
  return client
}

async function hasSchema(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ has: boolean }>(
    `SELECT to_regclass('public._prisma_migrations') IS NOT NULL
       AND to_regclass('public.jobs') IS NOT NULL AS has`,
  )
  return rows[0]!.has
}

async function readMigrations(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT migration_name AS name FROM public._prisma_migrations
     WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY 1`,
  )
  return rows.map(({ name }) => name)
}

async function readTables(client: Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class
     WHERE relkind = 'r' AND relpersistence = 'p' AND relnamespace = 'public'::regnamespace
       AND relname <> '_prisma_migrations' ORDER BY 1`,
  )
  return rows.map(({ name }) => name)
}

async function isEmptyOf(client: Client, tables: readonly string[]): Promise<boolean> {
  for (const table of tables) {
    const { rowCount } = await client.query(
      `SELECT 1 FROM public.${escapeIdentifier(table)} LIMIT 1`,
    )
    if (rowCount !== 0) return false
  }
  return true
}

/** Connections of other processes of ours to this database. */
async function othersOn(client: Client): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid()
       AND application_name LIKE 'zimagine%'`,
  )
  return rows[0]!.count
}
