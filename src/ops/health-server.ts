/**
 * `/healthz` and `/metrics` for a process without a page: a worker. Small answers to GET alone, and
 * however many ask, rows are read once a second.
 */
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { UserError } from '../core/errors.ts'
import type { Health } from './health.ts'
import type { Metrics } from './metrics.ts'

/** Where to listen, and what there is to tell. */
export type HealthServerOptions = {
  readonly host: string
  readonly port: number
  readonly health: () => Promise<Health>
  readonly metrics: Metrics
}

/** A server that listens. */
export type HealthServer = { readonly url: string; readonly close: () => Promise<void> }

const freshMs = 1_000
const mostConnections = 20
const requestLimitMs = 5_000

/** Serves until closed. @throws {UserError} health-listen-failed */
export async function serveHealth(options: HealthServerOptions): Promise<HealthServer> {
  const { host, port, metrics } = options
  const health = remembered(options.health)
  const answer = async ({ method, url }: IncomingMessage): Promise<Answer> => {
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, type: 'text/plain', body: '' }
    if (url === '/healthz') return healthAnswer(await health())
    if (url !== '/metrics') return { status: 404, type: 'text/plain', body: '' }
    return { status: 200, type: metrics.contentType, body: await metrics.text() }
  }
  const server = createServer((request, response) => {
    void answer(request).then(
      (found) => send(response, found),
      () => send(response, { status: 500, type: 'text/plain', body: '' }),
    )
  })
  server.maxConnections = mostConnections
  server.requestTimeout = requestLimitMs
  server.headersTimeout = requestLimitMs
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new UserError('health-listen-failed', { host, port, reason }, { cause: error })
  }
  // Careful: a connection that cannot be accepted (no free file) must not end the worker.
  server.on('error', () => {})
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  const close = async (): Promise<void> => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  }
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`, close }
}

/** An answer over HTTP, for whichever server gives it. */
export type Answer = { readonly status: number; readonly type: string; readonly body: string }

/** How `/healthz` answers. */
export function healthAnswer(health: Health): Answer {
  const body = `${JSON.stringify(health)}\n`
  return { status: health.isOk ? 200 : 503, type: 'application/json', body }
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}

/** The last answer of `ask` while it is fresh, and one question at a time. */
function remembered<Result>(ask: () => Promise<Result>): () => Promise<Result> {
  let known: Promise<Result> | undefined
  return () => {
    if (known === undefined) {
      known = ask()
      const forget = (): void => {
        known = undefined
      }
      setTimeout(forget, freshMs).unref()
    }
    return known
  }
}
