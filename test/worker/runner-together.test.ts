/**
 * Several specs in one runner: each gets what it gets alone, is told its own end, and can be given up
 * without harm to the others; and the second try after memory ran out.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { getEventListeners } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { UserError } from '../../src/core/errors.ts'
import { Pipeline, type PictureSpec, type Step } from '../../src/engine/pipeline.ts'
import type { Runner } from '../../src/worker/runner.ts'
import {
  cat,
  dog,
  draw,
  modelFolder,
  refusalOf,
  shareRunner,
  skip,
  slow,
  startRunner,
} from './nano-runner.ts'
import { cpuSeconds, isAlive, until } from './processes.ts'

const lion: PictureSpec = { prompt: 'a large lion', seed: 11, evaluations: 3, count: 2 }
/** More than a tile, so that a frugal drawing is another. */
const wide: PictureSpec = { ...cat, width: 640, height: 64 }

const pipeline = await Pipeline.open(modelFolder)
const catAlone = await draw(pipeline.generate(cat))
const dogAlone = await draw(pipeline.generate(dog))
const lionAlone = await draw(pipeline.generate(lion))
const wideAlone = await draw(pipeline.generate(wide))
const wideFrugal = await draw(pipeline.generate(wide, { isFrugal: true }))
await pipeline.close()

type Options = Parameters<Runner['generateTogether']>[1]

/** What came of each spec: its steps and how it ended. */
async function together(
  runner: Runner,
  specs: readonly PictureSpec[],
  options?: Options,
  onStep: (item: number, step: Step) => void = () => {},
) {
  const pictures = specs.map((): Uint8Array[] => [])
  const errors = specs.map((): unknown[] => [])
  for await (const drawn of runner.generateTogether(specs, options)) {
    if ('error' in drawn) {
      errors[drawn.item]!.push(drawn.error)
      continue
    }
    onStep(drawn.item, drawn.step)
    if (drawn.step.kind === 'picture') pictures[drawn.item]!.push(drawn.step.pixels.data)
  }
  return { pictures, errors }
}

/** Careful: `deepEqual` of pictures that differ would take gigabytes to say so. */
function assertSame(actual: readonly Uint8Array[], expected: readonly Uint8Array[]): void {
  assert.equal(actual.length, expected.length)
  for (const [k, data] of actual.entries()) {
    assert.ok(Buffer.compare(data, expected[k]!) === 0, `picture ${k} differs`)
  }
}

/** Lets a process have so much memory more than it has now; false where that cannot be said. */
function limitMemory(pid: number, moreBytes: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const sizeBytes = Number(/VmSize:\s*(\d+)/.exec(status)?.[1]) * 1024
  return spawnSync('prlimit', [`--pid=${pid}`, `--as=${sizeBytes + moreBytes}:`]).status === 0
}

