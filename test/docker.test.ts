/**
 * `Dockerfile` and `docker-compose.yml` as text: they name only what exists here. Whether an image
 * builds and runs is not shown by this.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { z } from 'zod'
import { variableNames } from '../src/config.ts'

const read = (name: string): string => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8')
const isHere = (path: string): boolean => existsSync(new URL(`../${path}`, import.meta.url))

const { scripts } = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(read('package.json')))
const settings: ReadonlySet<string> = new Set(variableNames)
/** A version, not a tag that moves. */
const pinned = /^[\w./-]+:\d+\.\d+(?:\.\d+)?(?:-[\w.-]+)?$/

/** The instructions of the Dockerfile, continued lines joined. */
const instructions = read('Dockerfile')
  .replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, ' ')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => /^([A-Z]+) (.*)$/.exec(line)!)
  .map(([, name, rest]) => ({ name: name!, rest: rest! }))
const all = (name: string): string[] =>
  instructions.filter((instruction) => instruction.name === name).map(({ rest }) => rest)

const service = z.object({
  image: z.string(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  env_file: z.array(z.object({ path: z.string(), required: z.boolean() })).default([]),
  volumes: z.array(z.string()).default([]),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  profiles: z.array(z.string()).default([]),
  deploy: z.unknown().optional(),
})
const compose = z
  .object({ services: z.record(z.string(), service), volumes: z.record(z.string(), z.null()) })
  .parse(parse(read('docker-compose.yml'), { merge: true }))
const services = Object.entries(compose.services)
const ours = services.filter(([, { build }]) => build !== undefined)

/** The script of package.json that does what a command of an image does. */
function scriptOf(command: readonly string[]): string | undefined {
  const [program, main, name = ''] = command
  const isMain = program === 'node' && main === 'src/main.ts' && command.length === 3
  return isMain ? scripts[name] : undefined
}

describe('Dockerfile', () => {
  it('begins with an image of one version', () => {
    for (const image of all('FROM')) assert.match(image, pinned)
    assert.equal(all('FROM').length, 1)
  })

  it('sets only what we read', () => {
    const names = all('ENV').flatMap((line) =>
      [...line.matchAll(/(\w+)=/g)].map(([, name]) => name!),
    )

    assert.ok(names.length > 0)
    assert.deepEqual(
      names.filter((name) => name !== 'NODE_ENV' && !settings.has(name)),
      [],
    )
  })

  it('copies what is here and reaches the builder', () => {
    const sources = all('COPY').flatMap((line) => line.split(' ').slice(0, -1))
    const allowed = read('.dockerignore').matchAll(/^!(.+)$/gm)

    assert.deepEqual(
      sources.filter((source) => !isHere(source)),
      [],
    )
    assert.deepEqual([...allowed].map(([, path]) => path!).toSorted(), sources.toSorted())
  })

  it('copies every folder that the program loads from', () => {
    const sources = new Set(all('COPY').flatMap((line) => line.split(' ').slice(0, -1)))

    for (const folder of ['src', 'commands', 'locales', 'models', 'prisma']) {
      assert.ok(sources.has(folder), folder)
    }
  })

  it('runs no script of a package and installs nothing for development', () => {
    assert.match(read('.npmrc'), /^ignore-scripts=true$/m)
    assert.ok(all('RUN').some((line) => line.startsWith('npm ci --omit=dev')))
  })

  it('ends as somebody who is not root, with a health check and a command of ours', () => {
    assert.equal(all('USER').at(-1), 'node')
    assert.match(all('HEALTHCHECK').join(), /\/healthz/)
    assert.ok(scriptOf(z.array(z.string()).parse(JSON.parse(all('CMD').at(-1)!))))
  })

  it('keeps secrets and data out of the image', () => {
    assert.match(read('.dockerignore').replaceAll(/^#.*\n/gm, ''), /^\*\n/)
    assert.doesNotMatch(read('.dockerignore'), /^!(?:\.env|data)/m)
  })
})

describe('docker-compose.yml', () => {
  it('has Postgres, a bot, and workers with and without a GPU', () => {
    assert.deepEqual(
      services.map(([name]) => name),
      ['postgres', 'bot', 'worker', 'worker-gpu'],
    )
    assert.deepEqual(compose.services['worker-gpu']?.profiles, ['gpu'])
    assert.match(JSON.stringify(compose.services['worker-gpu']?.deploy), /"driver":"nvidia"/)
  })

  it('names images of one version', () => {
    for (const [name, { image }] of services) assert.match(image, pinned, name)
  })

  it('runs commands that there are', () => {
    for (const [name, { command = [] }] of ours) assert.ok(scriptOf(command), name)
  })

  it('sets only what we read', () => {
    for (const [name, { environment }] of ours) {
      const unknown = Object.keys(environment).filter((variable) => !settings.has(variable))
      assert.deepEqual(unknown, [], name)
    }
  })

  it('gives everyone a health check: its own, or that of the image we build', () => {
    for (const [name, { healthcheck, build }] of services) {
      assert.ok(healthcheck !== undefined || build === '.', name)
    }
  })

  it('waits until the database answers', () => {
    for (const [name, { depends_on: needs }] of ours) {
      assert.equal(needs['postgres']?.condition, 'service_healthy', name)
    }
  })

  it('declares every volume that is used, and uses every one', () => {
    const named = services.flatMap(([, { volumes }]) => volumes.map((line) => line.split(':')[0]!))

    assert.deepEqual([...new Set(named)].toSorted(), Object.keys(compose.volumes).toSorted())
  })

  it('holds no secret: passwords come from .env', () => {
    const text = read('docker-compose.yml')

    assert.doesNotMatch(text, /PASSWORD: (?!\$\{)/)
    assert.doesNotMatch(text, /zimagine:(?!\$\{|0\.1)[^@\s]*@/)
  })

  it('has the version of package.json', () => {
    const { version } = z.object({ version: z.string() }).parse(JSON.parse(read('package.json')))

    for (const [name, { image }] of ours) assert.equal(image, `zimagine:${version}`, name)
  })

  it('gives processes longer to end than jobs are given by default', () => {
    const drain = /^DRAIN_SECONDS=(\d+)$/m.exec(read('.env.example'))?.[1]
    const grace = [...read('docker-compose.yml').matchAll(/stop_grace_period: (\d+)s/g)]

    assert.ok(grace.length > 0)
    for (const [, seconds] of grace) assert.ok(Number(seconds) > Number(drain))
  })
})
