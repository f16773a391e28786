/** Every way in which a wish ends without its picture is a sentence in both languages. */
import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { catalogues } from '../../../src/chat/i18n.ts'
import { UserError } from '../../../src/core/errors.ts'
import {
  type Draw,
  closeAll,
  eventsOf,
  paint,
  pictureOf,
  post,
  refusalOf,
  serve,
} from './hand-drawn.ts'

afterEach(closeAll)

describe('a refused wish', () => {
  const wrong: readonly [string, unknown, field: string, RegExp, RegExp][] = [
    ['an empty prompt', { prompt: ' ' }, 'prompt', /^Say what/, /^请描述/],
    ['a prompt over 2,000', { prompt: 'x'.repeat(2001) }, 'prompt', /2,000/, /2,000/],
    ['no prompt', {}, 'prompt', /^Say what/, /^请描述/],
    [
      'a long negative prompt',
      { prompt: 'a', negativePrompt: 'x'.repeat(2001) },
      'negativePrompt',
      /2,000/,
      /2,000/,
    ],
    ['a seed in words', { prompt: 'a', seed: 'abc' }, 'seed', /seed.*abc/, /种子.*abc/],
    ['a width in words', { prompt: 'a', width: 'wide' }, 'width', /width.*wide/, /宽度.*wide/],
  ]
  for (const [name, body, field, english, chinese] of wrong) {
    it(`names the field and says a sentence in both languages for ${name}`, async () => {
      const url = await serve()

      const response = await post(url, body)
      const refusal = await refusalOf(response)

      assert.equal(response.status, 400)
      assert.equal(refusal.field, field)
      assert.match(refusal.sentences['en-US'], english)
      assert.match(refusal.sentences['zh-CN'], chinese)
    })
  }

  it('takes a prompt of exactly 2,000', async () => {
    const url = await serve()

    const events = await eventsOf(await post(url, { prompt: 'x'.repeat(2000) }))

    assert.equal(events.at(-1)?.type, 'picture')
  })

  for (const [name, body, status] of [
    ['broken JSON', '{"prompt":', 400],
    ['an option nobody knows', { prompt: 'a', precision: 'fp32' }, 400],
    ['a prototype', '{"prompt":"a","__proto__":{"seed":1}}', 400],
    ['an image that is not base64', { prompt: 'a', image: '*' }, 400],
    ['more than 28 MiB', `{"prompt":"${'x'.repeat(28 * 2 ** 20)}"}`, 413],
  ] as const) {
    it(`answers ${name} with ${status} and a sentence`, async () => {
      const url = await serve()

      const response = await post(url, body)

      assert.equal(response.status, status)
      const key = status === 413 ? 'web.request-too-large' : 'web.request-invalid'
      assert.equal((await refusalOf(response)).sentences['en-US'], catalogues['en-US'][key])
    })
  }

  it('does not read what is not JSON', async () => {
    const url = await serve()

    const response = await post(url, '{"prompt":"a"}', { 'content-type': 'text/plain' })

    assert.equal(response.status, 415)
    assert.equal((await refusalOf(response)).field, undefined)
  })
})

describe('a drawing that fails', () => {
  function failing(error: unknown): Draw {
    return async function* () {
      yield { kind: 'step', index: 1, evaluations: 2, sigma: 0.5 }
      throw error
    }
  }

  it('ends its stream with the sentence of an expected failure', async () => {
    const error = new UserError('runner-crashed', { signal: 'SIGKILL', exitCode: 'none' })
    const url = await serve({ draw: failing(error) })

    const events = await eventsOf(await post(url, { prompt: 'a fox' }))
    const last = events.at(-1)

    assert.ok(last?.type === 'error')
    assert.match(last.sentences['en-US'], /SIGKILL/)
    assert.match(last.sentences['zh-CN'], /SIGKILL/)
    assert.equal(last.field, undefined)
  })

  const spec = { field: 'width', expected: 'a multiple of 16', got: 100 }
  for (const [error, field] of [
    [new UserError('spec-invalid', spec), 'width'],
    [new UserError('image-broken', { reason: 'truncated' }), 'image'],
  ] as const) {
    it(`names the field that ${error.code} is about`, async () => {
      const url = await serve({ draw: failing(error) })

      const last = (await eventsOf(await post(url, { prompt: 'a fox' }))).at(-1)

      assert.ok(last?.type === 'error')
      assert.equal(last.field, field)
    })
  }

  it('keeps what is inside to the log', async () => {
    const logged: string[] = []
    const error = new Error('internal: secret of /home/someone')
    const url = await serve({ draw: failing(error), log: (line) => logged.push(line) })

    const text = await (await post(url, { prompt: 'a fox' })).text()

    assert.doesNotMatch(text, /secret/)
    assert.match(text, /Something broke inside Zimagine/)
    assert.match(logged.join(), /^web: Error: internal: secret[\s\S]*refusal\.test\.ts/)
  })

  it('still serves the next wish', async () => {
    let draws = 0
    const url = await serve({
      draw: (spec, signal) =>
        draws++ === 0 ? failing(new Error('first'))(spec, signal) : paint(spec),
    })
    await (await post(url, { prompt: 'a fox' })).text()

    assert.equal((await pictureOf(url, 1)).seed, 1)
  })
})
