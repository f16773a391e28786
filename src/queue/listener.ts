/**
 * One connection that LISTENs to one channel of Postgres and comes back by itself when it is lost.
 * NOTIFY keeps nothing for those who were away: after every reconnection the listener is told of a
 * gap, and has to read again from rows whatever it follows.
 * Source: PostgreSQL 18, LISTEN and NOTIFY.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, escapeIdentifier } from 'pg'

const firstWaitMs = 50
const longestWaitMs = 5_000
/** A connection can die without a word (a pulled cable), so it is asked now and then. */
const probeIntervalMs = 10_000
const answerWithinMs = 5_000

/** Who listens: what to do with a payload, after a gap, and with an error that we outlive. */
export type Hearer = {
  readonly hear: (payload: string) => void
  readonly onGap: () => void
  readonly onError: (error: unknown) => void
}

/** A subscription to a channel that survives the loss of its connection. */
export class Listener {
  readonly #databaseUrl: string
  readonly #channel: string
  readonly #hearer: Hearer
  readonly #closing = new AbortController()
  readonly #probe: NodeJS.Timeout
  #client: Client | undefined

  private constructor(databaseUrl: string, channel: string, hearer: Hearer) {
    this.#databaseUrl = databaseUrl
    this.#channel = channel
    this.#hearer = hearer
    this.#probe = setInterval(() => void this.#ask(), probeIntervalMs)
  }

  /**
   * Listens from the moment this resolves.
   *
   * @throws the driver's error when the first connection fails; later ones are tried for ever
   */
  static async open(databaseUrl: string, channel: string, hearer: Hearer): Promise<Listener> {
    const listener = new Listener(databaseUrl, channel, hearer)
    try {
      await listener.#connect()
    } catch (error) {
      await listener.close()
      throw error
    }
    return listener
  }

  /** Ends the connection; nothing is heard afterwards. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearInterval(this.#probe)
    const client = this.#client
    this.#client = undefined
    await client?.end()
  }

  async #connect(): Promise<void> {
    const client = new Client({
      connectionString: this.#databaseUrl,
      application_name: 'zimagine-listener',
      connectionTimeoutMillis: answerWithinMs,
      query_timeout: answerWithinMs,
      keepAlive: true,
    })
    client.on('error', () => this.#lose(client))
    client.on('end', () => this.#lose(client))
    client.on('notification', ({ payload }) => this.#hear(payload ?? ''))
    try {
      await client.connect()
      await client.query(`LISTEN ${escapeIdentifier(this.#channel)}`)
    } catch (error) {
      void client.end().catch(() => undefined)
      throw error
    }
    if (this.#closing.signal.aborted) await client.end()
    else this.#client = client
  }

  /** Careful: both `error` and `end` announce one loss, and a replaced client may still speak. */
  #lose(client: Client): void {
    if (client !== this.#client) return
    this.#client = undefined
    void client.end().catch(() => undefined)
    void this.#reconnect()
  }

  async #reconnect(): Promise<void> {
    const { signal } = this.#closing
    for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
      await sleep(waitMs, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      try {
        await this.#connect()
        break
      } catch (error) {
        this.#hearer.onError(error)
      }
    }
    if (!signal.aborted) this.#guard(this.#hearer.onGap)
  }

  async #ask(): Promise<void> {
    const client = this.#client
    try {
      await client?.query('SELECT 1')
    } catch {
      if (client) this.#lose(client)
    }
  }

  #hear(payload: string): void {
    if (!this.#closing.signal.aborted) this.#guard(() => this.#hearer.hear(payload))
  }

  /** One bad hearer must not end the connection that all depend on. */
  #guard(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#hearer.onError(error)
    }
  }
}
