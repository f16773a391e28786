/**
 * A house of one part of the soak: a data folder of its own under the system's temporary folder, and
 * the processes that work in it, started as `npm start`, `npm run bot` and `npm run worker` start
 * them. They stand in that folder, so that no `.env` of whoever runs the soak reaches them. However
 * the soak ends, they end, and the folder goes.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { processesIn, runnerOf, serverIn, signalTo, until } from './processes.ts'

/** What a process is started as. */
export type Role = 'start' | 'bot' | 'worker'

const root = fileURLToPath(new URL('../..', import.meta.url))
/** What every process of Node needs, and nothing else of our own environment. */
const passedOn = ['PATH', 'HOME', 'TMPDIR']
const packageFile = z.object({ scripts: z.object({ start: z.string() }) })
/** Lines of a process that are kept, for when it fails. */
const keptLines = 40

const open = new Set<House>()
process.on('exit', () => {
  for (const house of open) house.abandon()
})
for (const [signal, exitCode] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
  process.on(signal, () => process.exit(exitCode))
}

/** One process of a house. */
export class HouseProcess {
  readonly role: Role
  readonly child: ChildProcess
  /** Where the page is, once it is ready; a worker has none. */
  url = ''
  readonly #exited: Promise<unknown>
  readonly #folder: string
  readonly #said: string[] = []

  constructor(role: Role, child: ChildProcess, folder: string) {
    this.role = role
    this.child = child
    this.#folder = folder
    this.#exited = once(child, 'exit')
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** What it said last. */
  get said(): string {
    return this.#said.join('\n')
  }

  /** The process of its model, if it holds one now. */
  get runner(): number | undefined {
    return runnerOf(this.pid, this.#folder)
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** Waits until it says that it is ready. @throws when it ends instead */
  async ready(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const hear = (line: string): void => {
      this.#said.push(line)
      if (this.#said.length > keptLines) this.#said.shift()
      if (!line.startsWith('Zimagine')) return
      this.url = /https?:\/\/[^\s/]+/.exec(line)?.[0] ?? ''
      resolve()
    }
    for (const stream of [this.child.stdout, this.child.stderr]) {
      if (stream) createInterface(stream).on('line', hear)
    }
    const end = (): void => reject(new Error(`${this.role} ended at its start:\n${this.said}`))
    this.child.once('exit', end)
    await promise
    this.child.off('exit', end)
  }

  /** Ends it without a word. */
  async kill(): Promise<void> {
    signalTo(this.pid, 'SIGKILL')
    await this.#exited
  }

  /** Ends it in good order. @returns its exit code */
  async stop(): Promise<number | null> {
    signalTo(this.pid, 'SIGTERM')
    await this.#exited
    return this.child.exitCode
  }
}

/** A data folder and whoever works in it. */
export class House {
  /** Everything of this house is in here. */
  readonly folder: string
  readonly settings: Readonly<Record<string, string>>
  readonly #processes = new Set<HouseProcess>()

  /** A house in a new folder, all of whose processes get these settings. */
  constructor(settings: Readonly<Record<string, string>> = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'zimagine-soak-'))
    chmodSync(this.folder, 0o711) // As root, the database runs as another user.
    this.settings = { DATA_DIR: this.folder, PORT: '0', LOG_LEVEL: 'error', ...settings }
    open.add(this)
  }

  /** What its processes said last. */
  get said(): string {
    return Array.from(this.#processes, ({ role, pid, said }) => `${role} ${pid}: ${said}`).join(
      '\n',
    )
  }

  /** Where its pictures are. */
  get blobFolder(): string {
    return join(this.folder, 'blobs')
  }

  /** The server of its database, if it runs. */
  get server(): number | undefined {
    return serverIn(this.folder)
  }

  /** Starts a process and waits until it is ready; `imports` are loaded before it. */
  async start(role: Role, imports: readonly string[] = []): Promise<HouseProcess> {
    const before = [join(root, 'src/node-version.mjs'), ...imports]
    const program = [join(root, 'src/main.ts'), role]
    const options = before.flatMap((file) => ['--import', file])
    return this.#started(role, process.execPath, [...options, ...program])
  }

  /** Starts it as people do, by npm and whichever Node that finds; the script is the package's. */
  async npmStart(): Promise<HouseProcess> {
    const text = readFileSync(join(root, 'package.json'), 'utf8')
    const { scripts } = packageFile.parse(JSON.parse(text))
    const start = scripts.start.replaceAll(
      /(?:\.\/)?src\/[\w.-]+/g,
      (file) => `"${join(root, file)}"`,
    )
    writeFileSync(join(this.folder, 'package.json'), JSON.stringify({ scripts: { start } }))
    return this.#started('start', 'npm', ['start', '--silent'])
  }

  async #started(role: Role, program: string, args: readonly string[]): Promise<HouseProcess> {
    const own = passedOn.map((name) => [name, process.env[name]])
    const child = spawn(program, args, {
      cwd: this.folder,
      env: { ...Object.fromEntries(own), LANG: 'en_US.UTF-8', ...this.settings },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const started = new HouseProcess(role, child, this.folder)
    this.#processes.add(started)
    await started.ready()
    return started
  }

  /** Ends what still runs, in good order, workers first. */
  async close(): Promise<void> {
    const running = [...this.#processes].filter(({ isRunning }) => isRunning)
    for (const each of running.filter(({ role }) => role === 'worker')) await each.stop()
    for (const each of running.filter(({ role }) => role !== 'worker')) await each.stop()
    this.abandon()
  }

  /** The processes that are left of it. */
  async left(): Promise<string[]> {
    // A runner notices within a second that its worker is gone.
    await until('all is gone', () => processesIn(this.folder).length === 0, 3_000).catch(() => {})
    return processesIn(this.folder).map(({ pid, command }) => `${pid} ${command}`)
  }

  /** Ends everything at once and removes the folder. */
  abandon(): void {
    open.delete(this)
    for (const { pid } of processesIn(this.folder)) signalTo(pid, 'SIGKILL')
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

/** Does something in a new house, which is gone afterwards. What it said is told if that fails. */
export async function inHouse<Result>(
  work: (house: House) => Promise<Result>,
  settings: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const house = new House(settings)
  try {
    return await work(house)
  } catch (error) {
    console.error(house.said)
    throw error
  } finally {
    await house.close()
  }
}
