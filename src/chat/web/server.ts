/**
 * The page of `npm start` and what it talks to: words, facts, drawings as a stream of JSON lines,
 * pictures to download. It serves this machine only and answers only itself: a foreign `Host` (DNS
 * rebinding) and a foreign `Origin` (a web page elsewhere that posts here) are turned away.
 */
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import Fastify, { type FastifyInstance } from 'fastify'
import { UserError } from '../../core/errors.ts'
import { encodeImage, type Pixels } from '../../engine/image.ts'
import type { ModelFacts, PictureSpec, Step } from '../../engine/pipeline.ts'
import { catalogues, localeFor, words } from '../i18n.ts'
import { KeptPictures } from './kept-pictures.ts'
import { type Refusal, inEveryLocale, refusalOf, statusOf } from './refusal.ts'
import { readWish } from './wish.ts'

/** What the page is served with. */
export type WebOptions = {
  /** An address of this machine that others cannot reach. */
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
  /** Draws; an aborted signal ends it early. */
  readonly draw: (spec: PictureSpec, signal: AbortSignal) => AsyncIterable<Step>
  readonly facts: () => Promise<ModelFacts>
  /** Hears what broke, a line at a time; never prompts. */
  readonly log: (line: string) => void
}

/** A page that is being served. */
export type WebPage = { readonly url: string; readonly close: () => Promise<void> }

/** A line of the stream that answers a wish; pictures and previews are PNG. */
export type WebEvent =
  | {
      readonly type: 'step'
      readonly index: number
      readonly evaluations: number
      /** Data URLs, one for each picture being drawn. */
      readonly previews: readonly string[]
    }
  | {
      readonly type: 'picture'
      readonly seed: number
      readonly url: string
      readonly width: number
      readonly height: number
      /** Since the wish arrived. */
      readonly elapsedMs: number
    }
  | Refusal

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i

/** 20 MiB of picture as base64, and the words beside it. */
const bodyLimitBytes = 28 * 2 ** 20

const files: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['page.html', 'text/html; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/pictures.css': ['pictures.css', 'text/css; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/stream.js': ['stream.js', 'text/javascript; charset=utf-8'],
  '/words.js': ['words.js', 'text/javascript; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
}

const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

/**
 * Serves the page until closed; closing ends the drawings under way.
 *
 * @throws {UserError} port-taken, or listen-failed, also for a host that other machines can reach
 */
export async function serveWeb(options: WebOptions): Promise<WebPage> {
  const { host, port } = options
  // Until there are accounts, whoever can reach the page can use it: this machine only.
  if (!loopback.test(host)) {
    throw new UserError('listen-failed', { host, port, reason: 'remote' })
  }
  const app = Fastify({ bodyLimit: bodyLimitBytes, forceCloseConnections: true })
  keepOut(app)
  answerErrors(app, options.log)
  await serveFiles(app)
  serveApi(app, options)
  try {
    const url = await app.listen({ host, port })
    return { url, close: () => app.close() }
  } catch (error) {
    await app.close()
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    if (reason === 'EADDRINUSE') throw new UserError('port-taken', { host, port }, { cause: error })
    throw new UserError('listen-failed', { host, port, reason }, { cause: error })
  }
}

/** Turns foreign requests away and tells browsers what the page may do. */
function keepOut(app: FastifyInstance): void {
  // JSON cannot be posted by another site's form; the parser that takes plain text can.
  app.removeContentTypeParser('text/plain')
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(securityHeaders)
    const { host = '', origin } = request.headers
    const isSafe = request.method === 'GET' || request.method === 'HEAD'
    // Careful: the name only, not the port: through a tunnel the page has another port.
    if (!loopback.test(host.replace(/:\d+$/, ''))) {
      const say = words(localeFor(request.headers['accept-language']))
      void reply.code(421).type('text/plain; charset=utf-8').send(say('web.wrong-host'))
    } else if (!isSafe && origin !== `http://${host}`) {
      done(Object.assign(new Error('foreign origin'), { statusCode: 403 }))
    } else {
      done()
    }
  })
}

