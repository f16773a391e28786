/** The house put together: one line of draws, a model that comes back, an end that leaves nothing. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, before, describe, it } from 'node:test'
import { type App, start } from '../src/app.ts'
import { readConfig } from '../src/config.ts'
import { children, cpuSeconds, isAlive, until } from './worker/processes.ts'

const skip = process.platform === 'linux' ? false : 'reads processes from /proc'
const config = readConfig({ PORT: '0', DATA_DIR: tmpdir(), LOG_LEVEL: 'error' })

/** The answer to a wish, which comes line by line while it is drawn. */
function ask(app: App, wish: object): Promise<Response> {
  return fetch(`${app.url}/api/imagine`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: app.url },
    body: JSON.stringify(wish),
  })
}

/** The last line of the answer to a wish. */
async function draw(app: App, wish: object): Promise<Record<string, unknown>> {
  const lines = (await (await ask(app, wish)).text()).trim().split('\n')
  return JSON.parse(lines.at(-1)!) as Record<string, unknown>
}

const wish = { prompt: 'a cat', seed: 7, evaluations: 2 }

describe('start', { skip }, () => {
  let app: App
  before(async () => {
    app = await start(config)
  })
  after(() => app.close())

  it('draws for everyone who asks at the same time', async () => {
    const answers = await Promise.all([1, 2, 3].map((seed) => draw(app, { ...wish, seed })))

    assert.deepEqual(
      answers.map(({ type, seed }) => [type, seed]),
      [1, 2, 3].map((seed) => ['picture', seed]),
    )
  })

  it('finishes one draw before it begins the next', async () => {
    const heard: number[] = []
    const listen = async (seed: number): Promise<void> => {
      const { body } = await ask(app, { ...wish, seed, evaluations: 20 })
      for await (const _ of body!) heard.push(seed)
    }

    await Promise.all([listen(1), listen(2), listen(3)])

    const turns = heard.filter((seed, k) => seed !== heard[k - 1])
    assert.equal(turns.length, 3, `heard ${heard.join()}`)
  })

  it('draws again after the runner was killed', async () => {
    await draw(app, wish)
    const [runner = 0] = children()
    process.kill(runner, 'SIGKILL')
    await until('the runner is buried', () => !existsSync(`/proc/${runner}`))

    assert.equal((await draw(app, wish)).type, 'picture')
  })

  it('tells whoever was drawing when the runner was killed, and draws for the next', async () => {
    await draw(app, wish)
    const [runner = 0] = children()
    const before = cpuSeconds(runner)
    const unlucky = draw(app, { ...wish, width: 1024, height: 1024 })
    await until('the step has begun', () => cpuSeconds(runner) > before + 0.5)

    process.kill(runner, 'SIGKILL')

    const { type, sentences } = await unlucky
    assert.equal(type, 'error')
    assert.match(JSON.stringify(sentences), /was killed \(SIGKILL\).*Draw again/)
    assert.equal((await draw(app, wish)).type, 'picture')
  })
})

describe('App.close', { skip }, () => {
  it('ends what is being drawn and leaves no process', async () => {
    const others = children()
    const app = await start(config)
    const runner = children().find((pid) => !others.includes(pid))!
    const before = cpuSeconds(runner)
    const unlucky = draw(app, { ...wish, width: 1024, height: 1024 }).catch(() => undefined)
    await until('the step has begun', () => cpuSeconds(runner) > before + 0.5)

    await app.close()
    await unlucky

    assert.ok(!isAlive(runner))
    await assert.rejects(fetch(app.url))
  })
})
