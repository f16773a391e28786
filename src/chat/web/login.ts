/**
 * The one login of the playground: whoever knows the token gets a cookie, signed with a secret of the
 * database, so that it outlives a restart and ends when the token is changed. Guesses are few: some
 * from one address, somewhat more from all. Without a token there is no login, on this machine only.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { refilled, taken, type TokenBucket, waitMs } from '../../core/token-bucket.ts'
import { waitFacts } from '../../core/wait.ts'
import type { Database } from '../../store/prisma.ts'
import { ensureState } from '../../store/states.ts'
import type { Locale, Words } from '../i18n.ts'
import { contentPolicy } from './guard.ts'
import { localeOf, Refused, speaker } from './refusal.ts'

const cookieName = 'zimagine'
const cookieMs = 30 * 24 * 60 * 60 * 1000
const minuteMs = 60_000
const ofOne = { perMs: 5 / minuteMs, burst: 5 }
const ofAll = { perMs: 30 / minuteMs, burst: 30 }
/** Addresses whose wrong guesses are remembered. */
const mostAddresses = 1_000
/** Longer than any token. */
const mostTokenLength = 1_000

/** What needs no login: the login itself, what it looks like, and a watchdog's question. */
const open: ReadonlySet<string> = new Set(['/login', '/login.css', '/icon.svg', '/healthz'])

const form = z.strictObject({ token: z.string().max(mostTokenLength) })

/** Lets those in who know the token. */
export class Login {
  readonly #token: string
  readonly #secret: string
  readonly #now: () => number
  #all: TokenBucket
  readonly #ones = new Map<string, TokenBucket>()

  private constructor(token: string, secret: string, now: () => number) {
    this.#token = token
    this.#secret = secret
    this.#now = now
    this.#all = { tokens: ofAll.burst, atMs: now() }
  }

  /** A login with this token, on this database. */
  static async open(database: Database, token: string, now: () => number): Promise<Login> {
    const kept = await ensureState(database, 'web-secret', randomBytes(32).toString('hex'))
    return new Login(token, z.string().min(64).parse(kept), now)
  }

  /** Turns away who is not logged in, and serves the page where one does that. */
  guard(app: FastifyInstance): void {
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string', bodyLimit: 4 * 1024 },
      (_, body, done) => done(null, Object.fromEntries(new URLSearchParams(String(body)))),
    )
    app.addHook('onRequest', async (request, reply) => {
      const path = request.url.split('?', 1)[0]!
      if (open.has(path) || this.#isKnown(request)) return
      if (path !== '/') throw new Refused(401, 'web.login-needed')
      await reply.redirect('/login', 303)
    })
    app.get('/login', (request, reply) => sendPage(reply, localeOf(request)))
    app.post('/login', (request, reply) => {
      const { token } = form.parse(request.body)
      try {
        this.#check(token, request.ip)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        return sendPage(reply, localeOf(request), error)
      }
      return reply.header('set-cookie', this.#cookie()).redirect('/', 303)
    })
  }

  #isKnown({ headers, ip }: FastifyRequest): boolean {
    const bearer = /^Bearer (.+)$/i.exec(headers.authorization ?? '')?.[1]
    if (bearer !== undefined) {
      this.#check(bearer, ip)
      return true
    }
    const cookie = new RegExp(`(?:^|;\\s*)${cookieName}=(\\d{1,16})\\.([0-9a-f]{64})(?:;|$)`)
    const [, until = '', signature = ''] = cookie.exec(headers.cookie ?? '') ?? []
    return Number(until) > this.#now() && isSame(signature, this.#sign(until))
  }

  /** @throws {Refused} login-wrong; login-wait, whatever the token is, after too many wrong ones */
  #check(token: string, address: string): void {
    const nowMs = this.#now()
    const one = refilled(this.#ones.get(address) ?? full(nowMs), ofOne, nowMs)
    this.#all = refilled(this.#all, ofAll, nowMs)
    const lockedMs = Math.max(waitMs(one, ofOne, nowMs), waitMs(this.#all, ofAll, nowMs))
    if (lockedMs > 0) throw new Refused(429, 'web.login-wait', waitFacts(lockedMs))
    if (isSame(token, this.#token)) return
    this.#all = taken(this.#all, 1)
    this.#ones.delete(address)
    this.#ones.set(address, taken(one, 1))
    for (const oldest of this.#ones.keys()) {
      if (this.#ones.size <= mostAddresses) break
      this.#ones.delete(oldest)
    }
    throw new Refused(401, 'web.login-wrong')
  }

  #cookie(): string {
    const until = String(this.#now() + cookieMs)
    const value = `${until}.${this.#sign(until)}`
    const seconds = cookieMs / 1000
    return `${cookieName}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}`
  }

  #sign(until: string): string {
    const key = createHmac('sha256', this.#secret).update(this.#token).digest()
    return createHmac('sha256', key).update(`login until ${until}`).digest('hex')
  }
}

function full(nowMs: number): TokenBucket {
  return { tokens: ofOne.burst, atMs: nowMs }
}

/** Careful: hashed first, so that neither length nor content shows in how long it takes. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}

function sendPage(reply: FastifyReply, locale: Locale, refused?: Refused): FastifyReply {
  const retryAfterMs = refused?.params.waitMs
  if (typeof retryAfterMs === 'number') {
    void reply.header('retry-after', Math.ceil(retryAfterMs / 1000))
  }
  return (
    reply
      .code(refused?.statusCode ?? 200)
      .header('content-security-policy', contentPolicy('self'))
      // Careful: without it browsers post the form with a null origin, which is turned away.
      .header('referrer-policy', 'same-origin')
      .type('text/html; charset=utf-8')
      .send(pageOf(speaker(locale), locale, refused))
  )
}

function pageOf(say: Words, locale: Locale, refused: Refused | undefined): string {
  const trouble = refused
    ? `<p class="trouble" id="trouble" role="alert">${escaped(say(refused.key, refused.params))}</p>`
    : ''
  const described = refused ? 'about trouble' : 'about'
  return `<!doctype html>
<html lang="${locale}">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${escaped(say('web.login-title'))} · Zimagine</title>
    <link rel="icon" href="/icon.svg" />
    <link rel="stylesheet" href="/login.css" />
  </head>
  <body>
    <main>
      <h1>Zimagine</h1>
      <p id="about">${escaped(say('web.login-about'))}</p>
      <form method="post" action="/login?locale=${locale}">
        <label for="token">${escaped(say('web.login-token'))}</label>
        <input id="token" name="token" type="password" autocomplete="current-password"
          required autofocus aria-describedby="${described}" />
        ${trouble}
        <button>${escaped(say('web.login-send'))}</button>
      </form>
    </main>
  </body>
</html>
`
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
