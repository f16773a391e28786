/** What the page is served: its files and words, the place, what can be said, and how things stand. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { after, afterEach, describe, it } from 'node:test'
import { catalogues } from '../../../src/chat/i18n.ts'
import type { Status } from '../../../src/chat/web/status.ts'
import { submit } from '../../../src/jobs/submit.ts'
import { announceDevice } from '../../../src/store/devices.ts'
import { newAsked, newSpec } from '../../jobs/admission.ts'
import { newDatabase } from '../../store/database.ts'
import { smallCommands } from '../small-commands.ts'
import { ask, here, House } from './playground.ts'

const house = new House(await newDatabase())

after(() => house.close())
afterEach(() => house.leave())

describe('the files of the page', () => {
  const folder = new URL('../../../src/chat/web/', import.meta.url)
  const names = readdirSync(folder).filter((name) => !name.endsWith('.ts'))
  const texts = names
    .filter((name) => /\.(?:html|css|js)$/.test(name))
    .map((name) => readFileSync(new URL(name, folder), 'utf8'))

  it('are all served, each with its type', async () => {
    const { url } = await house.serve()
    const types = {
      html: 'text/html',
      css: 'text/css',
      js: 'text/javascript',
      svg: 'image/svg+xml',
    }

    for (const name of names) {
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
    const said = new Set(sources.join().match(/\bweb\.[a-z]+[a-z0-9-]*(?=['"`])/g))
    // Words for each of several things: `web.role-${role}`.
    const kinds = sources.join().match(/\bweb\.[a-z]+-(?=\$\{)/g) ?? []

    for (const catalogue of Object.values(catalogues)) {
      const known = Object.keys(catalogue).filter((key) => key.startsWith('web.'))
      const others = known.filter((key) => !kinds.some((kind) => key.startsWith(kind)))
      assert.deepEqual([...said].toSorted(), others.toSorted())
    }
  })
})

describe('the words of the page', () => {
  for (const [tags, locale] of [
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh-CN'],
    ['fr;q=0.9,en;q=0.5', 'en-US'],
  ] as const) {
    it(`offer ${locale} to a browser that prefers ${tags}`, async () => {
      const { url } = await house.serve()

      const response = await fetch(`${url}/api/words`, { headers: { 'accept-language': tags } })
      const body = (await response.json()) as { locale: string; catalogues: typeof catalogues }

      assert.equal(body.locale, locale)
      assert.equal(body.catalogues['zh-CN']['web.language'], catalogues['zh-CN']['web.language'])
      assert.equal(body.catalogues['en-US']['cli.help'], undefined)
    })
  }
})

describe('the place', () => {
  it('has two guilds with two channels and four members each, named in both languages', async () => {
    const { url } = await house.serve()
    const placeIn = async (locale: string) =>
      (await (await ask(url, '/api/place', { locale })).json()) as {
        guilds: { id: string; name: string; channels: object[]; members: { role: string }[] }[]
      }

    const [english, chinese] = [await placeIn('en-US'), await placeIn('zh-CN')]

    assert.deepEqual(
      english.guilds.map(({ id, name }) => [id, name]),
      [
        ['fox-den', 'Fox Den'],
        ['workshop', 'The Workshop'],
      ],
    )
    assert.deepEqual(
      chinese.guilds.map(({ name }) => name),
      ['狐狸窝', '小工坊'],
    )
    for (const { channels, members } of english.guilds) {
      assert.equal(channels.length, 2)
      assert.deepEqual(
        members.map(({ role }) => role),
        ['member', 'member', 'moderator', 'operator'],
      )
    }
  })

  it('has rows from the start, so that everyone can be named', async () => {
    await house.serve()

    const guilds = await house.database.guild.findMany({
      where: { platform: 'web' },
      include: { members: true },
      orderBy: { platformId: 'asc' },
    })

    assert.deepEqual(
      guilds.map(({ platformId, members }) => [platformId, members.length]),
      [
        ['fox-den', 4],
        ['workshop', 4],
      ],
    )
  })

  it('tells which model draws, once one has', async () => {
    const card = { name: 'nano', parameters: 7, defaults: { width: 128, height: 128 } }
    const defaults = { ...card.defaults, evaluations: 8, guidance: 0 }
    const before = await house.serve()
    const modelCard = async () => ({ ...card, defaults })
    const later = await house.serve({ services: { ...house.services, modelCard } })
    const modelAt = async (url: string): Promise<unknown> =>
      ((await (await ask(url, '/api/place')).json()) as { model: unknown }).model

    assert.equal(await modelAt(before.url), null)
    assert.deepEqual(await modelAt(later.url), { name: 'nano', parameters: 7 })
  })
})

describe('what can be said', () => {
  it('is every command with its options, in words of the locale', async () => {
    const { url } = await house.serve({ commands: smallCommands().commands })

    const response = await ask(url, '/api/commands', { locale: 'zh-CN' })

    const commands = (await response.json()) as { path: string; options: object[] }[]
    assert.ok(commands.length > 0)
    for (const { path, options } of commands) assert.ok(path !== '' && Array.isArray(options))
  })

  const complete = async (url: string, kind: string, prefix: string): Promise<unknown> => {
    const { guild, member } = here
    return (await ask(url, '/api/complete', { kind, prefix, guild, member })).json()
  }

  it('is completed with members, channels and roles by id or name', async () => {
    const { url } = await house.serve()

    assert.deepEqual(await complete(url, 'member', 'ru'), [{ value: 'ruth', label: 'Ruth' }])
    assert.deepEqual(await complete(url, 'channel', 'lou'), [{ value: 'lounge', label: 'lounge' }])
    assert.deepEqual(await complete(url, 'role', 'mod'), [
      { value: 'moderator', label: 'moderator' },
    ])
  })

  it('is completed with styles in words of the locale', async () => {
    const { url } = await house.serve()

    assert.deepEqual(await complete(url, 'style', 'waterc'), [
      { value: 'watercolor', label: 'watercolor' },
    ])
  })

  it("is completed with one's own jobs, nobody else's", async () => {
    const { url } = await house.serve()
    const { id } = await house.draw()
    const other = newAsked({ platform: 'web', ...here, member: 'jonas' })
    await submit(house.services.admission, other, newSpec())

    const label = 'a red fox in the snow'
    assert.deepEqual(await complete(url, 'job', ''), [{ value: id, label }])
    assert.deepEqual(await complete(url, 'job', `#${id.slice(0, 4)}`), [{ value: id, label }])
    assert.deepEqual(await complete(url, 'job', '%'), [])
    assert.deepEqual(await complete(url, 'job', 'zzzzzzzzzz'), [])
  })
})

describe('how things stand', () => {
  const at = { guild: 'workshop', member: 'lin' }
  const statusAt = async (url: string, locale = 'en-US'): Promise<Status> =>
    (await (await ask(url, '/api/status', { ...at, locale })).json()) as Status

  it('is quiet when nobody has asked for anything', async () => {
    const { url } = await house.serve()

    assert.deepEqual(await statusAt(url), {
      quota: {
        text: '0 s of 300 s of device time are in use.',
        used: 0,
        of: 300,
        fraction: 0,
      },
      queue: {
        served: [],
        why: 'No device is there to draw. Jobs wait, and begin as soon as one is.',
        mine: [],
      },
      devices: 0,
    })
  })

  it('tells what is in use, who is next and why, and where one stands', async () => {
    const served = [
      { guild: 'discord:42', weight: 1, waitingJobs: 2, runningJobs: 0 },
      { guild: 'web:workshop', weight: 2, waitingJobs: 1, runningJobs: 1 },
    ].map((each) => ({ ...each, lane: 'fast' as const, queuedMicros: 1 }))
    const { url } = await house.serve({
      services: {
        ...house.services,
        servedNow: () => served,
        outlookOf: () => ({
          position: 2,
          hasDevice: true,
          estimate: {
            likelyMs: 9_000,
            fromMs: 5_000,
            toMs: 9_000,
            ownPicturesAhead: 1,
            otherGuildsWaiting: 1,
          },
        }),
      },
    })
    const device = { id: 'test:0', deviceClass: 'cpu', model: 'nano' }
    await announceDevice(house.database, {
      ...device,
      mostPixels: 1,
      mostBatch: 1,
      isDraining: false,
    })
    const asked = newAsked({ platform: 'web', ...at, channel: 'sketches', roleIds: ['member'] })
    const { job } = await submit(house.services.admission, asked, newSpec())

    const [english, chinese] = [await statusAt(url), await statusAt(url, 'zh-CN')]

    assert.match(english.quota.text, /^\d+ s of 300 s of device time are in use; all of it/)
    assert.ok(english.quota.fraction > 0)
    assert.equal(
      english.queue.why,
      'Next is a community on another platform: for its weight of 1 it has had the least of the ' +
        'devices lately. One other community is waiting.',
    )
    assert.deepEqual(
      english.queue.served.map(({ guildName, isMine }) => [guildName, isMine]),
      [
        ['a community on another platform', false],
        ['The Workshop', true],
      ],
    )
    const [{ job: id, position, text } = { job: '', position: 0, text: '' }] = english.queue.mine
    assert.deepEqual([id, position], [job.id, 2])
    assert.match(text, /^“a red fox in the snow”: number 2 in line\. .*9/)
    assert.match(chinese.queue.mine[0]!.text, /^“a red fox in the snow”：排在第 2 位。.*9/)
    assert.equal(english.devices, 1)
  })
})

describe('whoever watches over the process', () => {
  it('is told whether all is well, and what is counted', async () => {
    const well = await house.serve()
    const unwell = await house.serve({ health: async () => ({ isOk: false }) })

    assert.deepEqual(await (await fetch(`${well.url}/healthz`)).json(), { isOk: true })
    assert.equal((await fetch(`${unwell.url}/healthz`)).status, 503)
    const metrics = await fetch(`${well.url}/metrics`)
    assert.equal(metrics.headers.get('content-type'), 'text/plain; version=0.0.4')
    assert.equal(await metrics.text(), 'up 1\n')
  })
})
