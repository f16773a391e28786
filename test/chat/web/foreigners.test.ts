/** Who may talk to the page, and what browsers are told to forbid: DNS rebinding, CSRF, framing. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { after, afterEach, describe, it } from 'node:test'
import { catalogues } from '../../../src/chat/i18n.ts'
import { serveWeb } from '../../../src/chat/web/server.ts'
import { newDatabase } from '../../store/database.ts'
import { here, House, newNonce, post } from './playground.ts'

const house = new House(await newDatabase())

after(() => house.close())
afterEach(() => house.leave())

/** A request with headers that `fetch` would not send. */
async function statusOf(url: string, headers: Record<string, string>, method = 'GET') {
  const sent = request(url, { method, headers, agent: false }).end()
  const [response] = await once(sent, 'response')
  response.resume()
  return response.statusCode as number
}

const token = 'a token of more than 16'

describe('who may talk to a page of this machine', () => {
  it('is whoever calls it by a name of this machine, at any port', async () => {
    const { url } = await house.serve()

    for (const host of ['localhost', '127.0.0.1:80', '[::1]:7860', '127.9.9.9', 'LOCALHOST:1']) {
      assert.equal(await statusOf(`${url}/`, { host }), 200, host)
    }
  })

  it('is nobody who calls it by another name', async () => {
    const { url } = await house.serve()

    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'evil.example:7860',
      '192.168.0.2',
      '[::]',
    ]) {
      for (const path of ['/', '/api/words', '/api/events', '/healthz', '/metrics', '/nothing']) {
        assert.equal(await statusOf(url + path, { host }), 421, host + path)
      }
    }
  })

  it('is no other page: a foreign or missing origin says nothing', async () => {
    const { url } = await house.serve()
    const { port } = new URL(url)
    const body = { ...here, nonce: newNonce(), text: 'a fox' }

    for (const origin of [
      'http://evil.example',
      'null',
      '',
      `https://127.0.0.1:${port}`,
      `http://localhost:${port}`,
      'http://127.0.0.1:1',
    ]) {
      assert.equal((await post(url, '/api/say', body, { origin })).status, 403, origin)
    }
    const headers = { 'content-type': 'application/json' }
    assert.equal(await statusOf(`${url}/api/say`, headers, 'POST'), 403)
    assert.equal(house.heard.length, 0)
  })

  it('is no other page that only asks', async () => {
    const { url } = await house.serve()
    const headers = { 'sec-fetch-site': 'cross-site' }

    assert.equal(await statusOf(`${url}/api/events`, headers), 403)
    // A link from elsewhere leads here all the same.
    assert.equal(await statusOf(`${url}/`, headers), 200)
  })
})

describe('who may talk to a page that others can reach', () => {
  it('is who calls it by its name, or by an address if it is served at all of them', async () => {
    const { url } = await house.serve({ host: '0.0.0.0', webToken: token })
    const { port } = new URL(url)
    const address = `http://127.0.0.1:${port}/healthz`

    for (const host of ['localhost', '192.168.0.2:7860', '[fe80::1]:7860']) {
      assert.equal(await statusOf(address, { host }), 200, host)
    }
    for (const host of ['evil.example', 'my-desk', '1.2.3.4.evil.example']) {
      assert.equal(await statusOf(address, { host }), 421, host)
    }
  })

  it('may come through something that speaks TLS', async () => {
    const { url } = await house.serve({ host: '0.0.0.0', webToken: token })
    const { host, port } = new URL(url)
    const statusFrom = (origin: string): Promise<number> =>
      statusOf(`http://127.0.0.1:${port}/login`, { host, origin }, 'POST')

    assert.equal(await statusFrom('https://evil.example'), 403)
    assert.notEqual(await statusFrom(`https://${host}`), 403)
  })
})

describe('somebody turned away', () => {
  it('reads in their language where the page is', async () => {
    const { url } = await house.serve()

    const sent = request(url, { headers: { host: 'my-desk:7860', 'accept-language': 'zh' } }).end()
    const [response] = await once(sent, 'response')

    assert.equal(
      Buffer.concat(await response.toArray()).toString(),
      catalogues['zh-CN']['web.wrong-host'],
    )
  })
})

describe('what every answer says to the browser', () => {
  it('is a policy without inline code, foreign resources or frames', async () => {
    const { url } = await house.serve()

    for (const path of ['/', '/page.js', '/api/words', '/nothing']) {
      const { headers } = await fetch(url + path)
      assert.equal(
        headers.get('content-security-policy'),
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
          "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      )
      assert.equal(headers.get('x-content-type-options'), 'nosniff')
      assert.equal(headers.get('referrer-policy'), 'no-referrer')
      assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin')
    }
  })

  it('is the same where somebody is turned away', async () => {
    const { url } = await house.serve()

    const { headers } = await post(url, '/api/say', {}, { origin: 'http://evil.example' })

    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/)
  })
})

describe('where the page is served', () => {
  const options = {
    services: house.services,
    router: { handle: async () => [] },
    commands: [],
    events: { subscribe: () => () => undefined },
    log: { error: () => undefined },
    health: async () => ({ isOk: true }),
    metrics: async () => ({ contentType: 'text/plain', body: '' }),
    webToken: undefined,
  }

  it('is never where others can reach it, unless there is a token', async () => {
    for (const host of ['0.0.0.0', '::', '192.168.0.2', 'example.com', '127.0.0.1.example.com']) {
      await assert.rejects(serveWeb({ ...options, host, port: 0 }), {
        code: 'listen-failed',
        params: { host, port: 0, reason: 'remote' },
      })
    }
  })

  it('is refused by name when the port is taken', async () => {
    const { port } = new URL((await house.serve()).url)

    await assert.rejects(serveWeb({ ...options, host: '127.0.0.1', port: Number(port) }), {
      code: 'port-taken',
      params: { host: '127.0.0.1', port: Number(port) },
    })
  })
})
