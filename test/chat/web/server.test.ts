/** What the page is served and how a drawing travels, over real sockets. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { afterEach, describe, it } from 'node:test'
import { catalogues } from '../../../src/chat/i18n.ts'
import { serveWeb } from '../../../src/chat/web/server.ts'
import { decodeImage, encodeImage } from '../../../src/engine/image.ts'
import type { PictureSpec } from '../../../src/engine/pipeline.ts'
import {
  type Draw,
  closeAll,
  eventsOf,
  facts,
  paint,
  pictureOf,
  pixelsOf,
  post,
  serve,
} from './hand-drawn.ts'

afterEach(closeAll)

describe('a drawing over the wire', () => {
  it('streams steps with previews, then the picture with seed, address, size and time', async () => {
    const url = await serve()

    const response = await post(url, { prompt: 'a fox', seed: 42 })
    const [first, second, picture, ...others] = await eventsOf(response)

    assert.equal(response.headers.get('content-type'), 'application/x-ndjson')
    assert.ok(first?.type === 'step' && second?.type === 'step' && picture?.type === 'picture')
    assert.deepEqual([first.index, second.index, first.evaluations], [1, 2, 2])
    const preview = Buffer.from(first.previews[0]!.replace('data:image/png;base64,', ''), 'base64')
    assert.deepEqual(await decodeImage(preview), pixelsOf(42, 2))
    assert.deepEqual([picture.seed, picture.width, picture.height], [42, 16, 16])
    assert.match(picture.url, /^\/pictures\/[0-9a-f]{32}\.png$/)
    assert.ok(Number.isInteger(picture.elapsedMs) && picture.elapsedMs >= 0)
    assert.deepEqual(others, [])
  })

  it('sends a step before the next one is drawn', async () => {
    const second = Promise.withResolvers<void>()
    const url = await serve({
      draw: async function* () {
        yield { kind: 'step', index: 1, evaluations: 2, sigma: 0.5 }
        await second.promise
      },
    })

    const response = await post(url, { prompt: 'a fox' })
    const { value } = await response.body!.getReader().read()
    second.resolve()

    assert.match(Buffer.from(value ?? []).toString(), /^\{"type":"step","index":1,/)
  })

  it('serves the picture without loss under a name with its seed', async () => {
    const url = await serve()
    const picture = await pictureOf(url, 42)

    const response = await fetch(url + picture.url)

    assert.equal(response.headers.get('content-type'), 'image/png')
    assert.equal(response.headers.get('content-disposition'), 'inline; filename="zimagine-42.png"')
    assert.deepEqual(await decodeImage(await response.bytes()), pixelsOf(42))
  })

  it('gives every picture of a wish its own line and address', async () => {
    const url = await serve()

    const events = await eventsOf(await post(url, { prompt: 'a fox', seed: 7, count: 3 }))

    const pictures = events.filter((event) => event.type === 'picture')
    assert.deepEqual(
      pictures.map(({ seed }) => seed),
      [7, 8, 9],
    )
    assert.equal(new Set(pictures.map((picture) => picture.url)).size, 3)
  })

  it('keeps the latest 64 pictures and says that an older one is gone', async () => {
    const url = await serve()
    const pictures = []
    for (let seed = 0; seed < 65; seed++) pictures.push(await pictureOf(url, seed))

    const oldest = await fetch(url + pictures[0]!.url, { headers: { 'accept-language': 'zh' } })
    const next = await fetch(url + pictures[1]!.url)

    assert.equal(oldest.status, 404)
    assert.equal(await oldest.text(), catalogues['zh-CN']['web.not-found'])
    assert.equal(next.status, 200)
  })

  it('hands every option on, the starting picture as its bytes', async () => {
    const specs: PictureSpec[] = []
    const url = await serve({
      draw: (spec) => {
        specs.push(spec)
        return paint(spec)
      },
    })
    const image = await encodeImage(pixelsOf(9), 'png')
    const sizes = { width: 32, height: 48, evaluations: 3, guidance: 1.5, strength: 0.7, count: 2 }
    const texts = { prompt: '三个气球', negativePrompt: 'blur', imageName: 'start.png' }

    const wish = { ...texts, ...sizes, seed: 2 ** 32 - 1 }
    await (await post(url, { ...wish, image: Buffer.from(image).toString('base64') })).text()

    assert.deepEqual(specs, [{ ...wish, preview: true, image: Buffer.from(image) }])
  })

  it('chooses a seed when none is given, another one each time', async () => {
    const seeds: number[] = []
    const url = await serve({
      draw: (spec) => {
        seeds.push(spec.seed)
        return paint(spec)
      },
    })

    for (let k = 0; k < 3; k++) await (await post(url, { prompt: 'a fox' })).text()

    assert.ok(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
    assert.equal(new Set(seeds).size, 3)
  })

  it('takes a starting picture of 20 MiB', async () => {
    let sizeBytes = 0
    const url = await serve({
      draw: (spec) => {
        sizeBytes = spec.image!.byteLength
        return paint(spec)
      },
    })
    const image = Buffer.alloc(20 * 2 ** 20).toString('base64')

    await (await post(url, { prompt: 'a fox', image })).text()

    assert.equal(sizeBytes, 20 * 2 ** 20)
  })
})

describe('a cancelled drawing', () => {
  /** Draws until its signal is aborted; `ended` tells that it was. */
  function endless() {
    const ended = Promise.withResolvers<void>()
    const draw: Draw = async function* (_, signal) {
      signal.addEventListener('abort', () => ended.resolve())
      yield { kind: 'step', index: 1, evaluations: 2, sigma: 0.5 }
      await ended.promise
      throw signal.reason
    }
    return { draw, ended: ended.promise }
  }

  it('ends when its connection closes, without a word in the log', async () => {
    const { draw, ended } = endless()
    const logged: string[] = []
    const url = await serve({ draw, log: (line) => logged.push(line) })
    const response = await post(url, { prompt: 'a fox' })
    const reader = response.body!.getReader()
    await reader.read()

    await reader.cancel()

    await ended
    assert.deepEqual(logged, [])
  })

  it('ends when the page is closed', async () => {
    const { draw, ended } = endless()
    const url = await serve({ draw })
    const response = await post(url, { prompt: 'a fox' })

    await closeAll()

    await ended
    await assert.rejects(response.text())
  })
})

