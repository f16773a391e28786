/**
 * Looks at everything that Zimagine needs, one thing after another, as it will be used: a file is
 * written, a blob stored and read, the model loaded in its own process. What fails is an error with a
 * sentence that says what to do; what depends on it is left out. Nothing is changed for good but what
 * a start would make as well: the data folder and its database.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { UserError, isFault } from '../core/errors.ts'
import { Checkpoint } from '../engine/checkpoint.ts'
import { EngineError } from '../engine/error.ts'
import { readModelFolder } from '../engine/models/config.ts'
import { openBlobs } from '../store/blobs/open.ts'
import { aliveDevices } from '../store/devices.ts'
import { inspectDatabase } from '../store/inspect.ts'
import { closeDatabase, openDatabase } from '../store/prisma.ts'
import { Runner } from '../worker/runner.ts'
import { withDatabase } from './database.ts'
import { freeSpace, leastFreeBytes } from './health.ts'

/** What is looked at, in this order. */
export const checkNames = [
  'node',
  'folder',
  'disk',
  'database',
  'clock',
  'workers',
  'blobs',
  'model',
  'device',
  'port',
] as const

/** One of these. */
export type CheckName = (typeof checkNames)[number]

/** What was found: facts where all is well, else what is wrong. */
export type Finding = { readonly check: CheckName } & (
  { readonly isOk: true; readonly facts: Facts } | { readonly isOk: false; readonly error: unknown }
)

type Facts = Readonly<Record<string, string | number>>

/** How to look. */
export type DoctorOptions = {
  readonly config: Config
  /** Draws a small picture too. */
  readonly mustDraw: boolean
  readonly signal: AbortSignal
}

const mostClockSkewMs = 5_000
const askLimitMs = 2_000

/** Looks, and gives each finding as soon as it is made. Throws the signal's reason alone. */
export async function* examine(options: DoctorOptions): AsyncGenerator<Finding, void, undefined> {
  const { config, signal } = options
  const look = async (check: CheckName, act: () => Promise<Facts>): Promise<Finding> => {
    signal.throwIfAborted()
    try {
      return { check, isOk: true, facts: await act() }
    } catch (error) {
      signal.throwIfAborted()
      return { check, isOk: false, error: ofEngine(error) }
    }
  }
  yield look('node', async () => ({ version: process.versions.node, platform: platform() }))
  const folder = await look('folder', () => checkFolder(config.dataDir))
  yield folder
  if (folder.isOk) {
    yield look('disk', () => checkDisk(config.dataDir))
    yield* examineDatabase(config, look)
  }
  yield look('blobs', () => checkBlobs(config))
  const model = await look('model', () => checkModel(config.modelFolder))
  yield model
  if (model.isOk) yield look('device', () => checkDevice(options))
  yield look('port', () => checkPort(config))
}

type Look = (check: CheckName, act: () => Promise<Facts>) => Promise<Finding>

/** One visit to the database, which may have to be started for it. */
async function* examineDatabase(
  config: Config,
  look: Look,
): AsyncGenerator<Finding, void, undefined> {
  const others: Finding[] = []
  yield look('database', () =>
    withDatabase(config, 'any', async (databaseUrl) => {
      const { version, pendingMigrations, clockAheadMs } = await inspectDatabase(databaseUrl)
      others.push(await look('clock', async () => checkClock(clockAheadMs)))
      if (pendingMigrations === 0) {
        others.push(await look('workers', () => checkWorkers(config, databaseUrl)))
      }
      return { version, pending: pendingMigrations }
    }),
  )
  yield* others
}

function platform(): string {
  return `${process.platform}-${process.arch}`
}

async function checkFolder(folder: string): Promise<Facts> {
  const probe = join(folder, `.${randomUUID()}.probe`)
  try {
    await mkdir(folder, { recursive: true })
    await writeFile(probe, 'probe', { flag: 'wx' })
    await rm(probe)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new UserError('data-folder-unusable', { folder, reason }, { cause: error })
  }
  return { folder }
}

async function checkDisk(folder: string): Promise<Facts> {
  const free = await freeSpace(folder)
  const [freeMb, neededMb] = [free, leastFreeBytes].map((bytes) => Math.floor(bytes / 2 ** 20))
  if (free < leastFreeBytes) {
    throw new UserError('disk-low', { folder, freeMb: freeMb!, neededMb: neededMb! })
  }
  return { freeGb: (free / 2 ** 30).toFixed(1) }
}

