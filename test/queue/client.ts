/** A database as tests look into it: each call on a connection of its own. */
import { Client, type QueryResult } from 'pg'
import type { Sql } from '../../src/queue/transaction.ts'

/** Runs statements on the database of a URL. */
export class TestClient {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  /** Runs one statement. */
  async query(text: string, values: unknown[] = []): Promise<QueryResult<Record<string, unknown>>> {
    return this.#connected((client) => client.query(text, values))
  }

  /** Runs statements in one transaction, rolled back when `act` throws. */
  async transaction<T>(act: (tx: Sql) => Promise<T>): Promise<T> {
    return this.#connected(async (client) => {
      await client.query('BEGIN')
      try {
        const result = await act({ executeSql: (text, values) => client.query(text, values) })
        await client.query('COMMIT')
        return result
      } catch (error) {
        await client.query('ROLLBACK')
        throw error
      }
    })
  }

  /** Ends every other connection to the database whose application's name is like this. */
  async terminate(application: string): Promise<number> {
    const { rowCount } = await this.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE $1`,
      [application],
    )
    return rowCount ?? 0
  }

  async #connected<T>(act: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({ connectionString: this.url })
    await client.connect()
    try {
      return await act(client)
    } finally {
      await client.end()
    }
  }
}