describe('the files of the page', () => {
  const folder = new URL('../../../src/chat/web/', import.meta.url)
  const texts = readdirSync(folder)
    .filter((name) => /\.(?:html|css|js)$/.test(name))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))

  it('are all served, each with its type', async () => {
    const url = await serve()
    const types = {
      html: 'text/html',
      css: 'text/css',
      js: 'text/javascript',
      svg: 'image/svg+xml',
    }

    for (const name of readdirSync(folder).filter((name) => !name.endsWith('.ts'))) {
      const response = await fetch(`${url}/${name === 'page.html' ? '' : name}`)
      const extension = name.split('.').at(-1) as keyof typeof types
      assert.equal(response.status, 200, name)
      assert.ok(response.headers.get('content-type')?.startsWith(types[extension]), name)
      assert.equal(await response.text(), readFileSync(new URL(name, folder), 'utf8'))
    }
  })

  it('name nothing on another machine', () => {
    for (const text of texts) assert.doesNotMatch(text, /https?:\/\//)
  })

  it('say only words that both catalogues have, and the catalogues have no others', () => {
    const sources = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'))
    const said = new Set(sources.join().match(/\bweb\.[a-z]+[a-z0-9-]*(?=['"])/g))

    for (const catalogue of Object.values(catalogues)) {
      const known = Object.keys(catalogue).filter((key) => key.startsWith('web.'))
      assert.deepEqual([...said].toSorted(), known.toSorted())
    }
  })
})

describe('the words and facts of the page', () => {
  for (const [tags, locale] of [
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh-CN'],
    ['fr;q=0.9,en;q=0.5', 'en-US'],
  ] as const) {
    it(`offer ${locale} to a browser that prefers ${tags}`, async () => {
      const url = await serve()

      const response = await fetch(`${url}/api/words`, { headers: { 'accept-language': tags } })
      const body = (await response.json()) as { locale: string; catalogues: typeof catalogues }

      assert.equal(body.locale, locale)
      assert.equal(body.catalogues['zh-CN']['web.draw'], catalogues['zh-CN']['web.draw'])
      assert.equal(body.catalogues['en-US']['cli.help'], undefined)
    })
  }

  it('name the model and its defaults', async () => {
    const url = await serve()

    assert.deepEqual(await (await fetch(`${url}/api/model`)).json(), facts)
  })

  it('tell a watchdog that the page is there', async () => {
    const url = await serve()

    assert.deepEqual(await (await fetch(`${url}/healthz`)).json(), { ok: true })
  })
})

describe('where the page is served', () => {
  const options = { draw: paint, facts: async () => facts, log: (): void => {} }

  it('is never where others can reach it', async () => {
    for (const host of ['0.0.0.0', '::', '192.168.0.2', 'example.com', '127.0.0.1.example.com']) {
      await assert.rejects(serveWeb({ ...options, host, port: 0 }), {
        code: 'listen-failed',
        params: { host, port: 0, reason: 'remote' },
      })
    }
  })

  it('is refused by name when the port is taken', async () => {
    const { port } = new URL(await serve())

    await assert.rejects(serveWeb({ ...options, host: '127.0.0.1', port: Number(port) }), {
      code: 'port-taken',
      params: { host: '127.0.0.1', port: Number(port) },
    })
  })
})
