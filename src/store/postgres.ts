/**
 * The embedded Postgres: a real server in the data folder for whoever set no `DATABASE_URL`. It is
 * started, or taken over if one of ours still runs after we were killed, kept alive while we live
 * and stopped with us. One process owns it: by an advisory lock on a connection of its own, which
 * ends with the process however it ends, so there is no lock file to go stale.
 */
import { mkdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Client } from 'pg'
import { UserError } from '../core/errors.ts'
import {
  type Address,
  type Cluster,
  type ServerEnd,
  chooseAddress,
  clusterFolder,
  clusterVersion,
  createCluster,
  findServer,
  logFile,
  readPassword,
  removeDrafts,
  removeStaleLocks,
  rotateLog,
  signalServer,
  startServer,
  stopServer,
  superuser,
} from './postgres-cluster.ts'
import {
  type SystemUser,
  closedFolder,
  findPrograms,
  hasCode,
  nobody,
} from './postgres-programs.ts'

/** How to start. */
export type EmbeddedPostgresOptions = {
  /** The data folder; made when missing. Ours in it: `postgres/`, and maybe `postgres-VERSION/`. */
  readonly dataFolder: string
  /** Hears what happens to the server while it is kept alive. */
  readonly log?: (message: string) => void
  /** Whether commits wait for the disk (the default); only tests go without. */
  readonly isDurable?: boolean
}

/** The role and the database of everyone but this file. Tests need the right to make databases. */
const role = 'zimagine'
/** Any number that no one else locks in the database `postgres`. */
const ownerLock = 518_034_211
/** A crash of the machine under load can mean minutes of recovery. */
const startLimitMs = 180_000
const connectLimitMs = 5_000
const lockLimitMs = 2_000
const stopLimitMs = 10_000
const pollMs = 20
const rotateEveryMs = 3_600_000
const retryAtMostEveryMs = 5_000

/** A server that runs and whose lock we hold by the connection `owner`. */
type Owned = { readonly owner: Client; readonly address: Address; readonly pid: number }

/** A running embedded Postgres. */
export class EmbeddedPostgres {
  /** Where to connect, the same for as long as we live. Holds the password: never log it. */
  readonly url: string
  readonly #cluster: Cluster
  readonly #password: string
  readonly #log: (message: string) => void
  readonly #closing = new AbortController()
  readonly #rotation: NodeJS.Timeout
  readonly #stopAtExit: () => void
  #owned: Owned
  #recovery: Promise<void> | undefined
  #closed: Promise<void> | undefined

