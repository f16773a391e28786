/**
 * Who may ask at all, before anything is read. A foreign `Host` (DNS rebinding) and a foreign
 * `Origin` or `Sec-Fetch-Site` (a web page elsewhere that asks here) are turned away, and browsers
 * are told what the page may do.
 */
import { isIP } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { localeOf, Refused, speaker } from './refusal.ts'

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/i
const everyAddress = /^(?:0\.0\.0\.0|\[?::\]?)$/

/** What browsers are told to forbid; `form-action` opens for the login page alone. */
export const contentPolicy = (formAction: 'none' | 'self'): string =>
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
  `connect-src 'self'; base-uri 'none'; form-action '${formAction}'; frame-ancestors 'none'`

const securityHeaders = {
  'content-security-policy': contentPolicy('none'),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

/** Whether an address is one of this machine that others cannot reach. */
export function isLoopback(host: string): boolean {
  return loopback.test(host)
}

/** Turns foreign requests away; `host` is where the page is served. */
export function keepOut(app: FastifyInstance, host: string): void {
  // JSON cannot be posted by another site's form; the parser that takes plain text can.
  app.removeContentTypeParser('text/plain')
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(securityHeaders)
    const named = (request.headers.host ?? '').replace(/:\d+$/, '')
    // Careful: the name only, not the port: through a tunnel the page has another port.
    if (!isNameOf(host, named)) {
      const say = speaker(localeOf(request))
      const sentence = say(isLoopback(host) ? 'web.wrong-host' : 'web.host-unknown')
      void reply.code(421).type('text/plain; charset=utf-8').send(sentence)
    } else if (isForeign(request, host)) {
      done(new Refused(403, 'web.request-invalid'))
    } else {
      done()
    }
  })
}

/** Whether a page that is served at `host` may be called so. */
function isNameOf(host: string, named: string): boolean {
  if (isLoopback(named)) return isLoopback(host) || everyAddress.test(host)
  if (isLoopback(host)) return false
  // No name can be made to lead to an address that is asked for by its number.
  if (everyAddress.test(host)) return isIP(named.replace(/^\[(.*)\]$/, '$1')) !== 0
  return named.toLowerCase() === host.toLowerCase() || named === `[${host}]`
}

function isForeign({ method, url, headers }: FastifyRequest, servedAt: string): boolean {
  const { host = '', origin } = headers
  if (url.startsWith('/api/') && headers['sec-fetch-site'] === 'cross-site') return true
  if (method === 'GET' || method === 'HEAD') return false
  // Beyond this machine something in front of us may speak TLS.
  const isSecure = origin === `https://${host}` && !isLoopback(servedAt)
  return origin !== `http://${host}` && !isSecure
}
