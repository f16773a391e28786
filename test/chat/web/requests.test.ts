/** Whatever is asked, the answer is a sentence: nothing malformed gets past its form, none breaks us. */
import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { catalogues } from '../../../src/chat/i18n.ts'
import { UserError } from '../../../src/core/errors.ts'
import { newDatabase } from '../../store/database.ts'
import { ask, here, House, newNonce, post, say } from './playground.ts'

const house = new House(await newDatabase())
let url = ''

after(() => house.close())
before(async () => {
  url = (await house.serve()).url
})

const said = { ...here, nonce: 'n', text: 'a fox' }
const words = catalogues['en-US']

async function refusalOf(response: Response): Promise<{ status: number; body: unknown }> {
  return { status: response.status, body: await response.json() }
}

describe('what is posted', () => {
  for (const [what, body, status] of [
    ['broken JSON', '{"guild":', 400],
    ['nothing', '', 400],
    ['a list', '[]', 400],
    ['a name that nobody knows', { ...said, precision: 'fp32' }, 400],
    ['a prototype', '{"text":"a","__proto__":{"nonce":"n"}}', 400],
    ['a nonce with a slash', { ...said, nonce: 'answer/mei' }, 400],
    ['no nonce', { ...here, text: 'a fox' }, 400],
    ['a reply to words', { ...said, replyToId: 'the last one' }, 400],
    ['a reply past all numbers', { ...said, replyToId: '9'.repeat(19) }, 400],
    ['an attachment that is not base64', attached({ base64: '***=' }), 400],
    ['an attachment without a name', attached({ fileName: '' }), 400],
    ['five attachments', { ...said, attachments: Array(5).fill(attachment()) }, 400],
    ['a locale that we do not speak', { ...said, locale: 'fr' }, 400],
    ['a guild that is not there', { ...said, guild: 'elsewhere' }, 404],
    ['more than 28 MiB', JSON.stringify({ ...said, text: 'x'.repeat(28 * 2 ** 20) }), 413],
  ] as const) {
    it(`is refused with ${status} and a sentence when it is ${what}`, async () => {
      const refusal = await refusalOf(await post(url, '/api/say', body))

      const key =
        status === 413
          ? 'web.request-too-large'
          : status === 404
            ? 'web.place-unknown'
            : 'web.request-invalid'
      assert.deepEqual(refusal, { status, body: { error: words[key] } })
      assert.equal(house.heard.length, 0)
    })
  }

  it('is not read when it is not JSON', async () => {
    const headers = { 'content-type': 'text/plain' }

    const response = await post(url, '/api/say', JSON.stringify(said), headers)

    assert.equal(response.status, 415)
    assert.equal(house.heard.length, 0)
  })

  it('is told its limit when its text is too long', async () => {
    const { status, body } = await refusalOf(
      await post(url, '/api/say', { ...said, text: 'x'.repeat(8_001), nonce: newNonce() }),
    )

    assert.equal(status, 400)
    assert.match(JSON.stringify(body), /too long: at most 4,000 characters/)
  })

  it('may be a picture of 20 MiB', async () => {
    const base64 = Buffer.alloc(20 * 2 ** 20).toString('base64')
    const attachments = [{ fileName: 'large.png', base64 }]

    const response = await post(url, '/api/say', { ...said, attachments, nonce: newNonce() })

    assert.equal(response.status, 200)
    const handed = house.heard.splice(0)[0]
    assert.ok(handed?.kind === 'text' && handed.attachments[0]?.kind === 'upload')
    assert.equal(handed.attachments[0].bytes.byteLength, 20 * 2 ** 20)
  })
})

describe('a text with what no database keeps', () => {
  it('loses it', async () => {
    const { message } = await say(url, 'a \u0000fox\ud800', { nonce: newNonce() })

    assert.equal(message?.message.text, 'a fox\ufffd')
    house.heard.splice(0)
  })
})

