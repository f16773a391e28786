/** Who may talk to the page, and what browsers are told to forbid: DNS rebinding, CSRF, framing. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request } from 'node:http'
import { afterEach, describe, it } from 'node:test'
import { catalogues } from '../../../src/chat/i18n.ts'
import { closeAll, paint, post, serve } from './hand-drawn.ts'

afterEach(closeAll)

/** A request with headers that `fetch` would not send. */
async function statusOf(url: string, headers: Record<string, string>, method = 'GET') {
  const sent = request(url, { method, headers, agent: false }).end()
  const [response] = await once(sent, 'response')
  response.resume()
  return response.statusCode as number
}

describe('who may talk to the page', () => {
  it('is whoever calls it by a name of this machine, at any port', async () => {
    const url = await serve()

    for (const host of ['localhost', '127.0.0.1:80', '[::1]:7860', '127.9.9.9', 'LOCALHOST:1']) {
      assert.equal(await statusOf(`${url}/`, { host }), 200, host)
    }
  })

  it('is nobody who calls it by another name', async () => {
    const url = await serve()

    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'evil.example:7860',
      '192.168.0.2',
      '[::]',
    ]) {
      for (const path of ['/', '/api/words', '/healthz', '/pictures/a.png', '/nothing']) {
        assert.equal(await statusOf(url + path, { host }), 421, host + path)
      }
    }
  })

  it('is no other page: a foreign or missing origin draws nothing', async () => {
    let draws = 0
    const url = await serve({
      draw: (spec) => {
        draws++
        return paint(spec)
      },
    })
    const { port } = new URL(url)

    for (const origin of [
      'http://evil.example',
      'null',
      '',
      `https://127.0.0.1:${port}`,
      `http://localhost:${port}`,
      'http://127.0.0.1:1',
    ]) {
      assert.equal((await post(url, { prompt: 'a fox' }, { origin })).status, 403, origin)
    }
    const headers = { 'content-type': 'application/json' }
    assert.equal(await statusOf(`${url}/api/imagine`, headers, 'POST'), 403)
    assert.equal(draws, 0)
  })
})

describe('somebody turned away', () => {
  it('reads in their language where the page is', async () => {
    const url = await serve()

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
    const url = await serve()

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
    const url = await serve()

    const { headers } = await post(url, {}, { origin: 'http://evil.example' })

    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/)
  })
})
