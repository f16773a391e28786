/**
 * The playground: the third platform and the face of `npm start`, a page like a chat with demo guilds
 * to be in. On this machine only, or beyond it behind a login. Here it is put together; each part
 * has a file of its own.
 */
import { readFile } from 'node:fs/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import { UserError } from '../../core/errors.ts'
import type { Log } from '../../log.ts'
import type { JobEvents } from '../../queue/events.ts'
import type { Adapter } from '../adapter.ts'
import type { Command } from '../command.ts'
import type { Router } from '../router.ts'
import type { Services } from '../services.ts'
import { WebAdapter } from './adapter.ts'
import { Conversation } from './conversation.ts'
import { isLoopback, keepOut } from './guard.ts'
import { KeptFiles } from './kept-files.ts'
import { Login } from './login.ts'
import { servePictures } from './pictures.ts'
import { Place } from './place.ts'
import { localeOf, Refused, refusalOf, speaker, statusOf as statusOfError } from './refusal.ts'
import { serveApi } from './routes.ts'
import { statusOf } from './status.ts'
import { Streams } from './streams.ts'
import { Transcript } from './transcript.ts'

/** What the playground is served with. */
export type WebOptions = {
  /** Beyond this machine only with a token. */
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  /** Whoever knows it may come in. */
  readonly webToken: string | undefined
  readonly services: Services
  readonly router: Pick<Router, 'handle'>
  readonly commands: readonly Command[]
  readonly events: Pick<JobEvents, 'subscribe'>
  readonly log: Pick<Log, 'error'>
  /** What a watchdog is told; who is not well is told with 503. */
  readonly health: () => Promise<{ readonly isOk: boolean }>
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>
}

/** The playground that is being served. */
export type Playground = {
  readonly url: string
  readonly adapter: Adapter
  readonly close: () => Promise<void>
}

/** What is asked without a picture is small. */
const bodyLimitBytes = 64 * 1024
const requestLimitMs = 60_000

const script = 'text/javascript; charset=utf-8'
const style = 'text/css; charset=utf-8'

/** What the page is made of, by path; at the root the page itself. */
const files: Readonly<Record<string, string>> = {
  'page.html': 'text/html; charset=utf-8',
  'page.css': style,
  'talk.css': style,
  'composer.css': style,
  'login.css': style,
  'icon.svg': 'image/svg+xml',
  'page.js': script,
  'api.js': script,
  'completion.js': script,
  'composer.js': script,
  'form.js': script,
  'make.js': script,
  'message.js': script,
  'place.js': script,
  'portrait.js': script,
  'status.js': script,
  'talk.js': script,
  'words.js': script,
}

/**
 * Serves the playground until closed; closing ends the lines of open pages.
 *
 * @throws {UserError} port-taken, or listen-failed, also for a host that other machines can reach
 *   when there is no token
 */
export async function serveWeb(options: WebOptions): Promise<Playground> {
  const { host, port, webToken, services, log } = options
  const { database, now } = services
  if (!isLoopback(host) && webToken === undefined) {
    throw new UserError('listen-failed', { host, port, reason: 'remote' })
  }
  const place = await Place.open(database, { isShared: webToken !== undefined })
  const transcript = new Transcript(database, now)
  const keptFiles = new KeptFiles(now)
  const app = Fastify({
    bodyLimit: bodyLimitBytes,
    forceCloseConnections: true,
    requestTimeout: requestLimitMs,
  })
  keepOut(app, host)
  answerErrors(app, log)
  if (webToken !== undefined) (await Login.open(database, webToken, now)).guard(app)
  await serveFiles(app)
  serveOperations(app, options)
  servePictures(app, services, keptFiles)
  const streams = new Streams({
    database,
    events: options.events,
    statusOf: (visitor, locale) => statusOf(services, place, visitor, locale),
    log,
  })
  app.addHook('preClose', () => streams.close())
  serveApi(app, {
    services,
    place,
    commands: options.commands,
    conversation: new Conversation(services, options.router, { transcript, files: keptFiles }),
    streams,
    isTokenNeeded: webToken !== undefined,
  })
  const url = await listen(app, host, port)
  return {
    url,
    adapter: new WebAdapter(place, transcript),
    close: () => app.close(),
  }
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<string> {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    await app.close()
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (reason === 'EADDRINUSE') throw new UserError('port-taken', { host, port }, { cause: error })
    throw new UserError('listen-failed', { host, port, reason }, { cause: error })
  }
}

async function serveFiles(app: FastifyInstance): Promise<void> {
  for (const [file, type] of Object.entries(files)) {
    const body = await readFile(new URL(file, import.meta.url))
    app.get(file === 'page.html' ? '/' : `/${file}`, (_, reply) => reply.type(type).send(body))
  }
}

/** For whoever watches over this process. */
function serveOperations(app: FastifyInstance, { health, metrics }: WebOptions): void {
  app.get('/healthz', async (_, reply) => {
    const answer = await health()
    return reply.code(answer.isOk ? 200 : 503).send(answer)
  })
  app.get('/metrics', async (_, reply) => {
    const { contentType, body } = await metrics()
    return reply.type(contentType).send(body)
  })
}

function answerErrors(app: FastifyInstance, log: WebOptions['log']): void {
  app.setErrorHandler((error, request, reply) => {
    const waitMs = error instanceof Refused ? error.params.waitMs : undefined
    if (typeof waitMs === 'number') void reply.header('retry-after', Math.ceil(waitMs / 1000))
    return reply.code(statusOfError(error)).send(refusalOf(error, speaker(localeOf(request)), log))
  })
  app.setNotFoundHandler(() => {
    throw new Refused(404, 'web.gone')
  })
}