describe('an answer that fails', () => {
  it('keeps what is inside to the log', async () => {
    house.logged.splice(0)
    house.answer = () => {
      throw new Error('internal: secret of /home/someone')
    }

    const response = await post(url, '/api/say', { ...said, nonce: newNonce(), locale: 'zh-CN' })

    assert.equal(response.status, 500)
    assert.deepEqual(await response.json(), { error: catalogues['zh-CN']['web.broken'] })
    assert.match(
      house.logged.join(),
      /^a request to the playground failed: Error: internal: secret[\s\S]*requests\.test\.ts/,
    )
  })

  it('has the sentence of an expected failure', async () => {
    house.answer = () => {
      throw new UserError('guild-not-served', {})
    }

    const response = await post(url, '/api/say', { ...said, nonce: newNonce() })

    assert.deepEqual(await refusalOf(response), {
      status: 400,
      body: { error: words['errors.guild-not-served'] },
    })
  })

  it('is asked for anew when it is sent again', async () => {
    const nonce = newNonce()
    house.answer = () => {
      throw new Error('once')
    }
    await post(url, '/api/say', { ...said, nonce })
    house.answer = () => []

    assert.equal((await post(url, '/api/say', { ...said, nonce })).status, 200)
  })
})

describe('200 malformed bodies', () => {
  const junk = fc.oneof(
    fc.anything({ maxDepth: 2 }),
    fc.string(),
    fc.constantFrom(
      null,
      -1,
      Number.MAX_VALUE,
      '\u0000',
      '../../etc/passwd',
      "'; DROP TABLE jobs; --",
      {},
    ),
  )
  const names = ['guild', 'channel', 'member', 'locale', 'nonce', 'text', 'replyToId', 'picture']
  const more = ['attachments', 'action', 'fields', 'messageId', 'constructor', '__proto__']
  const body = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .dictionary(fc.constantFrom(...names, ...more), junk, { maxKeys: 4 })
      .map((wrong) => written({ ...said, action: 'v1:again:7k2mz0q9xa', ...wrong })),
    fc
      .record({ text: fc.string({ unit: 'binary' }), nonce: fc.constantFrom('a', 'b', 'c') })
      .map((some) => written({ ...said, ...some })),
  )

  it('give no 5xx, and always JSON', async () => {
    house.answer = () => []
    house.logged.splice(0)
    const statuses = new Map<number, number>()
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('/api/say', '/api/press'), body, async (path, text) => {
        const response = await post(url, path, text)
        await response.json()
        assert.ok(response.status < 500, `${response.status} for ${text.slice(0, 200)}`)
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
      }),
      { numRuns: 200 },
    )
    console.log('measured: answers by status', JSON.stringify(Object.fromEntries(statuses)))
    assert.deepEqual(house.logged, [])
  })

  it('give no 5xx in addresses either', async () => {
    const paths = ['messages', 'status', 'complete', 'events', 'place', 'commands']
    const query = fc.dictionary(
      fc.constantFrom('guild', 'channel', 'member', 'before', 'kind', 'prefix', 'locale', 'x'),
      fc.oneof(fc.string(), fc.constantFrom('fox-den', 'mei', '1', 'job', '%', '_')),
      { minKeys: 1 },
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), query, async (path, query) => {
        const response = await ask(url, `/api/${path}`, query)
        await response.body?.cancel()
        assert.ok(response.status < 500, `${response.status} for ${path} ${JSON.stringify(query)}`)
      }),
      { numRuns: 100 },
    )
    assert.deepEqual(house.logged, [])
  })
})

function attachment(): object {
  return { fileName: 'fox.png', base64: 'AAAA' }
}

function attached(facts: object): object {
  return { ...said, attachments: [{ ...attachment(), ...facts }] }
}

/** As JSON, whatever it is. */
function written(value: unknown): string {
  try {
    return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? 1 : each)) ?? ''
  } catch {
    return '{'
  }
}
