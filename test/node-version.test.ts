/**
 * What happens before the first TypeScript file: what an older Node meets, for which the system's
 * must be one, and how a command hears of it that npm was told to end.
 */
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { temporaryFolder } from './fixtures/closed-form-checkpoint.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const older = ['/usr/bin/node', '/usr/local/bin/node'].find((node) => {
  try {
    return Number(/\d+/.exec(execFileSync(node, ['--version'], { encoding: 'utf8' }))) < 24
  } catch {
    return false
  }
})
const skip = older === undefined && 'no Node older than 24 on this machine'
const folder = await temporaryFolder()
after(() => folder[Symbol.asyncDispose]())

function run(cwd: string, ...args: string[]) {
  const preload = ['--import', './src/node-version.mjs']
  return spawnSync(older!, [...preload, ...args], { cwd, encoding: 'utf8' })
}

describe('an older Node', { skip }, () => {
  it('hands the command over to the Node that came as a package', () => {
    const { status, stdout } = run(root, 'src/main.ts', 'help')

    assert.equal(status, 0)
    assert.match(stdout, /imagine/)
  })

  it('ends as the command ends', () => {
    assert.equal(run(root, 'src/main.ts', 'imagine', '--no-such-option').status, 2)
  })

  it('says what to install where no package came', () => {
    mkdirSync(join(folder.path, 'src'))
    cpSync(join(root, 'src/node-version.mjs'), join(folder.path, 'src/node-version.mjs'))
    writeFileSync(join(folder.path, 'main.mjs'), 'console.log("began")')

    const { status, stdout, stderr } = run(folder.path, 'main.mjs')

    assert.deepEqual([status, stdout], [1, ''])
    assert.match(stderr, /needs Node 24 or newer, this is Node \d+\.\d+\.\d+: install it/)
    assert.match(stderr, /需要 Node 24 或更高版本/)
  })
})

describe('a command that npm started', { skip: process.platform === 'win32' }, () => {
  const program = `
    process.on('SIGTERM', () => { console.log('told to end'); process.exit() })
    setInterval(() => {}, 1000)
    console.log('began')`
  for (const [name, node] of Object.entries({
    'this Node': process.execPath,
    'an older Node': older,
  })) {
    it(
      `is told to end when npm's shell is gone, under ${name}`,
      { skip: !node && skip },
      async () => {
        const file = join(folder.path, 'endless.mjs')
        writeFileSync(file, program)
        // As npm runs it: the shell stays between the two, which a last command would let it not.
        const script = `"${node}" --import "${join(root, 'src/node-version.mjs')}" "${file}"; :`
        const environment = { ...process.env, npm_lifecycle_event: 'start' }
        const shell = spawn('sh', ['-c', script], { env: environment })
        let said = ''
        shell.stdout.on('data', (text) => (said += String(text)))
        while (!said.includes('began')) await once(shell.stdout, 'data')

        shell.kill('SIGTERM')

        await once(shell.stdout, 'close')
        assert.match(said, /told to end/)
      },
    )
  }
})