  private constructor(
    cluster: Cluster,
    password: string,
    owned: Owned,
    log: (message: string) => void,
  ) {
    this.#cluster = cluster
    this.#password = password
    this.#owned = owned
    this.#log = log
    this.url = urlOf(owned.address, password)
    this.#rotation = setInterval(() => {
      rotateLog(cluster.folder).catch((error: unknown) => log(reasonOf(error)))
    }, rotateEveryMs).unref()
    this.#stopAtExit = () => signalServer(this.#owned.pid, 'SIGINT')
    process.once('exit', this.#stopAtExit)
    this.#keepAlive()
  }

  /**
   * Starts the server of a data folder, making its database on the first start.
   * @throws {UserError} data-folder-closed, data-folder-in-use, data-folder-unusable, disk-full,
   *   database-unsupported, database-version, database-start-failed
   */
  static async start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
    const dataFolder = resolve(options.dataFolder)
    const folder = join(dataFolder, 'postgres')
    try {
      await mkdir(dataFolder, { recursive: true })
      const user = await serverUser(folder)
      const closed = await closedFolder(dataFolder, user)
      if (closed !== undefined) {
        throw new UserError('data-folder-closed', { folder: dataFolder, closed })
      }
      const programs = await findPrograms(dataFolder, user)
      const cluster = { folder, programs, user, isDurable: options.isDurable ?? true }
      await createCluster(cluster)
      const [expected, got] = [programs.majorVersion, await clusterVersion(folder)]
      if (got !== expected) {
        throw new UserError('database-version', { folder: dataFolder, expected, got })
      }
      const password = await readPassword(folder)
      const owned = await own(cluster, password, () => chooseAddress(folder))
      try {
        await removeDrafts(folder)
        await createDatabase(owned.owner, password)
      } catch (error) {
        await stopServer(folder, stopLimitMs)
        throw error
      }
      return new EmbeddedPostgres(cluster, password, owned, options.log ?? (() => {}))
    } catch (error) {
      throw asUserError(error, dataFolder)
    }
  }

  /** Stops the server, also one that we took over. Commits are safe, connections are closed. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#closing.abort()
    clearInterval(this.#rotation)
    await this.#recovery
    // Our lock goes last: until the server is gone no one else may own it.
    await stopServer(this.#cluster.folder, stopLimitMs)
    await this.#owned.owner.end().catch(() => {})
    process.off('exit', this.#stopAtExit)
  }

  /** The connection ends when the server does, whichever way, be the process our child or not. */
  #keepAlive(): void {
    this.#owned.owner.once('end', () => {
      if (!this.#closing.signal.aborted) this.#recovery = this.#recover()
    })
  }

  async #recover(): Promise<void> {
    const { signal } = this.#closing
    const { address } = this.#owned
    for (let waitMs = 100; !signal.aborted; waitMs = Math.min(2 * waitMs, retryAtMostEveryMs)) {
      try {
        this.#log('the database stopped; starting it again')
        this.#owned = await own(this.#cluster, this.#password, () => address, signal)
        this.#keepAlive()
        this.#log('the database is back')
        return
      } catch (error) {
        if (!signal.aborted) this.#log(`the database does not start: ${reasonOf(error)}`)
        await setTimeout(waitMs, undefined, { signal }).catch(() => {})
      }
    }
  }
}

/**
 * Where the server answers that some process runs on a data folder now; undefined if none does. For
 * whoever wants to read along, and neither keeps it alive nor stops it.
 */
export async function findEmbedded(dataFolder: string): Promise<string | undefined> {
  const folder = join(resolve(dataFolder), 'postgres')
  const running = await findServer(folder)
  if (running?.isReady !== true) return undefined
  return urlOf(running.address, await readPassword(folder))
}

/** Whether a data folder holds a database, running or not. */
export async function hasEmbedded(dataFolder: string): Promise<boolean> {
  return stat(clusterFolder(join(resolve(dataFolder), 'postgres'))).then(
    () => true,
    () => false,
  )
}

/**
 * Finds the server or starts it, and takes its lock. Two who start at once meet here: one server
 * comes up, one of them gets the lock.
 */
async function own(
  cluster: Cluster,
  password: string,
  chooseNewAddress: () => Address | Promise<Address>,
  signal?: AbortSignal,
): Promise<Owned> {
  const { folder } = cluster
  const giveUpAtMs = performance.now() + startLimitMs
  let started: { end?: ServerEnd } | undefined
  try {
    while (performance.now() < giveUpAtMs) {
      signal?.throwIfAborted()
      const running = await findServer(folder)
      if (running?.isReady) {
        const owner = await connectAsOwner(running.address, password)
        if (owner === 'taken') {
          started = undefined
          throw new UserError('data-folder-in-use', { folder: resolve(folder, '..') })
        }
        if (owner !== undefined) return { owner, ...running }
      }
      if (running === undefined && (started === undefined || started.end !== undefined)) {
        const reason = started?.end?.reason
        if (reason !== undefined && !passingReason.test(reason)) throw startFailed(folder, reason)
        await removeStaleLocks(folder)
        const server: typeof started = {}
        const { end } = await startServer(cluster, await chooseNewAddress())
        void end.then((how) => (server.end = how))
        started = server
      }
      await setTimeout(pollMs)
    }
    throw startFailed(folder, `no answer in ${startLimitMs / 1000} s`)
  } catch (error) {
    if (started !== undefined) await stopServer(folder, stopLimitMs)
    throw error
  }
}