function checkClock(aheadMs: number): Facts {
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  if (Math.abs(aheadMs) > mostClockSkewMs) throw new UserError('clock-skewed', { seconds })
  return { seconds: (Math.abs(aheadMs) / 1000).toFixed(1) }
}

async function checkWorkers({ workers }: Config, databaseUrl: string): Promise<Facts> {
  const database = openDatabase(databaseUrl, 1)
  try {
    const { length: alive } = await aliveDevices(database, Date.now())
    if (alive === 0 && workers === 0) throw new UserError('worker-missing', {})
    return { alive, workers }
  } finally {
    await closeDatabase(database)
  }
}

async function checkBlobs({ blobUrl, blobCredentials }: Config): Promise<Facts> {
  const { protocol } = new URL(blobUrl)
  const blobs = openBlobs(blobUrl, blobCredentials)
  const probe = randomBytes(64)
  const key = await blobs.put(probe, 'image/png')
  const found = await blobs.get(key)
  await blobs.delete(key)
  if (found === undefined || Buffer.compare(found, probe) !== 0) {
    throw new UserError('blobs-unreachable', { place: protocol, reason: 'no-probe' })
  }
  return { kind: protocol === 'file:' ? 'folder' : 'bucket' }
}

/** What its files say of themselves; no weights are read. */
async function checkModel(folder: string): Promise<Facts> {
  await readModelFolder(folder)
  const networks = await Promise.all([
    Checkpoint.open(join(folder, 'transformer'), 'diffusion_pytorch_model'),
    Checkpoint.open(join(folder, 'text_encoder'), 'model'),
    Checkpoint.open(join(folder, 'vae'), 'diffusion_pytorch_model'),
  ])
  const sizeBytes = networks.reduce((sum, network) => sum + network.sizeBytes, 0)
  return { folder, parameters: networks[0].parameters, sizeMb: Math.ceil(sizeBytes / 2 ** 20) }
}

async function checkDevice({ config, mustDraw, signal }: DoctorOptions): Promise<Facts> {
  const { modelFolder, precision, threads } = config
  const startMs = performance.now()
  const secondsSince = (sinceMs: number): string =>
    ((performance.now() - sinceMs) / 1000).toFixed(1)
  const runner = await Runner.start({
    modelFolder,
    precision,
    ...(threads !== undefined && { threads }),
    signal,
  })
  try {
    const loadSeconds = secondsSince(startMs)
    if (!mustDraw) return { loadSeconds, drawn: 'no', drawSeconds: 0 }
    const drawMs = performance.now()
    const { width, height } = runner.facts.defaults
    const small = { width: Math.min(width, 256), height: Math.min(height, 256), evaluations: 2 }
    const spec = { prompt: 'a red balloon', seed: 1, count: 1, ...small }
    for await (const _ of runner.generate(spec, { signal }));
    return { loadSeconds, drawn: 'yes', drawSeconds: secondsSince(drawMs) }
  } finally {
    await runner.close()
  }
}

/** Free, or held by a Zimagine. */
async function checkPort({ host, port }: Config): Promise<Facts> {
  const probe = createServer()
  try {
    probe.listen(port, host)
    await once(probe, 'listening')
    return { host, port, isOurs: 'no' }
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (reason !== 'EADDRINUSE') throw new UserError('listen-failed', { host, port, reason })
    if (await isZimagine(host, port)) return { host, port, isOurs: 'yes' }
    throw new UserError('port-taken', { host, port })
  } finally {
    probe.close()
  }
}

const healthForm = z.object({ isOk: z.boolean(), checks: z.object({ database: z.object({}) }) })

async function isZimagine(host: string, port: number): Promise<boolean> {
  const address = host === '0.0.0.0' ? '127.0.0.1' : host.includes(':') ? '[::1]' : host
  try {
    const signal = AbortSignal.timeout(askLimitMs)
    const answer = await fetch(`http://${address}:${port}/healthz`, { signal, redirect: 'error' })
    return healthForm.safeParse(await answer.json()).success
  } catch {
    return false
  }
}

/** The engine's errors have the same codes and facts as ours. */
function ofEngine(error: unknown): unknown {
  if (!(error instanceof EngineError)) return error
  const fault = [error.code, error.params] as const
  return isFault(fault) ? new UserError(...fault, { cause: error }) : error
}
