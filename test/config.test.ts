/** Settings: where they come from, which win, and what is said of wrong ones. */
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as fc from 'fast-check'
import {
  ConfigError,
  type Environment,
  languageTag,
  readConfig,
  readEnvironment,
  variableNames,
  modelEnvironment,
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
      logLevel: 'info',
    })
  })

  it('takes an empty value for none', () => {
    assert.equal(readConfig({ PORT: '', MODEL: '' }).port, 7860)
  })

  it('reports every mistake at once', () => {
    writeFileSync(join(folder, 'file'), '')
    const wrong = {
      DATA_DIR: join(folder, 'file'),
      HOST: 'localhost:80',
      PORT: '65536',
      MODEL: 'no-such-model',
      LOG_LEVEL: 'loud',
    }
    assert.deepEqual(
      mistakes(wrong),
      variableNames.map((variable) => `${variable}=${wrong[variable]}`),
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
      assert.deepEqual(mistakes({ HOST }), [])
    })
  }

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
  copyFileSync(new URL('../.env.example', import.meta.url), join(home, '.env'))
  const example = readEnvironment(home)

  it('lists every variable', () => {
    assert.deepEqual(
      variableNames.filter((variable) => example[variable] === undefined),
      [],
    )
  })

  it('holds the defaults', () => {
    assert.deepEqual(readConfig(example), readConfig({}))
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
