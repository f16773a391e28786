/**
 * A lock that one process of all on a database holds, on a connection of its own: Postgres lets go
 * of it when that connection ends, however it ends. A holder that is frozen or cut off says nothing
 * for some seconds and is then disconnected by the server, so that nobody waits for it.
 * Source: PostgreSQL 18, advisory locks; `idle_session_timeout`.
 */
import { Client } from 'pg'

/** The server ends the session of a holder that was silent for so long. */
const silenceLimitMs = 6_000
const probeIntervalMs = 1_000
/** With the probe's interval well below the server's limit: a holder stops before it is replaced. */
const answerWithinMs = 3_000

/** A lock that is held. */
export class AdvisoryLock {
  readonly #client: Client
  readonly #losing = new AbortController()
  readonly #probe: NodeJS.Timeout

  private constructor(client: Client) {
    this.#client = client
    client.on('error', () => this.#lose())
    client.on('end', () => this.#lose())
    this.#probe = setInterval(() => {
      client.query('SELECT 1').catch(() => this.#lose())
    }, probeIntervalMs)
  }

  /**
   * Takes the lock if it is free.
   *
   * @returns undefined if another connection holds it
   * @throws the driver's error when the database cannot be reached
   */
  static async take(databaseUrl: string, key: bigint): Promise<AdvisoryLock | undefined> {
    const client = new Client({
      connectionString: databaseUrl,
      application_name: 'zimagine-lock',
      connectionTimeoutMillis: answerWithinMs,
      query_timeout: answerWithinMs,
      keepAlive: true,
    })
    // Careful: an emitter without a listener for `error` throws.
    client.on('error', () => undefined)
    try {
      await client.connect()
      await client.query(`SET idle_session_timeout = ${silenceLimitMs}`)
      const { rows } = await client.query<{ held: boolean }>(
        'SELECT pg_try_advisory_lock($1::bigint) AS held',
        [String(key)],
      )
      if (rows[0]?.held === true) return new AdvisoryLock(client)
    } catch (error) {
      await client.end().catch(() => undefined)
      throw error
    }
    await client.end()
    return undefined
  }

  /** Aborted when the lock is lost or released. */
  get lost(): AbortSignal {
    return this.#losing.signal
  }

  /** Lets go, by ending the connection. */
  async release(): Promise<void> {
    this.#lose()
    await this.#client.end().catch(() => undefined)
  }

  #lose(): void {
    clearInterval(this.#probe)
    if (this.#losing.signal.aborted) return
    this.#losing.abort(new Error('the lock is lost'))
    // Half a connection would keep the lock from everyone.
    void this.#client.end().catch(() => undefined)
  }
}
