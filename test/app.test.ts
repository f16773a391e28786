/**
 * The house put together, as `npm start` does: a wish becomes a picture in the conversation, a model
 * that dies is replaced and loses nobody's picture, a stop leaves no process and loses nothing.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type App, type Role, start } from '../src/app.ts'
import { type Config, readConfig } from '../src/config.ts'
import { aliveDevices } from '../src/store/devices.ts'
import { closeDatabase, openDatabase } from '../src/store/prisma.ts'
import { EmbeddedPostgres, findEmbedded } from '../src/store/postgres.ts'
import { startOwner } from './store/embedded-server.ts'
import { children, isAlive, until } from './worker/processes.ts'

const skip = process.platform === 'linux' ? false : 'reads processes from /proc'
const here = { guild: 'fox-den', channel: 'pictures', member: 'mei', locale: 'en-US' }

const folders: string[] = []
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })))

/** The settings of a house of its own. */
function settings(given: Record<string, string> = {}): Config {
  const folder = mkdtempSync(join(tmpdir(), 'app-'))
  chmodSync(folder, 0o711) // As root, the database runs as another user.
  folders.push(folder)
  return readConfig({ PORT: '0', DATA_DIR: folder, LOG_LEVEL: 'error', ...given })
}

type Said = { readonly job: string | null; readonly message: { readonly [name: string]: unknown } }

async function say(url: string, text: string): Promise<Response> {
  const body = JSON.stringify({ ...here, nonce: crypto.randomUUID(), text, attachments: [] })
  const headers = { 'content-type': 'application/json', origin: url }
  return fetch(`${url}/api/say`, { method: 'POST', headers, body })
}

/** The messages that show jobs, oldest first. */
async function shown(url: string): Promise<Said[]> {
  const answer = await fetch(`${url}/api/messages?${String(new URLSearchParams(here))}`)
  const { messages } = (await answer.json()) as { messages: Said[] }
  return messages.filter(({ job }) => job !== null)
}

/** Waits until so many jobs have their pictures. */
async function drawn(url: string, count: number): Promise<Said[]> {
  for (;;) {
    const done = (await shown(url)).filter(({ message }) => message.pictures !== undefined)
    if (done.length >= count) return done
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Processes of ours that run the model. */
function runners(): number[] {
  return children().filter((pid) => commandOf(pid).includes('runner-process'))
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

async function open(config: Config, role: Role = 'start'): Promise<App & { url: string }> {
  const app = await start(config, role)
  return { ...app, url: app.url ?? '' }
}

describe('start', { skip }, () => {
  const config = settings()
  let app: App & { url: string }
  before(async () => {
    app = await open(config)
  })
  after(() => app.close())

  it('draws what was said into the conversation', async () => {
    assert.equal((await say(app.url, 'a cat --seed 7 --steps 2')).status, 200)

    const [first] = await drawn(app.url, 1)
    assert.match(String(first?.message.facts), /seed 7 /)
  })

  it('draws in the end although the runner was killed meanwhile', async () => {
    const before = (await drawn(app.url, 1)).length
    await say(app.url, 'a dog --seed 8 --size 512x512 --steps 30')
    await until('a step is shown', async () =>
      (await shown(app.url)).some(({ message }) => message.progress !== undefined),
    )
    const [runner = 0] = runners()

    process.kill(runner, 'SIGKILL')

    const all = await drawn(app.url, before + 1)
    assert.match(String(all.at(-1)?.message.facts), /seed 8 /)
    assert.ok(!isAlive(runner))
  })
})

describe('App.close', { skip }, () => {
  it('leaves no process, and the next start finds the conversation and what waited', async () => {
    const others = children()
    const left = (): number[] => children().filter((pid) => !others.includes(pid))
    const config = settings()
    const first = await open(config)
    await say(first.url, 'a cat --seed 7 --steps 2')
    await drawn(first.url, 1)
    await first.close()
    assert.deepEqual(left(), [])
    await assert.rejects(fetch(first.url))

    const second = await open({ ...config, workers: 0 })
    await say(second.url, 'a dog --seed 8 --steps 2')
    await second.close()

    const third = await open(config)
    try {
      assert.equal((await drawn(third.url, 2)).length, 2)
    } finally {
      await third.close()
    }
    assert.deepEqual(left(), [])
  })
})

describe('bot and worker', { skip }, () => {
  it('meet at the embedded database of one data folder', async () => {
    const config = settings()
    await assert.rejects(start(config, 'worker'), { code: 'database-missing' })
    const bot = await open(config, 'bot')
    // Before any worker told what its model likes.
    assert.equal((await say(bot.url, 'a cat --seed 9 --steps 2')).status, 200)
    const worker = await start(config, 'worker')
    try {
      assert.equal((await drawn(bot.url, 1)).length, 1)
      assert.equal(worker.url, undefined)
    } finally {
      await worker.close()
      await bot.close()
    }
  })
})

describe('two houses on one database', { skip }, () => {
  it('have devices of different names, and leave each other their leases', async () => {
    const server = await EmbeddedPostgres.start({ dataFolder: settings().dataDir })
    const DATABASE_URL = server.url
    const database = openDatabase(DATABASE_URL)
    const first = await open(settings({ DATABASE_URL }))
    const second = await open(settings({ DATABASE_URL }))
    try {
      assert.equal((await aliveDevices(database, Date.now())).length, 2)
    } finally {
      await second.close()
      await first.close()
      await closeDatabase(database)
      await server.close()
    }
  })
})

describe('bot', { skip }, () => {
  it('owns the database that outlived the bot before, and stops it', async (t) => {
    const config = settings()
    const { child } = await startOwner(t, config.dataDir)
    child.kill('SIGKILL')
    await once(child, 'exit')
    assert.notEqual(await findEmbedded(config.dataDir), undefined)

    const bot = await open(config, 'bot')
    await bot.close()

    assert.equal(await findEmbedded(config.dataDir), undefined)
  })

  it('works beside the bot that owns the database, and leaves it running', async () => {
    const config = settings()
    const owner = await open(config, 'bot')
    try {
      const beside = await open(config, 'bot')
      await beside.close()

      assert.equal((await shown(owner.url)).length, 0)
    } finally {
      await owner.close()
    }
  })
})
