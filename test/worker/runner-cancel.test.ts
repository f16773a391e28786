/** How a generation is given up, and a runner closed, without harm to anybody else. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import {
  beginStep,
  cat,
  dog,
  draw,
  refusalOf,
  shareRunner,
  skip,
  startRunner,
} from './nano-runner.ts'
import { isAlive } from './processes.ts'

describe('a cancel', { skip }, () => {
  const shared = shareRunner({ cancelGraceMs: 60_000 })

  it('ends with its reason within the grace time and leaves the runner in use', async () => {
    const runner = shared()
    const cancel = new AbortController()
    const generation = runner.generate({ ...cat, evaluations: 200 }, cancel)
    await generation.next()
    const step = generation.next()

    cancel.abort(new Error('enough'))

    await assert.rejects(step, /enough/)
    assert.equal((await draw(runner.generate(cat))).length, 1)
  })

  it('kills a runner whose step outlasts the grace time', async () => {
    const runner = await startRunner({ cancelGraceMs: 1 })
    const cancel = new AbortController()
    const { step } = await beginStep(runner, cancel.signal)

    cancel.abort(new Error('enough'))

    await assert.rejects(step, /enough/)
    assert.ok(!isAlive(runner.pid))
  })

  it('of one that waits for its turn disturbs nobody', async () => {
    const runner = await startRunner({ cancelGraceMs: 1 })
    const { step } = await beginStep(runner)
    const cancel = new AbortController()
    const waiting = runner.generate(dog, cancel).next()

    cancel.abort(new Error('enough'))

    await assert.rejects(waiting, /enough/)
    assert.equal((await step).value?.kind, 'step')
  })

  it('before the beginning draws nothing', async () => {
    const runner = shared()

    const step = runner.generate(cat, { signal: AbortSignal.abort(new Error('enough')) }).next()

    await assert.rejects(step, /enough/)
  })

  it('by leaving the loop frees the runner for the next', async () => {
    const runner = shared()

    for await (const step of runner.generate({ ...cat, evaluations: 200 })) {
      assert.equal(step.kind, 'step')
      break
    }

    assert.equal((await draw(runner.generate(cat))).length, 1)
  })

  it('leaves no listener on its signal', async () => {
    const runner = shared()
    const { signal } = new AbortController()

    await draw(runner.generate(cat, { signal }))

    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })
})

describe('Runner.close', { skip }, () => {
  it('ends the process and says so to the generation under way', async () => {
    const runner = await startRunner()
    const { step } = await beginStep(runner)

    await runner.close()

    assert.equal((await refusalOf(step)).code, 'runner-stopped')
    assert.ok(!isAlive(runner.pid))
  })

  it('may be said twice', async () => {
    const runner = await startRunner()

    await Promise.all([runner.close(), runner.close()])

    assert.equal((await refusalOf(draw(runner.generate(cat)))).code, 'runner-stopped')
  })
})
