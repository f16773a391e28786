/** `doctor` on houses that are in order and houses that are not, each thing wrong with its cure. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { type Server, createServer } from 'node:http'
import { join } from 'node:path'
import { type TestContext, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { migrate } from '../../src/store/migrate.ts'
import { start, temporaryFolder } from '../store/embedded-server.ts'
import { newDatabase } from '../store/database.ts'
import { type Ended, runCommand } from './command.ts'

const databaseUrl = await newDatabase()
const nano = fileURLToPath(new URL('../../models/nano', import.meta.url))

/** Runs the doctor on a folder and the file's database, unless settings say otherwise. */
async function examine(
  t: TestContext,
  settings: Readonly<Record<string, string>> = {},
  ...args: string[]
): Promise<Ended> {
  const around = { DATA_DIR: temporaryFolder(t), DATABASE_URL: databaseUrl, PORT: '0' }
  return runCommand(['doctor', ...args], { ...around, ...settings })
}

/** The lines that begin so. */
const lines = (said: string, start: string): string[] =>
  said.split('\n').filter((line) => line.startsWith(start))

describe('doctor', () => {
  it('finds everything in order, and draws where it is asked to', async (t) => {
    const [exitCode, said] = await examine(t, {}, '--draw')

    assert.equal(exitCode, 0, said)
    assert.equal(lines(said, 'ok ').length, 11)
    assert.match(said, /draws a small picture in/)
    assert.match(said, /Postgres 18\.\d+, up to date/)
    assert.match(said, /Everything is in order\.\n$/)
  })

  it('speaks Chinese', async (t) => {
    const [exitCode, said] = await examine(t, { LC_ALL: 'zh_CN.UTF-8' })

    assert.equal(exitCode, 0, said)
    assert.match(said, /^正常 {2}设置：全部有效$/m)
  })

  it('looks into a built-in database that runs', async (t) => {
    const dataFolder = temporaryFolder(t)
    const { url } = await start(t, dataFolder)
    await migrate(url)

    const [exitCode, said] = await examine(t, { DATA_DIR: dataFolder, DATABASE_URL: '' })

    assert.equal(exitCode, 0, said)
    assert.match(said, /up to date/)
  })

  it('names each mistake in the settings', async (t) => {
    const [exitCode, said] = await examine(t, { HOST: '0.0.0.0', PORT: 'x' })

    assert.equal(exitCode, 1)
    assert.equal(lines(said, 'FAILED').length, 2)
    assert.match(said, /FAILED {2}Settings: PORT must be/)
    assert.match(said, /WEB_TOKEN .* is needed as soon as HOST/)
  })

  it('says what to do about a database that is away, and looks at the rest', async (t) => {
    const DATABASE_URL = 'postgresql://anna:hunter2@127.0.0.1:1/zimagine'

    const [exitCode, said] = await examine(t, { DATABASE_URL })

    assert.equal(exitCode, 1)
    assert.deepEqual(lines(said, 'FAILED'), [
      'FAILED  Database: The database at DATABASE_URL cannot be reached: nothing answers there. Check DATABASE_URL, and that the server runs.',
    ])
    assert.match(said, /^ok {2}Device/m)
    assert.doesNotMatch(said, /hunter2/)
  })

  it('says what to do about a model that is incomplete, and loads none', async (t) => {
    const MODEL = join(temporaryFolder(t), 'torn')
    cpSync(nano, MODEL, { recursive: true })
    rmSync(join(MODEL, 'vae', 'diffusion_pytorch_model.safetensors'))

    const [exitCode, said] = await examine(t, { MODEL })

    assert.equal(exitCode, 1)
    assert.match(said, /FAILED {2}Model: The model is incomplete: .*safetensors is missing/)
    assert.doesNotMatch(said, /Device/)
  })

  it('says so where nobody would draw', async (t) => {
    const [exitCode, said] = await examine(t, { WORKERS: '0' })

    assert.equal(exitCode, 1)
    assert.match(said, /FAILED {2}Workers: .*npm run worker/)
  })

  it('says so where pictures cannot be kept', async (t) => {
    const folder = temporaryFolder(t)
    writeFileSync(join(folder, 'file'), '')
    const BLOB_URL = `file://${folder}/file/blobs`

    const [exitCode, said] = await examine(t, { BLOB_URL })

    assert.equal(exitCode, 1)
    assert.match(said, /FAILED {2}Pictures/)
  })

  it('says so where the data folder cannot be written', async (t) => {
    const folder = temporaryFolder(t)
    mkdirSync(join(folder, 'closed'))
    writeFileSync(join(folder, 'closed', 'file'), '')

    const [exitCode, said] = await examine(t, { DATA_DIR: join(folder, 'closed', 'file', 'data') })

    assert.equal(exitCode, 1)
    assert.match(said, /FAILED {2}Data folder: .* cannot be used/)
  })

  /** Serves one answer to everything. */
  async function serve(t: TestContext, body: string): Promise<string> {
    const server: Server = createServer((_, response) => response.end(body))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const address = server.address()
    return String(typeof address === 'object' ? address?.port : address)
  }

  it('tells a port that another program has from one that is ours', async (t) => {
    const PORT = await serve(t, 'hello')
    const ours = await serve(t, '{"isOk":true,"checks":{"database":{"isOk":true}}}')

    const [taken, saidTaken] = await examine(t, { PORT })
    const [served, saidServed] = await examine(t, { PORT: ours })

    assert.deepEqual([taken, served], [1, 0])
    assert.match(saidTaken, /FAILED {2}Port: .* is in use/)
    assert.match(saidServed, /a Zimagine already serves/)
  })

  it('gives JSON, without secrets', async (t) => {
    const WEB_TOKEN = '0123456789abcdef-token'
    const folder = join(temporaryFolder(t), WEB_TOKEN)
    mkdirSync(folder)
    chmodSync(folder, 0o755)

    const [exitCode, said] = await examine(t, { WEB_TOKEN, DATA_DIR: folder }, '--json')

    const report = JSON.parse(said) as { isOk: boolean; checks: { check: string }[] }
    assert.deepEqual([exitCode, report.isOk, report.checks.length], [0, true, 11])
    assert.doesNotMatch(said, /0123456789abcdef/)
  })

  it('takes nothing else', async (t) => {
    const [exitCode, said] = await examine(t, {}, '--drwa')

    assert.equal(exitCode, 2)
    assert.match(said, /npm run doctor -- \[--json\] \[--draw\]/)
  })
})