describe('Runner.generateTogether', { skip }, () => {
  const shared = shareRunner({ cancelGraceMs: 60_000 })

  it('draws for each spec what the pipeline draws for it alone', async () => {
    const { pictures, errors } = await together(shared(), [cat, dog, lion])

    assert.deepEqual(errors, [[], [], []])
    assertSame(pictures.flat(), [...catAlone, ...dogAlone, ...lionAlone])
  })

  it('ends the one whose signal is aborted with its reason, and only that one', async () => {
    const stop = new AbortController()
    const reason = new Error('enough')
    const steps: number[] = []

    const { pictures, errors } = await together(
      shared(),
      [cat, dog, lion],
      { signals: [undefined, stop.signal] },
      (item, { index }) => {
        if (item === 1) steps.push(index)
        if (item === 1 && index === 1) stop.abort(reason)
      },
    )

    assert.deepEqual(steps, [1])
    assert.deepEqual(errors, [[], [reason], []])
    assertSame(pictures.flat(), [...catAlone, ...lionAlone])
  })

  it('ends one that is aborted before the beginning, and draws the others', async () => {
    const reason = new Error('enough')

    const { pictures, errors } = await together(shared(), [cat, dog], {
      signals: [AbortSignal.abort(reason)],
    })

    assert.deepEqual(errors, [[reason], []])
    assertSame(pictures.flat(), dogAlone)
  })

  it('tells no end to one that is aborted after its last picture', async () => {
    const stop = new AbortController()

    const { pictures, errors } = await together(
      shared(),
      [cat, dog],
      { signals: [stop.signal] },
      (item, { kind }) => {
        if (item === 0 && kind === 'picture') stop.abort()
      },
    )

    assert.deepEqual(errors, [[], []])
    assertSame(pictures.flat(), [...catAlone, ...dogAlone])
  })

  it('lets a step outlast the grace time as long as somebody waits for it', async () => {
    const runner = await startRunner({ cancelGraceMs: 1 })
    const stop = new AbortController()
    const before = cpuSeconds(runner.pid)
    const drawing = together(runner, [slow, cat], { signals: [stop.signal] })
    await until('the step has begun', () => cpuSeconds(runner.pid) > before + 0.2)

    stop.abort(new Error('enough'))

    const { pictures, errors } = await drawing
    assert.match(String(errors[0]), /enough/)
    assertSame(pictures.flat(), catAlone)
  })

  it('kills a runner whose step outlasts the grace time once all have left', async () => {
    const runner = await startRunner({ cancelGraceMs: 1 })
    const stops = [new AbortController(), new AbortController()]
    const reasons = [new Error('enough'), new Error('not again')]
    const before = cpuSeconds(runner.pid)
    const signals = stops.map(({ signal }) => signal)
    const drawing = together(runner, [slow, { ...slow, seed: 8 }], { signals })
    await until('the step has begun', () => cpuSeconds(runner.pid) > before + 0.2)

    for (const [i, stop] of stops.entries()) stop.abort(reasons[i])

    const { errors } = await drawing
    assert.deepEqual(
      errors,
      reasons.map((reason) => [reason]),
    )
    assert.ok(!isAlive(runner.pid))
  })

  it('tells what is wrong with one before any is drawn, and draws the others', async () => {
    const image = new TextEncoder().encode('GIF89a')
    const seen: string[] = []

    for await (const drawn of shared().generateTogether([cat, { ...cat, image }])) {
      if ('step' in drawn) seen.push(`${drawn.item} ${drawn.step.kind}`)
      else seen.push(`${drawn.item} ${(drawn.error as UserError).code}`)
    }

    assert.deepEqual(seen, ['1 image-unsupported', '0 step', '0 step', '0 picture'])
  })

  it('fails for all who have not ended when the child dies', async () => {
    const runner = await startRunner()
    const ended: number[] = []

    const error = await refusalOf(
      together(runner, [cat, dog], {}, (item, { kind }) => {
        if (kind !== 'picture') return
        ended.push(item)
        process.kill(runner.pid, 'SIGKILL')
      }),
    )

    assert.equal(error.code, 'runner-crashed')
    assert.deepEqual(ended, [0])
  })

  it('refuses more than it can take', async () => {
    const drawing = together(
      shared(),
      Array.from({ length: 9 }, () => cat),
    )

    await assert.rejects(drawing, /at most 8 specs/)
    assertSame(await draw(shared().generate(cat)), catAlone)
  })

  it('leaves the runner free and no listener behind when its loop is left', async () => {
    const { signal } = new AbortController()

    for await (const _ of shared().generateTogether([cat, dog], { signals: [signal, signal] }))
      break

    assert.equal(getEventListeners(signal, 'abort').length, 0)
    assertSame(await draw(shared().generate(cat)), catAlone)
  })
})

describe('a frugal drawing', { skip }, () => {
  const shared = shareRunner()

  it('is what the pipeline draws frugally', async () => {
    assertSame(await draw(shared().generate(wide, { isFrugal: true })), wideFrugal)
    assertSame(await draw(shared().generate(wide)), wideAlone)
    assert.ok(Buffer.compare(wideAlone[0]!, wideFrugal[0]!) !== 0, 'frugal changes nothing')
  })

  it('succeeds in memory that was not enough', async (t) => {
    const runner = await startRunner()
    await draw(runner.generate(cat))
    // Drawn whole it takes some 290 MB, frugally 170.
    if (!limitMemory(runner.pid, 230e6)) return t.skip('needs prlimit')
    const large = { ...cat, width: 1024, height: 512, evaluations: 1 }

    const error = await refusalOf(draw(runner.generate(large)))
    const pictures = await draw(runner.generate(large, { isFrugal: true }))

    assert.equal(error.code, 'runner-out-of-memory')
    assert.equal(pictures.length, 1)
  })
})
