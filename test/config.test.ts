/** Settings: where they come from, which win, and what is said of wrong ones. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import * as fc from 'fast-check'
import {
  type Config,
  ConfigError,
  type Environment,
  languageTag,
  readConfig,
  readEnvironment,
  isLoopback,
  modelEnvironment,
  type Variable,
  variableNames,
  withoutPassword,
} from '../src/config.ts'

const nano = fileURLToPath(new URL('../models/nano', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'config-'))
after(() => rmSync(folder, { recursive: true }))

/** The mistakes in an environment as `VARIABLE=value`. */
function mistakes(environment: Environment): string[] {
  try {
    readConfig(environment)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.mistakes.map(({ variable, got }) => `${variable}=${got}`)
  }
  return []
}

describe('readConfig', () => {
  it('needs no setting at all', () => {
    assert.deepEqual(readConfig({}), {
      dataDir: join(process.cwd(), 'data'),
      host: '127.0.0.1',
      port: 7860,
      modelFolder: nano,
      workers: 1,
      threads: undefined,
      precision: 'auto',
      databaseUrl: undefined,
      blobUrl: pathToFileURL(join(process.cwd(), 'data', 'blobs')).href,
      blobCredentials: undefined,
      operators: new Set(),
      servedGuilds: undefined,
      webToken: undefined,
      secretKey: undefined,
      healthPort: undefined,
      purgeDays: 30,
      drainSeconds: 30,
      logLevel: 'info',
      hasPromptsInLog: false,
      secrets: [],
    } satisfies Config)
  })

  it('takes an empty value for none', () => {
    assert.equal(readConfig({ PORT: '', MODEL: '' }).port, 7860)
  })

  it('reports every mistake at once', () => {
    writeFileSync(join(folder, 'file'), '')
    const wrong: Record<Variable, string> = {
      DATA_DIR: join(folder, 'file'),
      HOST: 'localhost:80',
      PORT: '65536',
      WEB_TOKEN: 'too short',
      MODEL: 'no-such-model',
      WORKERS: '17',
      THREADS: '0',
      PRECISION: 'int9',
      DATABASE_URL: 'mysql://host/base',
      BLOB_URL: 'file://data',
      AWS_ACCESS_KEY_ID: 'a b',
      AWS_SECRET_ACCESS_KEY: 'c d',
      OPERATORS: 'discord:42,anna',
      GUILDS: 'discord',
      SECRET_KEY: 'short',
      HEALTH_PORT: '-1',
      PURGE_DAYS: '0',
      DRAIN_SECONDS: '1.5',
      LOG_LEVEL: 'loud',
      LOG_PROMPTS: 'maybe',
    }
    const stars = { WEB_TOKEN: '*********', AWS_SECRET_ACCESS_KEY: '***', SECRET_KEY: '*****' }
    const shown = { ...wrong, ...stars }
    assert.deepEqual(
      mistakes(wrong),
      variableNames.map((variable) => `${variable}=${shown[variable]}`),
    )
  })

  it('takes every port there is and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.integer().map(String), fc.string()), (PORT) => {
        const isPort = /^\d+$/.test(PORT) && Number(PORT) <= 65535
        assert.deepEqual(mistakes({ PORT }), isPort || PORT === '' ? [] : [`PORT=${PORT}`])
      }),
    )
  })

  for (const HOST of ['localhost', '127.0.0.1', '::1', 'my-machine.example']) {
    it(`takes ${HOST} for a host`, () => {
      assert.deepEqual(mistakes({ HOST, WEB_TOKEN: '0123456789abcdef' }), [])
    })
  }

  it('needs a token as soon as others can reach the page', () => {
    assert.deepEqual(mistakes({ HOST: '0.0.0.0' }), ['WEB_TOKEN=none'])
  })

  it('needs the key to a bucket', () => {
    assert.deepEqual(mistakes({ BLOB_URL: 's3://pictures/here?endpoint=http://store:9000' }), [
      'AWS_ACCESS_KEY_ID=none',
      'AWS_SECRET_ACCESS_KEY=none',
    ])
  })

  it('knows a bucket with its key', () => {
    const BLOB_URL = 's3://pictures'
    const key = { AWS_ACCESS_KEY_ID: 'AKIA2', AWS_SECRET_ACCESS_KEY: 'wJalr' }
    const { blobUrl, blobCredentials } = readConfig({ BLOB_URL, ...key })

    assert.equal(blobUrl, BLOB_URL)
    assert.deepEqual(blobCredentials, { accessKeyId: 'AKIA2', secretAccessKey: 'wJalr' })
  })

  it('reads lists with spaces in them', () => {
    const { operators, servedGuilds } = readConfig({
      OPERATORS: 'discord:42, slack:T0/U1 ,web:anna,',
      GUILDS: 'discord:7',
    })

    assert.deepEqual([...operators], ['discord:42', 'slack:T0/U1', 'web:anna'])
    assert.deepEqual([...(servedGuilds ?? [])], ['discord:7'])
  })

  it('serves all guilds for *', () => {
    assert.equal(readConfig({ GUILDS: '*' }).servedGuilds, undefined)
  })

  it('reads numbers where there may be none', () => {
    const { threads, healthPort } = readConfig({ THREADS: '8', HEALTH_PORT: '0' })

    assert.deepEqual({ threads, healthPort }, { threads: 8, healthPort: 0 })
  })

  for (const DATABASE_URL of [
    'postgresql://zimagine:p%40ss@localhost/zimagine',
    'postgres://127.0.0.1:5432/zimagine?sslmode=require',
    'postgresql://zimagine:word@localhost:5432/zimagine?host=%2Frun%2Fpostgres',
  ]) {
    it(`takes ${withoutPassword(DATABASE_URL)} for a database`, () => {
      assert.equal(readConfig({ DATABASE_URL }).databaseUrl, DATABASE_URL)
    })
  }

  for (const DATABASE_URL of ['http://localhost/zimagine', 'zimagine', 'postgres://a:%zz@b/c']) {
    it(`does not take ${withoutPassword(DATABASE_URL)} for a database`, () => {
      assert.equal(mistakes({ DATABASE_URL }).length, 1)
    })
  }

  it('shows no password in a mistake', () => {
    assert.deepEqual(mistakes({ DATABASE_URL: 'mysql://anna:hunter2@host/base?sslpassword=no' }), [
      'DATABASE_URL=mysql://anna:***@host/base?sslpassword=***',
    ])
    assert.deepEqual(mistakes({ DATABASE_URL: 'hunter2' }), ['DATABASE_URL=*******'])
  })

  it('knows its secrets, in each form that they may be met in', () => {
    const { secrets } = readConfig({
      WEB_TOKEN: '0123456789abcdef',
      DATABASE_URL: 'postgres://anna:p%40ss@host/base',
    })

    assert.deepEqual(secrets, ['0123456789abcdef', 'p%40ss', 'p@ss'])
  })

  it('tells a machine alone from one that others reach', () => {
    const hosts = [
      '127.0.0.1',
      '127.1.2.3',
      '::1',
      'localhost',
      '0.0.0.0',
      '::',
      'localhost.example',
    ]

    assert.deepEqual(hosts.filter(isLoopback), hosts.slice(0, 4))
  })

  for (const HOST of ['http://localhost', 'localhost:80', 'a b', '[::1]']) {
    it(`does not take ${HOST} for a host`, () => {
      assert.deepEqual(mistakes({ HOST }), [`HOST=${HOST}`])
    })
  }

  it('finds a model by its name in the data folder', () => {
    const mine = join(folder, 'models', 'mine')
    mkdirSync(mine, { recursive: true })

    assert.equal(readConfig({ DATA_DIR: folder, MODEL: 'mine' }).modelFolder, mine)
  })

  it('finds a model by its folder', () => {
    assert.equal(readConfig({ MODEL: folder }).modelFolder, folder)
  })

  it('prefers the command line to the environment', () => {
    assert.equal(readConfig({ MODEL: 'no-such-model' }, { MODEL: 'nano' }).modelFolder, nano)
  })

  it('keeps the environment where the command line says nothing', () => {
    assert.equal(readConfig({ MODEL: folder }, { MODEL: undefined }).modelFolder, folder)
  })
})

