/**
 * One job on its way through the model, step by step, with what it has taken so far. Whoever drives
 * it may stop pulling for as long as they like and go on later: the picture is the same. Only time
 * in the runner counts as the job's, and only that of the attempt that is delivered.
 */
import { z } from 'zod'
import type { JobSpec } from '../core/job-spec.ts'
import type { Pixels, PictureSpec, Step } from '../engine/pipeline.ts'
import type { Lease } from '../queue/lease.ts'
import type { Progress } from './progress.ts'
import type { Runner } from './runner.ts'

/** What the scheduler says with a dispatch. */
export type DispatchFacts = {
  /** What it is thought to take here. */
  readonly estimateMicros: number
  /** The id of the first job of its batch. */
  readonly batch?: string
  /** The id of a job that it may interrupt. */
  readonly rival?: string
  readonly hasPreviews: boolean
  readonly hasRecipe: boolean
}

/** A picture that is drawn. */
export type DrawnPicture = { readonly seed: number; readonly pixels: Pixels }

/** What the device took, in microseconds, by stage as far as steps tell. */
export type Timings = {
  readonly encode: number
  readonly denoise: number
  readonly decode: number
}

const dispatchFacts = z.object({
  estimateMicros: z.number().default(0),
  batch: z.string().exactOptional(),
  rival: z.string().exactOptional(),
  hasPreviews: z.boolean().default(true),
  hasRecipe: z.boolean().default(true),
})

/** Reads a lease's payload; what it does not say is as the house's defaults are. */
export function readDispatchFacts(payload: Lease['payload']): DispatchFacts {
  return dispatchFacts.parse(payload)
}

/** A job as the engine is asked for it. */
export function pictureSpecOf(
  spec: JobSpec,
  image: Uint8Array | undefined,
  hasPreviews: boolean,
): PictureSpec {
  const { prompt, negativePrompt, width, height, seed, count, evaluations, guidance } = spec
  return {
    prompt,
    width,
    height,
    seed,
    count,
    evaluations,
    guidance,
    preview: hasPreviews,
    ...(negativePrompt !== undefined && { negativePrompt }),
    ...(image && { image, ...(spec.strength !== undefined && { strength: spec.strength }) }),
  }
}

/** A job that has been begun. */
export class Drawing {
  readonly spec: PictureSpec
  /** How often a shorter job has taken its place. */
  preemptions = 0
  readonly #estimateMicros: number
  readonly #signal: AbortSignal
  readonly #progress: Progress
  #runner: Runner
  #steps: AsyncGenerator<Step>
  #isFrugal = false
  #isTiled = false
  #isOver = false
  #pictures: DrawnPicture[] = []
  #stepMicros: number[] = []
  #decodeMicros = 0
  #stepsLeft: number

  /** An aborted signal ends it, between two steps or within the runner's time of grace. */
  constructor(
    runner: Runner,
    spec: PictureSpec,
    around: {
      readonly estimateMicros: number
      readonly signal: AbortSignal
      readonly progress: Progress
    },
  ) {
    this.spec = spec
    this.#estimateMicros = around.estimateMicros
    this.#signal = around.signal
    this.#progress = around.progress
    this.#runner = runner
    this.#steps = runner.generate(spec, { signal: this.#signal })
    this.#stepsLeft = spec.evaluations ?? 1
  }

  /** The runner that draws it. */
  get runner(): Runner {
    return this.#runner
  }

  /** Whether it is drawn with less memory. */
  get isFrugal(): boolean {
    return this.#isFrugal
  }

  /** Whether it has to be restarted. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Steps of denoising that are left. */
  get stepsLeft(): number {
    return this.#stepsLeft
  }

  /** The pictures, in order, when all is drawn. */
  get pictures(): readonly DrawnPicture[] {
    return this.#pictures
  }

  /** Time in the runner until now. */
  get spentMicros(): number {
    const { encode, denoise, decode } = this.timings
    return encode + denoise + decode
  }

  /** What is left, by the steps seen so far or, at first, by the estimate. */
  get remainingMicros(): number {
    const [, ...later] = this.#stepMicros
    if (later.length > 0) return mean(later) * this.#stepsLeft
    return Math.max(0, this.#estimateMicros - this.spentMicros)
  }

  /** Time by stage: the first step took the text encoder's time as well, so it is told from others. */
  get timings(): Timings {
    const [first = 0, ...later] = this.#stepMicros
    const steps = first + sum(later)
    const encode = later.length === 0 ? 0 : Math.max(0, Math.round(first - mean(later)))
    return { encode, denoise: steps - encode, decode: this.#decodeMicros }
  }

  /** Draws one step more. @returns false when all is drawn @throws what `Runner.generate` throws */
  async advance(): Promise<boolean> {
    const startMs = performance.now()
    const { done, value: step } = await this.#steps.next()
    const micros = Math.round((performance.now() - startMs) * 1000)
    if (done) return false
    if (step.kind === 'picture') {
      this.#decodeMicros += micros
      this.#pictures.push({ seed: step.seed, pixels: step.pixels })
      return true
    }
    this.#stepMicros.push(micros)
    this.#stepsLeft = step.evaluations - step.index
    this.#progress.step(step.index, step.evaluations, step.previews)
    return true
  }

  /**
   * What was drawn is lost; from its `restart` on it is drawn with less memory: one picture after
   * another, and in tiles if need be, which alone can be seen in the last bits.
   */
  makeFrugal(isTiled: boolean): void {
    this.#isFrugal = true
    this.#isTiled = isTiled
    this.#isOver = true
  }

  /** Begins anew, after a failure or the death of its runner; what was lost is nobody's cost. */
  restart(runner: Runner): void {
    this.#runner = runner
    this.#isOver = false
    const options = { signal: this.#signal }
    this.#steps = this.#isFrugal
      ? oneByOne(runner, { ...this.spec, isTiled: this.#isTiled }, options)
      : runner.generate(this.spec, options)
    this.#pictures = []
    this.#stepMicros = []
    this.#decodeMicros = 0
    this.#stepsLeft = this.spec.evaluations ?? 1
  }

  /** Leaves it as it is; the runner forgets it. */
  async abandon(): Promise<void> {
    await this.#steps.return(undefined)
  }
}

/** Draws the pictures of a spec one after another. */
async function* oneByOne(
  runner: Runner,
  spec: PictureSpec,
  options: { readonly signal: AbortSignal },
): AsyncGenerator<Step> {
  const count = spec.count ?? 1
  for (let k = 0; k < count; k++) {
    const single = { ...spec, seed: (spec.seed + k) % 2 ** 32, count: 1 }
    for await (const step of runner.generate(single, options)) {
      if (step.kind === 'picture') yield { ...step, index: k }
      else yield { ...step, index: Math.floor((k * step.evaluations + step.index) / count) }
    }
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length
}
