/** The login: what is open without it, what the cookie is worth and for how long, and guessing. */
import assert from 'node:assert/strict'
import { after, afterEach, describe, it } from 'node:test'
import { catalogues } from '../../../src/chat/i18n.ts'
import { newDatabase } from '../../store/database.ts'
import { here, House, post } from './playground.ts'

const house = new House(await newDatabase())
const webToken = 'a token of more than 16'

after(() => house.close())
afterEach(() => house.leave())

/** Sends the form as a browser does. */
function logIn(url: string, token: string, more: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/login`, {
    method: 'POST',
    headers: { origin: url, ...more },
    body: new URLSearchParams({ token }),
    redirect: 'manual',
  })
}

/** The cookie of a login that succeeds. */
async function cookieOf(url: string): Promise<string> {
  const response = await logIn(url, webToken)
  assert.equal(response.status, 303)
  return response.headers.getSetCookie()[0]!.split(';')[0]!
}

async function statusWith(url: string, cookie: string): Promise<number> {
  return (await fetch(`${url}/api/words`, { headers: { cookie } })).status
}

/** A playground whose clock is the test's. */
async function serveAt(nowMs: () => number) {
  return house.serve({ webToken, services: { ...house.services, now: nowMs } })
}

describe('without the token', () => {
  it('nothing is to be had but the login, its look, and whether all is well', async () => {
    const { url } = await house.serve({ webToken })
    const statuses: [string, number][] = []
    for (const path of [
      '/',
      '/page.js',
      '/api/words',
      '/api/place',
      '/api/messages',
      '/api/events',
      `/pictures/${'0'.repeat(64)}.png`,
      '/metrics',
      '/nothing',
      '/login',
      '/login.css',
      '/icon.svg',
      '/healthz',
    ]) {
      statuses.push([path, (await fetch(url + path, { redirect: 'manual' })).status])
    }

    assert.deepEqual(
      statuses.filter(([, status]) => status !== 401),
      [
        ['/', 303],
        ['/login', 200],
        ['/login.css', 200],
        ['/icon.svg', 200],
        ['/healthz', 200],
      ],
    )
    assert.equal((await post(url, '/api/say', { ...here, nonce: 'n', text: 'a fox' })).status, 401)
    assert.equal(house.heard.length, 0)
  })

  it('the page leads to the login, which speaks the language of who comes', async () => {
    const { url } = await house.serve({ webToken })

    const response = await fetch(url, { headers: { 'accept-language': 'zh' } })

    assert.equal(new URL(response.url).pathname, '/login')
    assert.match(await response.text(), new RegExp(catalogues['zh-CN']['web.login-about']))
    assert.match(response.headers.get('content-security-policy') ?? '', /form-action 'self'/)
  })
})

describe('the token', () => {
  it('is exchanged for a cookie that scripts and other sites do not get', async () => {
    const { url } = await house.serve({ webToken })

    const response = await logIn(url, webToken)

    const [cookie = ''] = response.headers.getSetCookie()
    assert.match(cookie, /; HttpOnly(?:;|$)/)
    assert.match(cookie, /; SameSite=Strict(?:;|$)/)
    assert.equal(response.headers.get('location'), '/')
    assert.equal(await statusWith(url, cookie.split(';')[0]!), 200)
  })

  it('opens the metrics to who bears it', async () => {
    const { url } = await house.serve({ webToken })
    const metrics = (token: string): Promise<Response> =>
      fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })

    assert.equal(await (await metrics(webToken)).text(), 'up 1\n')
    assert.equal((await metrics('another token')).status, 401)
  })

  it('is not taken from a form on another site', async () => {
    const { url } = await house.serve({ webToken })

    const response = await logIn(url, webToken, { origin: 'http://evil.example' })

    assert.equal(response.status, 403)
    assert.deepEqual(response.headers.getSetCookie(), [])
  })
})

describe('a cookie', () => {
  it('outlives a restart, but not a change of the token', async () => {
    const first = await house.serve({ webToken })
    const cookie = await cookieOf(first.url)
    await house.leave()

    const second = await house.serve({ webToken })
    const third = await house.serve({ webToken: `${webToken}, changed` })

    assert.equal(await statusWith(second.url, cookie), 200)
    assert.equal(await statusWith(third.url, cookie), 401)
  })

  it('is over after thirty days', async () => {
    let nowMs = Date.UTC(2026, 0, 1)
    const { url } = await serveAt(() => nowMs)
    const cookie = await cookieOf(url)

    nowMs += 30 * 86_400_000 - 1
    const before = await statusWith(url, cookie)
    nowMs += 1

    assert.deepEqual([before, await statusWith(url, cookie)], [200, 401])
  })

  it('is worth nothing with another signature or another end', async () => {
    const { url } = await house.serve({ webToken })
    const cookie = await cookieOf(url)
    const [, until = '', signature = ''] = /=(\d+)\.(\w+)$/.exec(cookie) ?? []

    for (const forged of [
      `zimagine=${Number(until) + 1}.${signature}`,
      `zimagine=${until}.${'0'.repeat(64)}`,
      `zimagine=${until}.`,
      `zimagine=${until}`,
      'zimagine=',
    ]) {
      assert.equal(await statusWith(url, forged), 401, forged)
    }
  })
})

describe('guessing the token', () => {
  it('ends after five guesses in a minute, even for the right one, and is told when to come back', async () => {
    let nowMs = Date.UTC(2026, 0, 1)
    const { url } = await serveAt(() => nowMs)
    const statuses: number[] = []
    for (let k = 0; k < 8; k += 1) statuses.push((await logIn(url, `guess ${k}`)).status)

    const locked = await logIn(url, webToken)
    nowMs += Number(locked.headers.get('retry-after')) * 1000

    assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429, 429])
    assert.equal(locked.status, 429)
    assert.match(await locked.text(), /Too many wrong tokens were tried\. Try again in 1 second\./)
    assert.equal((await logIn(url, webToken)).status, 303)
  })

  it('is no faster by a header than by the form', async () => {
    const { url } = await serveAt(() => Date.UTC(2026, 0, 1))
    const statuses: number[] = []
    for (let k = 0; k < 7; k += 1) {
      const headers = { authorization: `Bearer guess-${k}` }
      statuses.push((await fetch(`${url}/metrics`, { headers })).status)
    }

    assert.deepEqual(statuses.slice(5), [429, 429])
    assert.equal((await logIn(url, webToken)).status, 429)
  })

  it('puts nobody out who is in', async () => {
    const { url } = await house.serve({ webToken })
    const cookie = await cookieOf(url)
    for (let k = 0; k < 8; k += 1) await logIn(url, `guess ${k}`)

    assert.equal(await statusWith(url, cookie), 200)
  })

  for (const [what, body] of [
    ['is empty', ''],
    ['is too long', `token=${'x'.repeat(2_000)}`],
    ['has more than a token', `token=${encodeURIComponent(webToken)}&as=admin`],
  ] as const) {
    it(`gets no cookie by a form that ${what}`, async () => {
      const { url } = await house.serve({ webToken })

      const response = await fetch(`${url}/login`, {
        method: 'POST',
        headers: { origin: url, 'content-type': 'application/x-www-form-urlencoded' },
        body,
      })

      assert.equal(response.status, 400)
      assert.deepEqual(response.headers.getSetCookie(), [])
    })
  }
})

describe('with the token', () => {
  it('nobody is who runs the program by choosing so', async () => {
    const { url } = await house.serve({ webToken })
    const cookie = await cookieOf(url)
    const nonce = 'as-vera'
    await fetch(`${url}/api/say`, {
      method: 'POST',
      headers: { cookie, origin: url, 'content-type': 'application/json' },
      body: JSON.stringify({ ...here, member: 'vera', nonce, text: 'a fox' }),
    })
    assert.equal(house.heard.at(-1)?.isOperator, false)
  })
})
