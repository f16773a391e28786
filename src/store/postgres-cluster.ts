/**
 * A Postgres cluster in a folder of ours and the server process on it: made, started, found again,
 * stopped. Nothing here holds a connection. Layout of `DATA_DIR/postgres/`: `cluster/` (the
 * database's own, by the user who runs it), `socket/`, `password` and `postgres.log` (ours: a
 * server that was taken over could otherwise lead a root process to any file by a link).
 *
 * Locale: Postgres' built-in C.UTF-8. It knows upper and lower case of every script, and no update
 * of a system library can change its order under an index, as happens with libc and ICU.
 */
import { execFile, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, chownSync, closeSync, openSync } from 'node:fs'
import { once } from 'node:events'
import {
  copyFile,
  mkdir,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { promisify } from 'node:util'
import { syncFolder, writeDurably } from './durable-file.ts'
import { type Programs, type SystemUser, hasCode } from './postgres-programs.ts'

/** A folder with a cluster, the programs for it, and who runs them. */
export type Cluster = {
  readonly folder: string
  readonly programs: Programs
  readonly user: SystemUser
  /** Whether a commit waits for the disk; only tests go without. */
  readonly isDurable: boolean
}

/** Where a server listens: a folder with a socket, or an address; the port names the socket too. */
export type Address = { readonly host: string; readonly port: number }

/** A server found by its `postmaster.pid`. */
export type RunningServer = {
  readonly pid: number
  readonly address: Address
  readonly isReady: boolean
}

/** How a server's process ended: the last lines it logged. */
export type ServerEnd = { readonly reason: string }

/** The superuser, which only this room uses. */
export const superuser = 'postgres'

const execute = promisify(execFile)
const logLimitBytes = 10 * 2 ** 20
/** macOS has the shortest limit, 104 bytes with the closing zero. */
const socketPathLimitBytes = 100

/** Folder of the database proper. */
export const clusterFolder = (folder: string): string => join(folder, 'cluster')

/** File with the server's messages; `postgres.log.1` holds the ones before. */
export const logFile = (folder: string): string => join(folder, 'postgres.log')

/** Makes the cluster unless there is one. Whole or not at all: built beside its place, renamed. */
export async function createCluster(cluster: Cluster): Promise<void> {
  const { folder, programs, user, isDurable } = cluster
  if (await isFolder(folder)) return
  const draft = `${folder}.${randomUUID()}.draft`
  const passwordFile = join(draft, 'socket', 'password')
  try {
    await mkdir(draft, { mode: 0o700 })
    chmodSync(draft, user === undefined ? 0o700 : 0o711)
    for (const name of ['cluster', 'socket']) await mkdir(join(draft, name), { mode: 0o700 })
    const password = randomBytes(24).toString('base64url')
    await writeDurably(join(draft, 'password'), password)
    await writeFile(passwordFile, password, { mode: 0o600 })
    for (const path of [passwordFile, clusterFolder(draft), join(draft, 'socket')]) {
      if (user !== undefined) chownSync(path, user.uid, user.gid)
    }
    const settings = {
      pgdata: clusterFolder(draft),
      username: superuser,
      pwfile: passwordFile,
      auth: 'scram-sha-256',
      encoding: 'UTF8',
      locale: 'C',
      'locale-provider': 'builtin',
      'builtin-locale': 'C.UTF-8',
    }
    const options = Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
    if (!isDurable) options.push('--no-sync')
    await execute(join(programs.folder, 'bin', 'initdb'), options, {
      cwd: clusterFolder(draft), // Ours may be closed to that user.
      env: serverEnvironment,
      ...user,
    })
    await rm(passwordFile)
    await syncFolder(draft)
    await rename(draft, folder)
    await syncFolder(dirname(folder))
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (!(await isFolder(folder))) throw error // Otherwise another start was faster.
  }
}

/** Removes what starts that were killed half-way left beside the cluster. */
export async function removeDrafts(folder: string): Promise<void> {
  const above = dirname(folder)
  const drafts = (await readdir(above)).filter((name) => /^postgres.*\.draft$/.test(name))
  for (const name of drafts) {
    // One that another start is still filling cannot be removed now; that start sees to it itself.
    await rm(join(above, name), { recursive: true, force: true }).catch(() => {})
  }
}

/** Reads the password that all our roles share. */
export async function readPassword(folder: string): Promise<string> {
  return readFile(join(folder, 'password'), 'utf8')
}

/** The major version of Postgres that made the cluster. */
export async function clusterVersion(folder: string): Promise<string> {
  return (await readFile(join(clusterFolder(folder), 'PG_VERSION'), 'utf8')).trim()
}

/** Where a new server should listen: a socket where its path is short enough, else loopback. */
export async function chooseAddress(folder: string): Promise<Address> {
  const address = { host: join(folder, 'socket'), port: 5432 }
  const hasSockets = process.platform !== 'win32'
  const isShort = Buffer.byteLength(join(address.host, '.s.PGSQL.5432')) < socketPathLimitBytes
  return hasSockets && isShort ? address : { host: '127.0.0.1', port: await freePort() }
}

/**
 * Starts a server; it is a process of its own that outlives us if we are killed. `end` resolves
 * when the process is gone.
 */
export async function startServer(
  { folder, programs, user, isDurable }: Cluster,
  { host, port }: Address,
): Promise<{ end: Promise<ServerEnd> }> {
  const isSocket = host.startsWith('/')
  const settings = {
    port,
    listen_addresses: isSocket ? '' : host,
    // Careful: a list; quotes keep a comma or a space in a path together.
    unix_socket_directories: isSocket ? `"${host.replaceAll('"', '""')}"` : '',
    unix_socket_permissions: '0700',
    max_connections: 60,
    shared_buffers: '32MB',
    max_wal_size: '256MB',
    // Parallel queries need /dev/shm, which containers keep at 64 MB; ours are all small.
    max_parallel_workers_per_gather: 0,
    jit: 'off',
    log_line_prefix: '%m [%p] ',
    ...(isDurable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  await rotateLog(folder)
  const log = openSync(logFile(folder), 'a', 0o600)
  try {
    const { size: logStart } = await stat(logFile(folder))
    const server = spawn(
      join(programs.folder, 'bin', 'postgres'),
      ['-D', clusterFolder(folder), ...options],
      {
        cwd: clusterFolder(folder),
        env: serverEnvironment,
        // A group of its own: Ctrl+C in a terminal must not stop the database before we did.
        detached: true,
        stdio: ['ignore', log, log],
        ...user,
      },
    )
    server.unref()
    const end = new Promise<ServerEnd>((resolve) => {
      server.once('error', (error) => resolve({ reason: error.message }))
      server.once('exit', () => void logSince(folder, logStart).then(resolve))
    })
    return { end }
  } finally {
    closeSync(log)
  }
}

/** The server that runs on the cluster, ours or one that we left behind; undefined if none does. */
export async function findServer(folder: string): Promise<RunningServer | undefined> {
  let text: string
  try {
    text = await readFile(pidFile(folder), 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
  // Lines: pid, folder, start time, port, socket folder, listen address, shared memory, status.
  const [pid, , , port, socketFolder, host, , status] = text.split('\n').map((line) => line.trim())
  if (!(await isServer(Number(pid)))) return undefined
  const address = { host: socketFolder || host || '127.0.0.1', port: Number(port) }
  return { pid: Number(pid), address, isReady: status === 'ready' }
}

/**
 * Removes the lock files of a server that is gone. Postgres would take a process that got its number
 * later for a server, as after a restart of a container. Should children of it still run, the new
 * server sees the shared memory they hold and refuses.
 */
export async function removeStaleLocks(folder: string): Promise<void> {
  if ((await findServer(folder)) !== undefined) return
  await rm(pidFile(folder), { force: true })
  await rm(join(folder, 'socket', '.s.PGSQL.5432.lock'), { force: true })
}

/** Stops the server: commits are safe, open transactions roll back, connections are closed. */
export async function stopServer(folder: string, limitMs: number): Promise<void> {
  const server = await findServer(folder)
  if (server === undefined) return
  // What each asks for: fast shutdown, immediate shutdown (the next start recovers), no more words.
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    signalServer(server.pid, signal)
    const giveUpAtMs = performance.now() + limitMs
    while (performance.now() < giveUpAtMs) {
      if ((await findServer(folder))?.pid !== server.pid) return exited(server.pid)
      await setTimeout(20)
    }
  }
}

/** Waits a moment for a process that removes its pid file as the last thing it does. */
async function exited(pid: number): Promise<void> {
  // Careful: not for ever, for an orphan that nobody reaps is never gone.
  for (let tries = 0; tries < 50; tries++) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await setTimeout(20)
  }
}

/** Sends a signal to a server that may be gone by now. */
export function signalServer(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error
  }
}

/** Keeps the log bounded. Careful: a server appends to the open file, so it is copied and emptied. */
export async function rotateLog(folder: string): Promise<void> {
  const file = logFile(folder)
  const { size } = await stat(file).catch(() => ({ size: 0 }))
  if (size <= logLimitBytes) return
  await copyFile(file, `${file}.1`)
  await truncate(file)
}

/** What the server is told of our environment: nothing, it has no need of tokens. */
const serverEnvironment = { LC_ALL: 'C', TZ: 'UTC' }

const pidFile = (folder: string): string => join(clusterFolder(folder), 'postmaster.pid')

/** Whether a process is a Postgres, not one that got its number later, nor its unreaped rest. */
async function isServer(pid: number): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false
  if (process.platform === 'linux') {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    return /(?:^|\/)postgres$/.test(command.split('\0')[0]!)
  }
  if (process.platform === 'darwin') {
    const found = await execute('ps', ['-o', 'comm=', '-p', `${pid}`]).catch(() => ({ stdout: '' }))
    return /(?:^|\/)postgres$/.test(found.stdout.trim())
  }
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return !hasCode(error, 'ESRCH')
  }
}

async function logSince(folder: string, start: number): Promise<ServerEnd> {
  const text = await readFile(logFile(folder)).catch(() => Buffer.alloc(0))
  const lines = text.subarray(start).toString('utf8').trim().split('\n')
  const told = lines.filter((line) => /FATAL|PANIC|ERROR/.test(line))
  return { reason: (told.length > 0 ? told : lines).slice(-3).join(' ') || 'no message' }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (address === null || typeof address === 'string') throw new Error('internal: not a TCP port')
  return address.port
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
