/**
 * Runners of the built-in model for the tests of this folder: one for a test or for a suite, a step
 * that takes seconds, and what a failure is. Every runner is closed by whoever's end it reaches.
 */
import assert from 'node:assert/strict'
import { after, afterEach, before } from 'node:test'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../src/core/errors.ts'
import type { PictureSpec, Step } from '../../src/engine/pipeline.ts'
import { Runner, type RunnerOptions } from '../../src/worker/runner.ts'
import { cpuSeconds, until } from './processes.ts'

/** Why these tests are left out, if they are. */
export const skip = process.platform === 'linux' ? false : 'reads processes from /proc'

export const modelFolder = fileURLToPath(new URL('../../models/nano', import.meta.url))

export const cat: PictureSpec = { prompt: 'a cat', seed: 7, evaluations: 2 }
export const dog: PictureSpec = { prompt: 'a dog on a red background', seed: 8, evaluations: 3 }

/** So large that a step takes seconds. */
export const slow: PictureSpec = { ...cat, width: 1024, height: 1024 }

const started: Runner[] = []
afterEach(() => Promise.all(started.splice(0).map((runner) => runner.close())))

/** A runner for one test. */
export async function startRunner(options: Partial<RunnerOptions> = {}): Promise<Runner> {
  const runner = await Runner.start({ modelFolder, ...options })
  started.push(runner)
  return runner
}

/** A runner for the tests of a suite that leave it as they found it. */
export function shareRunner(options: Partial<RunnerOptions> = {}): () => Runner {
  let shared: Runner | undefined
  before(async () => {
    shared = await Runner.start({ modelFolder, ...options })
  })
  after(() => shared?.close())
  return () => shared!
}

/** The bytes of every picture. */
export async function draw(steps: AsyncIterable<Step>): Promise<Uint8Array[]> {
  const pictures: Uint8Array[] = []
  for await (const step of steps) if (step.kind === 'picture') pictures.push(step.pixels.data)
  return pictures
}

/** The UserError that `attempt` ends in. */
export async function refusalOf(attempt: Promise<unknown>): Promise<UserError> {
  const error = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(error instanceof UserError, `expected a UserError, got ${String(error)}`)
  return error
}

/** Asks for a step that takes seconds; returns when the child is in the middle of it. */
export async function beginStep(runner: Runner, signal?: AbortSignal) {
  const before = cpuSeconds(runner.pid)
  const step = runner.generate(slow, { signal }).next()
  step.catch(() => {})
  await until('the step has begun', () => cpuSeconds(runner.pid) > before + 0.2)
  return { step }
}