/**
 * Ends of a server that are no reason to give up: another one was faster, the children of a killed
 * one are still on their way out, or someone took the port that was free a moment ago.
 */
const passingReason =
  /lock file .* already exists|shared memory block .* in use|Address already in use/

/** A connection that holds the lock; `taken` if another process does, undefined to try again. */
async function connectAsOwner(
  address: Address,
  password: string,
): Promise<Client | 'taken' | undefined> {
  const owner = new Client({
    ...address,
    user: superuser,
    password,
    database: 'postgres',
    application_name: 'zimagine owner',
    connectionTimeoutMillis: connectLimitMs,
  })
  owner.on('error', () => {}) // Followed by `end`, which is listened to.
  try {
    await owner.connect()
    const giveUpAtMs = performance.now() + lockLimitMs
    // The server needs a moment to notice that an owner was killed.
    while (performance.now() < giveUpAtMs) {
      const { rows } = await owner.query<{ isOurs: boolean }>(
        'SELECT pg_try_advisory_lock($1) AS "isOurs"',
        [ownerLock],
      )
      if (rows[0]?.isOurs) return owner
      await setTimeout(pollMs)
    }
  } catch (error) {
    await owner.end().catch(() => {})
    if (hasCode(error, '28P01', '28000', 'EACCES')) throw error // A password or user that is wrong.
    return undefined // It is starting, stopping or was stopped a moment ago.
  }
  await owner.end()
  return 'taken'
}

async function createDatabase(owner: Client, password: string): Promise<void> {
  const roles = await owner.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role])
  if (roles.rowCount === 0) {
    const literal = owner.escapeLiteral(password)
    await owner.query(`CREATE ROLE ${role} LOGIN CREATEDB PASSWORD ${literal}`)
  }
  const databases = await owner.query('SELECT 1 FROM pg_database WHERE datname = $1', [role])
  if (databases.rowCount === 0) await owner.query(`CREATE DATABASE ${role} OWNER ${role}`)
}

/** Postgres refuses root: then whoever owns the cluster runs it, `nobody` on the first start. */
async function serverUser(folder: string): Promise<SystemUser> {
  if (process.getuid?.() !== 0) return undefined
  const owner = await stat(clusterFolder(folder)).catch(() => undefined)
  return owner === undefined || owner.uid === 0 ? nobody : { uid: owner.uid, gid: owner.gid }
}

function urlOf({ host, port }: Address, password: string): string {
  return host.startsWith('/')
    ? `postgresql://${role}:${password}@localhost:${port}/${role}?host=${encodeURIComponent(host)}`
    : `postgresql://${role}:${password}@${host}:${port}/${role}`
}

function startFailed(folder: string, reason: string): UserError {
  return new UserError('database-start-failed', { reason, log: logFile(folder) })
}

/** What the world's error means for the data folder; ours pass. */
function asUserError(error: unknown, folder: string): unknown {
  const reason = reasonOf(error)
  if (hasCode(error, 'ENOSPC', '53100') || reason.includes('No space left on device')) {
    return new UserError('disk-full', { folder }, { cause: error })
  }
  if (error instanceof UserError) return error
  if (hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST')) {
    return new UserError(
      'data-folder-unusable',
      { folder, reason: codeOf(error) },
      { cause: error },
    )
  }
  const log = logFile(join(folder, 'postgres'))
  return new UserError('database-start-failed', { reason, log }, { cause: error })
}

/** What a program said went wrong, else the message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const said = 'stderr' in error ? String(error.stderr).trim().split('\n') : []
  return said.find((line) => /FATAL|PANIC|error/.test(line)) ?? said.at(-1) ?? error.message
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
