/**
 * Puts the house together for one of three roles: a bot (chat, admission, and the scheduler and the
 * notifier while it leads), a worker (devices), or both in one process. What is opened first is closed
 * last, so a stop drains the devices while the notifier still delivers what they finish.
 */
import { commands } from '../commands/index.ts'
import type { Adapter } from './chat/adapter.ts'
import { runNotifier } from './chat/notifier.ts'
import { Router } from './chat/router.ts'
import type { Services } from './chat/services.ts'
import { serveWeb } from './chat/web/server.ts'
import type { Config } from './config.ts'
import { UserError } from './core/errors.ts'
import { RateLimit } from './jobs/rate-limit.ts'
import { type Log, openLog } from './log.ts'
import { health } from './ops/health.ts'
import { serveHealth } from './ops/health-server.ts'
import { Metrics } from './ops/metrics.ts'
import { modelCardOf } from './ops/model-card.ts'
import { keepSweeping, type Swept } from './ops/retention.ts'
import { JobEvents } from './queue/events.ts'
import { Queue } from './queue/pg-boss.ts'
import { runDispatcher } from './scheduler/dispatcher.ts'
import { Outlooks } from './scheduler/eta.ts'
import { together, whileLeading } from './scheduler/leader.ts'
import type { BlobStore } from './store/blobs/blob-store.ts'
import { openBlobs } from './store/blobs/open.ts'
import { aliveDevices, readModelCard } from './store/devices.ts'
import { migrate } from './store/migrate.ts'
import { EmbeddedPostgres, findEmbedded } from './store/postgres.ts'
import { closeDatabase, type Database, openDatabase } from './store/prisma.ts'
import { startWorker, type Worker } from './worker/worker.ts'

/** What a process does: everything, or one half of it. */
export type Role = 'start' | 'bot' | 'worker'

/** The house at work. */
export type App = {
  /** Where the page is; a worker has none. */
  readonly url: string | undefined
  /** Ends what is being drawn, then everything else in reverse order. */
  readonly close: () => Promise<void>
}

/** What both halves stand on. */
type Ground = {
  readonly config: Config
  readonly log: Log
  readonly onError: (error: unknown) => void
  readonly databaseUrl: string
  readonly database: Database
  readonly queue: Queue
  readonly events: JobEvents
  readonly blobs: BlobStore
  readonly metrics: Metrics
}

/**
 * Starts a role; a start that fails, or that the signal gives up, leaves nothing behind.
 *
 * @throws {UserError} of the database, the model, the blobs or the page, whichever cannot be had
 */
export async function start(config: Config, role: Role, signal?: AbortSignal): Promise<App> {
  const house = new AsyncDisposableStack()
  try {
    const ground = await layGround(config, role, house)
    signal?.throwIfAborted()
    const bot = role === 'worker' ? undefined : await openBot(ground, house)
    const workers = role === 'bot' ? [] : await openWorkers(ground, role, house, signal)
    // Whoever asks from now on hears of our devices.
    await bot?.outlooks.refresh()
    if (role === 'worker') await tellHealth(ground, workers, house)
    return { url: bot?.url, close: () => house.disposeAsync() }
  } catch (error) {
    await house.disposeAsync()
    throw error
  }
}

/** The database, brought up to date, and all that reads and writes it. */
async function layGround(config: Config, role: Role, house: AsyncDisposableStack): Promise<Ground> {
  const log = openLog({
    level: config.logLevel,
    hasPrompts: config.hasPromptsInLog,
    secrets: config.secrets,
  })
  const onError = (error: unknown): void => log.error({ error }, 'something went wrong')
  const databaseUrl = await findDatabase(config, role, log, house)
  await migrate(databaseUrl)
  const database = openDatabase(databaseUrl)
  house.defer(() => closeDatabase(database))
  const blobs = openBlobs(config.blobUrl, config.blobCredentials)
  const queue = await Queue.open(databaseUrl, { onError })
  house.defer(() => queue.close())
  const events = await JobEvents.open(databaseUrl, onError)
  house.defer(() => events.close())
  const metrics = new Metrics(database)
  events.subscribe((event) => metrics.hear(event))
  return { config, log, onError, databaseUrl, database, queue, events, blobs, metrics }
}

/**
 * The database of the settings, else the embedded one. A bot owns it, as it does one that outlived
 * the bot before; beside another bot, and in a worker, it is the one that a process beside us runs.
 */
async function findDatabase(
  { databaseUrl, dataDir }: Config,
  role: Role,
  log: Log,
  house: AsyncDisposableStack,
): Promise<string> {
  if (databaseUrl !== undefined) return databaseUrl
  if (role === 'worker') {
    const running = await findEmbedded(dataDir)
    if (running === undefined) throw new UserError('database-missing', { folder: dataDir })
    return running
  }
  try {
    const postgres = await EmbeddedPostgres.start({
      dataFolder: dataDir,
      log: (message) => log.of('postgres').info({}, message),
    })
    house.defer(() => postgres.close())
    return postgres.url
  } catch (error) {
    const isTaken = error instanceof UserError && error.code === 'data-folder-in-use'
    const running = role === 'bot' && isTaken ? await findEmbedded(dataDir) : undefined
    if (running === undefined) throw error
    return running
  }
}

