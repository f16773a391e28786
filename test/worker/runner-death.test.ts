/**
 * Every way in which a child can end is told as what it is, the next runner draws, and a child never
 * outlives its parent. The child's processor time tells that a step is under way.
 */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { UserError } from '../../src/core/errors.ts'
import type { Runner } from '../../src/worker/runner.ts'
import { beginStep, cat, dog, draw, refusalOf, skip, slow, startRunner } from './nano-runner.ts'
import { isAlive, until } from './processes.ts'

/** A process of its own with a runner: both process ids. */
async function doomedParent(
  mode: 'idle' | 'busy',
  preload?: string,
): Promise<{ parent: number; child: number }> {
  const script = fileURLToPath(new URL('doomed-parent.ts', import.meta.url))
  // The parent, too, gets the preload, which is harmless there: it is sent no message.
  const NODE_OPTIONS = preload && `--import=${new URL(preload, import.meta.url).href}`
  const parent = spawn(process.execPath, [script, mode], {
    env: { ...process.env, ...(NODE_OPTIONS && { NODE_OPTIONS }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  return { parent: parent.pid!, child: Number(String(line)) }
}

/** Draws what there is no memory for; undefined where memory cannot be limited. */
async function exhaust(runner: Runner): Promise<UserError | undefined> {
  await draw(runner.generate(cat))
  const status = readFileSync(`/proc/${runner.pid}/status`, 'utf8')
  const sizeBytes = (Number(/VmSize:\s*(\d+)/.exec(status)?.[1]) + 20_000) * 1024
  const limit = (value: string): boolean =>
    spawnSync('prlimit', [`--pid=${runner.pid}`, `--as=${value}:`]).status === 0
  if (!limit(String(sizeBytes))) return undefined
  const error = await refusalOf(draw(runner.generate(slow)))
  limit('unlimited')
  return error
}

describe('a runner that dies', { skip }, () => {
  it('in the middle of a step is told as crashed, and another one draws', async () => {
    const runner = await startRunner()
    const { step } = await beginStep(runner)

    process.kill(runner.pid, 'SIGKILL')

    const error = await refusalOf(step)
    assert.deepEqual([error.code, error.params.signal], ['runner-crashed', 'SIGKILL'])
    assert.equal((await draw((await startRunner()).generate(cat))).length, 1)
  })

  it('between steps is told as crashed by the next step, and another one draws', async () => {
    const runner = await startRunner()
    const generation = runner.generate(cat)
    await generation.next()

    process.kill(runner.pid, 'SIGKILL')
    await runner.exited

    const error = await refusalOf(generation.next())
    assert.deepEqual([error.code, error.params.signal], ['runner-crashed', 'SIGKILL'])
    assert.equal((await draw((await startRunner()).generate(cat))).length, 1)
  })

  for (const signal of ['SIGSEGV', 'SIGABRT'] as const) {
    it(`of ${signal} is told as that, to generations open and new`, async () => {
      const runner = await startRunner()
      const { step } = await beginStep(runner)
      const waiting = refusalOf(draw(runner.generate(dog)))

      process.kill(runner.pid, signal)

      for (const error of [await refusalOf(step), await waiting]) {
        assert.deepEqual([error.code, error.params.signal], ['runner-crashed', signal])
      }
      assert.equal((await refusalOf(draw(runner.generate(cat)))).code, 'runner-crashed')
    })
  }

  for (const [what, mode, preload] of [
    ['it waits', 'idle', undefined],
    ['a step is under way', 'busy', undefined],
    ['a step never ends', 'busy', 'blocked-step.ts'],
  ] as const) {
    it(`goes with its parent while ${what}`, async () => {
      const { parent, child } = await doomedParent(mode, preload)

      process.kill(parent, 'SIGKILL')

      await until('the child is gone', () => !isAlive(child))
    })
  }

  it('is told as out of memory, and lives on, when onnxruntime cannot get any', async (t) => {
    const runner = await startRunner()

    const error = await exhaust(runner)

    if (error === undefined) return t.skip('needs prlimit')
    assert.equal(error.code, 'runner-out-of-memory')
    assert.equal((await draw(runner.generate(cat))).length, 1)
  })

  it('is told as what it died of, not of what it survived', async () => {
    const runner = await startRunner()
    await exhaust(runner)
    await draw(runner.generate(cat))

    process.kill(runner.pid, 'SIGKILL')

    assert.equal((await refusalOf(draw(runner.generate(cat)))).code, 'runner-crashed')
  })
})