async function serveFiles(app: FastifyInstance): Promise<void> {
  for (const [path, [file, type]] of Object.entries(files)) {
    const body = await readFile(new URL(file, import.meta.url))
    app.get(path, (_, reply) => reply.type(type).send(body))
  }
}

function serveApi(app: FastifyInstance, { draw, facts, log }: WebOptions): void {
  const kept = new KeptPictures(64, 512 * 2 ** 20)

  app.get('/healthz', () => ({ ok: true }))
  app.get('/api/model', facts)
  app.get('/api/words', (request) => ({
    locale: localeFor(request.headers['accept-language']),
    catalogues: pageWords,
  }))

  app.post('/api/imagine', (request, reply) => {
    const spec = readWish(request.body)
    const cancel = new AbortController()
    reply.raw.once('close', () => cancel.abort())
    const lines = linesOf(draw(spec, cancel.signal), kept, cancel.signal, log)
    return reply.type('application/x-ndjson').send(Readable.from(lines))
  })

  app.get<{ Params: { id: string } }>('/pictures/:id.png', (request, reply) => {
    const picture = kept.find(request.params.id)
    if (picture === undefined) return reply.callNotFound()
    return reply
      .type('image/png')
      .header('content-disposition', `inline; filename="${picture.fileName}"`)
      .header('cache-control', 'private, max-age=86400, immutable')
      .send(Buffer.from(picture.png.buffer, picture.png.byteOffset, picture.png.byteLength))
  })
}

/** The steps of a drawing as lines; whatever goes wrong is the last of them. */
async function* linesOf(
  steps: AsyncIterable<Step>,
  kept: KeptPictures,
  signal: AbortSignal,
  log: (line: string) => void,
): AsyncGenerator<string, void, undefined> {
  const startedMs = performance.now()
  try {
    for await (const step of steps) {
      yield lineOf(step.kind === 'step' ? await progressOf(step) : await pictureOf(step))
    }
  } catch (error) {
    // Nobody reads on after a cancel.
    if (!signal.aborted) yield lineOf(refusalOf(error, log))
  }

  async function pictureOf({ seed, pixels }: Extract<Step, { kind: 'picture' }>) {
    const png = await encodeImage(pixels, 'png')
    const id = kept.keep({ png, fileName: `zimagine-${seed}.png` })
    const { width, height } = pixels
    const elapsedMs = Math.round(performance.now() - startedMs)
    return { type: 'picture', seed, url: `/pictures/${id}.png`, width, height, elapsedMs } as const
  }
}

async function progressOf(step: Extract<Step, { kind: 'step' }>): Promise<WebEvent> {
  const { index, evaluations } = step
  const previews = await Promise.all((step.previews ?? []).map(dataUrlOf))
  return { type: 'step', index, evaluations, previews }
}

async function dataUrlOf(pixels: Pixels): Promise<string> {
  const png = await encodeImage(pixels, 'png')
  return `data:image/png;base64,${Buffer.from(png).toString('base64')}`
}

function lineOf(event: WebEvent): string {
  return `${JSON.stringify(event)}\n`
}

/** The words that the page says itself, raw: their only arguments are plain `{name}`s. */
const pageWords = inEveryLocale((_, locale) =>
  Object.fromEntries(Object.entries(catalogues[locale]).filter(([key]) => key.startsWith('web.'))),
)

function answerErrors(app: FastifyInstance, log: (line: string) => void): void {
  app.setErrorHandler((error, _, reply) => {
    const line = lineOf(refusalOf(error, log))
    return reply.code(statusOf(error)).type('application/x-ndjson').send(line)
  })
  app.setNotFoundHandler((request, reply) => {
    const say = words(localeFor(request.headers['accept-language']))
    return reply.code(404).type('text/plain; charset=utf-8').send(say('web.not-found'))
  })
}