/** Chat, admission, and the lead for whichever bot has it. */
async function openBot(
  ground: Ground,
  house: AsyncDisposableStack,
): Promise<{ readonly url: string; readonly outlooks: Outlooks }> {
  const { config, log, onError, databaseUrl, database, queue, events, blobs, metrics } = ground
  const now = Date.now
  const outlooks = await Outlooks.open({ database, onError, now })
  house.defer(() => outlooks.close())
  events.subscribe(({ type }) => {
    if (type === 'device') void outlooks.refresh()
  })
  const ownCard = await modelCardOf(config.modelFolder)
  const rateLimit = new RateLimit()
  house.defer(() => rateLimit.close())
  const adapters: Adapter[] = []
  const services: Services = {
    database,
    blobs,
    admission: {
      database,
      rateLimit,
      ...(config.servedGuilds && { servedGuilds: config.servedGuilds }),
      predictWaitMs: (guild) => outlooks.predictWaitMs(guild),
      now,
    },
    cancelling: {
      database,
      cancelDispatch: (jobId, transaction) => queue.cancel(jobId, transaction),
      now,
    },
    outlookOf: (jobId, guild) => outlooks.ofJob(jobId, guild),
    servedNow: () => outlooks.servedNow(),
    modelCard: async () => (await readModelCard(database)) ?? ownCard,
    removeShown: (messages) => {
      // Nobody waits for it, and a platform that is away loses nothing of ours.
      for (const { platform, place, shown } of messages) {
        const adapter = adapters.find((each) => each.platform === platform)
        adapter?.remove(place, shown).catch(onError)
      }
    },
    now,
  }
  const router = new Router({
    services,
    commands,
    operators: config.operators,
    log: (failure) => log.of('router').error(failure, 'an invocation failed'),
  })
  const { host, port, webToken, purgeDays } = config
  const page = await serveWeb({
    host,
    port,
    webToken,
    services,
    router,
    commands,
    events,
    log: log.of('web'),
    health: () => health({ database, dataFolder: config.dataDir, deviceIds: [] }),
    metrics: async () => ({ contentType: metrics.contentType, body: await metrics.text() }),
  })
  house.defer(() => page.close())
  adapters.push(page.adapter)

  const onSwept = ({ found, ...left }: Swept): void => {
    metrics.setBlobs(found)
    log.of('retention').info(left, 'what was kept long enough is gone')
  }
  const ending = new AbortController()
  const leading = whileLeading(
    (leadSignal) =>
      together(leadSignal, [
        (signal) => runDispatcher({ database, queue, events, now }, signal),
        (signal) =>
          runNotifier(
            { services, events, adapters, outlook: services.outlookOf, now, onError },
            signal,
          ),
        (signal) => keepSweeping({ database, blobs, purgeDays, onSwept, onError, now }, signal),
      ]),
    { databaseUrl, signal: ending.signal, onError },
  )
  house.defer(async () => {
    ending.abort()
    await leading
  })
  return { url: page.url, outlooks }
}

/** The devices of this process: as many as the settings say beside a bot, one in a worker's own. */
async function openWorkers(
  ground: Ground,
  role: 'start' | 'worker',
  house: AsyncDisposableStack,
  signal: AbortSignal | undefined,
): Promise<Worker[]> {
  const { config, log, onError, database, queue, blobs } = ground
  const count = role === 'worker' ? Math.max(1, config.workers) : config.workers
  // Only on a database of our own: on a shared one another process may have these names too.
  const isOurs = role === 'start' && config.databaseUrl === undefined
  const ids = Array.from({ length: count }, (_, k) => (isOurs ? `start/${k + 1}` : undefined))
  if (isOurs) await takeBackLeases(ground, ids)
  const workers: Worker[] = []
  // All at once: each may take its time to end what it draws.
  house.defer(async () => {
    await Promise.all(workers.map((worker) => worker.close()))
  })
  for (const deviceId of ids) {
    const worker = await startWorker(
      {
        database,
        queue,
        blobs,
        modelFolder: config.modelFolder,
        precision: config.precision,
        ...(config.threads !== undefined && { threads: config.threads }),
        ...(deviceId !== undefined && { deviceId }),
        drainMs: config.drainSeconds * 1000,
        now: Date.now,
        log: log.of('worker'),
        onError,
      },
      signal,
    )
    workers.push(worker)
  }
  return workers
}

/**
 * Leases that this process held before it was killed need not run out when nobody else can be
 * holding any: then what was being drawn begins anew at once.
 */
async function takeBackLeases(
  { database, queue, log }: Ground,
  ids: readonly (string | undefined)[],
): Promise<void> {
  const others = (await aliveDevices(database, Date.now())).filter(({ id }) => !ids.includes(id))
  if (others.length > 0) return
  const count = await queue.giveBackAll()
  if (count > 0) log.info({ count }, 'jobs of the last run begin anew')
}

/** Where a worker of its own tells how it is. */
async function tellHealth(
  { config, database, metrics }: Ground,
  workers: readonly Worker[],
  house: AsyncDisposableStack,
): Promise<void> {
  const { healthPort, host, dataDir } = config
  if (healthPort === undefined) return
  const server = await serveHealth({
    host,
    port: healthPort,
    metrics,
    health: () =>
      health({
        database,
        dataFolder: dataDir,
        deviceIds: workers.map(({ device }) => device().id),
      }),
  })
  house.defer(() => server.close())
}
