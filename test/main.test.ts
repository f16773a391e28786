/**
 * The command line as people use it: real processes, the built-in model, files on disk. What each
 * option means is `cli/arguments.test.ts`'s; here is how a command begins, reports and ends.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const guard = fileURLToPath(new URL('../src/node-version.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'main-'))
chmodSync(folder, 0o711) // As root, the database runs as another user.
after(() => rmSync(folder, { recursive: true }))
beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true })
})

type Ended = { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string }

/** A command under way, in `folder`, speaking English unless told otherwise. */
class Command {
  readonly process: ChildProcess
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], environment: Record<string, string> = {}) {
    const { LC_ALL: _, LC_MESSAGES: __, LANG: ___, ...rest } = process.env
    this.process = spawn(process.execPath, ['--import', guard, main, ...args], {
      cwd: folder,
      env: { ...rest, ...environment },
    })
    this.process.stdout?.on('data', (text) => (this.stdout += String(text)))
    this.process.stderr?.on('data', (text) => (this.stderr += String(text)))
  }

  /** Waits until it has said something on either stream. */
  async says(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = pattern.exec(this.stdout + this.stderr)
      if (found) return found[0]
      assert.equal(this.process.exitCode, null, `ended without ${pattern}: ${this.stderr}`)
      await Promise.race([
        once(this.process.stdout!, 'data'),
        once(this.process.stderr!, 'data'),
        once(this.process, 'close'),
      ])
    }
  }

  async end(): Promise<Ended> {
    if (this.process.exitCode === null) await once(this.process, 'close')
    return { exitCode: this.process.exitCode, stdout: this.stdout, stderr: this.stderr }
  }
}

const run = (...args: string[]): Promise<Ended> => new Command(args).end()
const imagine = (line: string): Promise<Ended> => run('imagine', ...line.split(' '))
const bytes = (name: string): Buffer => readFileSync(join(folder, name))
const files = (): string[] => readdirSync(folder).toSorted()

