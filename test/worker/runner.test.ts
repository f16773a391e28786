/**
 * The runner with a real child and the built-in model: pictures and refusals cross the boundary
 * unchanged, and a start that fails says why and leaves nothing behind.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Pipeline } from '../../src/engine/pipeline.ts'
import { Runner } from '../../src/worker/runner.ts'
import {
  cat,
  dog,
  draw,
  modelFolder,
  refusalOf,
  shareRunner,
  skip,
  startRunner,
} from './nano-runner.ts'
import { children, until } from './processes.ts'

const pipeline = await Pipeline.open(modelFolder)
const catAlone = await draw(pipeline.generate(cat))
const dogAlone = await draw(pipeline.generate(dog))
await pipeline.close()

/** A runner whose Node gets an option on its way. */
async function startWith(option: string): Promise<Runner> {
  const kept = process.env.NODE_OPTIONS
  process.env.NODE_OPTIONS = option
  try {
    return await startRunner()
  } finally {
    if (kept === undefined) delete process.env.NODE_OPTIONS
    else process.env.NODE_OPTIONS = kept
  }
}

describe('Runner', { skip }, () => {
  const shared = shareRunner()

  it('knows the facts of its model', () => {
    assert.deepEqual(shared().facts, pipeline.facts)
  })

  it('draws what the pipeline draws', async () => {
    assert.deepEqual(await draw(shared().generate(cat)), catAlone)
  })

  it('draws two interleaved generations as each alone', async () => {
    const runner = shared()
    const generations = [runner.generate(cat), runner.generate(dog)]
    const pictures: Uint8Array[][] = [[], []]

    for (let open = 2; open > 0;) {
      for (const [k, generation] of generations.entries()) {
        const { done, value } = await generation.next()
        if (done) open--
        else if (value.kind === 'picture') pictures[k]!.push(value.pixels.data)
      }
    }

    assert.deepEqual(pictures, [catAlone, dogAlone])
  })

  it('draws two generations pulled at the same time as each alone', async () => {
    const runner = shared()

    const pictures = await Promise.all([draw(runner.generate(cat)), draw(runner.generate(dog))])

    assert.deepEqual(pictures, [catAlone, dogAlone])
  })

  it("gives the engine's refusals with their facts and goes on", async () => {
    const runner = shared()

    const error = await refusalOf(draw(runner.generate({ ...cat, evaluations: 0 })))

    assert.equal(error.code, 'spec-invalid')
    assert.equal(error.params.field, 'evaluations')
    assert.equal(error.params.got, 0)
    assert.deepEqual(await draw(runner.generate(cat)), catAlone)
  })

  it('takes pictures to start from across', async () => {
    const runner = shared()

    const error = await refusalOf(
      draw(runner.generate({ ...cat, image: new TextEncoder().encode('GIF89a') })),
    )

    assert.equal(error.code, 'image-unsupported')
    assert.equal(error.params.got, 'gif')
  })

  it('outlives Ctrl+C, which reaches the whole process group', async () => {
    const runner = shared()

    process.kill(runner.pid, 'SIGINT')

    assert.deepEqual(await draw(runner.generate(cat)), catAlone)
  })
})

describe('a runner that cannot start', { skip }, () => {
  it('names a folder that is not there', async () => {
    const folder = join(tmpdir(), 'no such model')

    const error = await refusalOf(startRunner({ modelFolder: folder }))

    assert.deepEqual([error.code, error.params], ['model-missing', { folder }])
  })

  it('names the file that a folder lacks, and leaves no process', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'runner-'))
    const before = children()

    const error = await refusalOf(startRunner({ modelFolder: folder }))

    await rm(folder, { recursive: true })
    assert.deepEqual(children(), before)
    assert.equal(error.code, 'file-missing')
    assert.ok(String(error.params.file).startsWith(folder))
  })
  it('is told as crashed when it is killed while it starts', async () => {
    const before = children()
    const start = refusalOf(startRunner())
    const newborn = (): number | undefined => children().find((pid) => !before.includes(pid))
    await until('the child exists', () => newborn() !== undefined)

    process.kill(newborn()!, 'SIGKILL')

    const error = await start
    assert.deepEqual([error.code, error.params.signal], ['runner-crashed', 'SIGKILL'])
    assert.deepEqual(await draw((await startRunner()).generate(cat)), catAlone)
  })

  it('ends with the reason of whoever gave up the start', async () => {
    const before = children()
    const reason = new Error('changed my mind')

    const start = Runner.start({ modelFolder, signal: AbortSignal.abort(reason) })

    await assert.rejects(start, reason)
    assert.deepEqual(children(), before)
  })

  it('is ended when the start is given up half-way', async () => {
    const before = children()
    const giveUp = new AbortController()
    const start = Runner.start({ modelFolder, signal: giveUp.signal })
    start.catch(() => {})
    await until('the child exists', () => children().length > before.length)

    giveUp.abort(new Error('changed my mind'))

    await assert.rejects(start, /changed my mind/)
    assert.deepEqual(children(), before)
  })

  it('is told as out of memory when it says so on its way out', async () => {
    const error = await refusalOf(startWith('--max-old-space-size=12'))

    assert.equal(error.code, 'runner-out-of-memory')
    assert.match(String(error.cause), /heap out of memory/)
  })

  it('gives the reason when the child ends by itself', async () => {
    const error = await refusalOf(startWith('--import=file:///no/such/file.mjs'))

    assert.equal(error.code, 'runner-start-failed')
    assert.match(String(error.params.reason), /Cannot find module '\/no\/such\/file.mjs'/)
  })
})