describe('readEnvironment', () => {
  it('prefers the environment to .env, and .env to nothing', () => {
    const home = join(folder, 'home')
    mkdirSync(home)
    writeFileSync(join(home, '.env'), 'PATH=from-file\nZIMAGINE_TEST_ONLY="from file"\nPORT=\n')

    const environment = readEnvironment(home)

    assert.notEqual(environment.PATH, 'from-file')
    assert.equal(environment.ZIMAGINE_TEST_ONLY, 'from file')
    assert.equal('PORT' in environment, false)
  })

  it('leaves what .env holds out of the process, whose children need not know it', () => {
    const home = join(folder, 'secret')
    mkdirSync(home)
    writeFileSync(join(home, '.env'), 'ZIMAGINE_TEST_SECRET=token\n')

    readEnvironment(home)

    assert.equal(process.env.ZIMAGINE_TEST_SECRET, undefined)
  })
})

describe('.env.example', () => {
  const home = join(folder, 'example')
  mkdirSync(home)
  const file = fileURLToPath(new URL('../.env.example', import.meta.url))
  copyFileSync(file, join(home, '.env'))

  it('lists every variable in order, and no other', () => {
    const listed = readFileSync(file, 'utf8').matchAll(/^(\w+)=/gm)

    assert.deepEqual(
      [...listed].map(([, variable]) => variable),
      variableNames,
    )
  })

  it('holds the defaults', () => {
    assert.deepEqual(readConfig(readEnvironment(home)), readConfig({}))
  })
})

describe('languageTag', () => {
  it('goes by LC_ALL, then LC_MESSAGES, then LANG', () => {
    const environment = { LC_ALL: 'a', LC_MESSAGES: 'b', LANG: 'c' }

    assert.equal(languageTag(environment), 'a')
    assert.equal(languageTag({ ...environment, LC_ALL: undefined }), 'b')
    assert.equal(languageTag({ LANG: 'c' }), 'c')
    assert.equal(languageTag({}), undefined)
  })
})

describe('modelEnvironment', () => {
  it('passes on what a process needs and no token, key or address', () => {
    const secrets = { DISCORD_TOKEN: 'a', SECRET_KEY: 'b', DATABASE_URL: 'c', HF_TOKEN: 'd' }
    Object.assign(process.env, secrets)

    const passed = modelEnvironment()

    for (const name of Object.keys(secrets)) delete process.env[name]
    assert.equal(passed['PATH'], process.env['PATH'])
    assert.deepEqual(
      Object.keys(secrets).filter((name) => name in passed),
      [],
    )
  })
})