describe('imagine', () => {
  it('draws into the file it was given and says which, with what seed', async () => {
    const { exitCode, stdout } = await imagine('a red fox --seed 7 --steps 2 --out fox.png')

    assert.equal(exitCode, 0)
    assert.match(stdout, /^Saved fox\.png \(seed 7, \d+\.\d s\)\n$/)
    assert.equal(bytes('fox.png').toString('latin1', 1, 4), 'PNG')
    assert.deepEqual(files(), ['fox.png'])
  })

  it('draws the pictures of the seeds that follow', async () => {
    await imagine('--seed 8 a fox --steps 2 --out one.png')

    const { exitCode, stdout } = await imagine('a fox --n 2 --seed 7 --steps 2 --out fox.png')

    assert.equal(exitCode, 0)
    assert.match(stdout, /^Saved 2 pictures: fox-1\.png, fox-2\.png \(seeds 7-8, /)
    assert.deepEqual(files(), ['fox-1.png', 'fox-2.png', 'one.png'])
    assert.deepEqual(bytes('fox-2.png'), bytes('one.png'))
  })

  it('takes a seed of its own and names the file for it', async () => {
    const { stdout } = await imagine('a fox --steps 1')

    const [, file, seed] = /^Saved (zimagine-(\d+)\.png) \(seed \2, /.exec(stdout) ?? []
    assert.ok(Number(seed) < 2 ** 32)
    assert.deepEqual(files(), [file])
  })

  it('replaces a file, in the format of its extension', async () => {
    writeFileSync(join(folder, 'fox.webp'), 'old')

    const { exitCode } = await imagine('a fox --steps 1 --out fox.webp')

    assert.equal(exitCode, 0)
    assert.equal(bytes('fox.webp').toString('latin1', 8, 12), 'WEBP')
    assert.deepEqual(files(), ['fox.webp'])
  })

  it('starts from a picture', async () => {
    await imagine('a fox --seed 1 --steps 2 --out fox.jpg')

    const { exitCode, stderr } = await imagine(
      'a cat --image fox.jpg --strength 0.5 --steps 4 --out cat.png',
    )

    assert.equal(exitCode, 0)
    assert.match(stderr, /Step 2 of 2\n/)
  })

  it('tells each step in a line of its own where the output is kept', async () => {
    const { stderr } = await imagine('a fox --seed 7 --steps 2 --out fox.png')

    assert.equal(
      stderr,
      'Loading the model nano …\nDrawing with seed 7 …\nStep 1 of 2\nStep 2 of 2\n',
    )
  })

  for (const [line, exitCode, sentence] of [
    ['--seed 7', 2, /^Say what to draw, /],
    ['a fox --stpes 4', 2, /^There is no option --stpes\. Did you mean --steps\? /],
    ['a fox --steps many', 2, /^--steps must be a whole number, but is “many”/],
    ['a fox --out fox.gif', 2, /^--out must be a file name that ends in \.png/],
    ['a fox --steps 0', 2, /The number of steps must be a whole number from 1 to 200, but is 0/],
    ['a fox --n 9', 2, /The number of pictures \(n\) must be from 1 to 8, but is 9/],
    ['a fox --out nowhere/fox.png', 1, /nowhere\/fox\.png: its folder does not exist\. /],
    ['a fox --image fox.png', 1, /^The picture fox\.png cannot be opened: there is no such file/],
    ['a fox --model nowhere', 1, /MODEL \(or --model\) must be .*, but is “nowhere”/],
    ['a fox --model .', 1, /^The model is incomplete: .*model_index\.json is missing/m],
  ] as const) {
    it(`ends with ${exitCode} and one sentence after: ${line}`, async () => {
      const ended = await imagine(line)

      assert.equal(ended.exitCode, exitCode)
      assert.match(ended.stderr, sentence)
      assert.equal(ended.stdout, '')
      assert.deepEqual(files(), [])
    })
  }

  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`stops on ${signal} with ${exitCode} and leaves an older file as it was`, async () => {
      writeFileSync(join(folder, 'fox.png'), 'old')
      const command = new Command(['imagine', 'fox', '--steps', '200', '--out', 'fox.png'])
      await command.says(/Step 3 /)

      command.process.kill(signal)

      const ended = await command.end()
      assert.equal(ended.exitCode, exitCode)
      assert.match(ended.stderr, /Cancelled\.\n$/)
      assert.deepEqual(files(), ['fox.png'])
      assert.equal(bytes('fox.png').toString(), 'old')
    })
  }

  it('speaks Chinese where the system does', async () => {
    const command = new Command(['imagine'], { LANG: 'zh_CN.UTF-8' })

    assert.match((await command.end()).stderr, /^请写上要画什么/)
  })

  it('explains itself', async () => {
    const { exitCode, stdout } = await imagine('--help')

    assert.equal(exitCode, 0)
    assert.match(stdout, /--seed N/)
  })
})

describe('start', () => {
  it('serves the page until it is asked to stop, and ends well', async () => {
    const command = new Command(['start'], { PORT: '0' })
    const url = await command.says(/http:\/\/[\d.:]+/)

    const page = await fetch(url)
    command.process.kill('SIGTERM')

    assert.equal(page.status, 200)
    assert.equal((await command.end()).exitCode, 0)
  })

  it('says what to do about a port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const PORT = String(typeof address === 'object' ? address?.port : 0)

    const ended = await new Command(['start'], { PORT }).end()

    other.close()
    assert.equal(ended.exitCode, 1)
    assert.match(ended.stderr, new RegExp(`^Port ${PORT} on 127.0.0.1 is in use.* PORT=7861`))
  })

  it('names every wrong setting at once', async () => {
    const ended = await new Command(['start'], { PORT: 'x', LOG_LEVEL: 'loud' }).end()

    assert.equal(ended.exitCode, 1)
    assert.match(ended.stderr, /^2 settings need a change.*\n {2}PORT must .*\n {2}LOG_LEVEL must /)
  })

  it('takes no argument', async () => {
    assert.equal((await run('start', '--port', '80')).exitCode, 2)
  })
})

describe('the command line', () => {
  it('lists its commands when none is given', async () => {
    const { exitCode, stdout } = await run()

    assert.equal(exitCode, 0)
    for (const command of ['start', 'bot', 'worker', 'imagine', 'doctor', 'backup', 'restore']) {
      assert.match(stdout, new RegExp(`npm (?:run )?${command}\\b`))
    }
  })

  it('knows the nearest command', async () => {
    const { exitCode, stderr } = await run('imagin')

    assert.equal(exitCode, 2)
    assert.match(stderr, /Did you mean imagine\?/)
  })
})
