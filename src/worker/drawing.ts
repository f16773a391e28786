/**
 * One job on its way through the model, or a few of a kind side by side, step by step. Whoever
 * drives it may stop pulling for as long as they like and go on later: the pictures are the same.
 * Only time in the runner counts, is shared by those who are in it, and is counted from the
 * beginning when a drawing has to begin anew.
 */
import { batchShares } from '../core/cost.ts'
import type { Pixels } from '../engine/image.ts'
import type { ItemStep, PictureSpec, Step } from '../engine/pipeline.ts'
import type { HeldJob } from './held-job.ts'
import type { Runner } from './runner.ts'

/** A picture that is drawn. */
export type DrawnPicture = { readonly seed: number; readonly pixels: Pixels }

/** One job's part in a drawing: what it asks for, what it has got and taken. */
export class Part {
  readonly job: HeldJob
  readonly spec: PictureSpec
  /** Ends this part alone. */
  readonly signal: AbortSignal
  /** The pictures, in order, when all is drawn. */
  pictures: DrawnPicture[] = []
  stepsLeft: number
  /** Parts drawn side by side, itself included. */
  batch = 1
  #firstMicros = 0
  #laterMicros = 0
  #laterSteps = 0
  #decodeMicros = 0

  constructor(job: HeldJob, spec: PictureSpec, signal: AbortSignal) {
    this.job = job
    this.spec = spec
    this.signal = signal
    this.stepsLeft = spec.evaluations ?? 1
  }

  /** Whether all its pictures are drawn. */
  get isDrawn(): boolean {
    return this.pictures.length === (this.spec.count ?? 1)
  }

  /** Device time until now. */
  get spentMicros(): number {
    return this.#firstMicros + this.#laterMicros + this.#decodeMicros
  }

  /** What its steps have yet to take, by those seen so far or, at first, by the estimate. */
  get remainingMicros(): number {
    if (this.#laterSteps > 0) return (this.#laterMicros / this.#laterSteps) * this.stepsLeft
    return Math.max(0, this.job.facts.estimateMicros - this.spentMicros)
  }

  /**
   * Device time by stage: the first step took the text encoder's as well, so others tell its own.
   * `deviceMicros` is all of it, for who learns from it what such a job takes alone.
   */
  get timings(): Readonly<Record<string, number>> {
    const step = this.#laterSteps === 0 ? this.#firstMicros : this.#laterMicros / this.#laterSteps
    const encode = Math.max(0, Math.round(this.#firstMicros - step))
    const denoise = this.#firstMicros + this.#laterMicros - encode
    const stages = { encode, denoise, decode: this.#decodeMicros, batch: this.batch }
    return this.batch === 1 ? { ...stages, deviceMicros: this.spentMicros } : stages
  }

  /** Counts its share of a step, its own or another part's. */
  share(micros: number): void {
    if (this.stepsLeft === (this.spec.evaluations ?? 1)) this.#firstMicros += micros
    else this.#laterMicros += micros
  }

  /** Takes what was drawn for it. */
  take(step: Step, micros: number): void {
    if (step.kind === 'picture') {
      this.#decodeMicros += micros
      this.pictures.push({ seed: step.seed, pixels: step.pixels })
    } else {
      if (step.index > 1) this.#laterSteps++
      this.stepsLeft = step.evaluations - step.index
      this.job.progress.step(step.index, step.evaluations, step.previews)
    }
  }

  /** As it was before anything was drawn, now beside others. */
  reset(batch: number): void {
    this.batch = batch
    this.pictures = []
    this.stepsLeft = this.spec.evaluations ?? 1
    this.#firstMicros = 0
    this.#laterMicros = 0
    this.#laterSteps = 0
    this.#decodeMicros = 0
  }
}

/** What came of a pull: a part has gone on, is drawn, or is over for a reason of its own. */
export type Drawn = { readonly part: Part; readonly error?: unknown }

/** Jobs that have been begun, drawn side by side. */
export class Drawing {
  /** How often a shorter job has taken its place. */
  preemptions = 0
  readonly isFrugal: boolean
  readonly #open: Set<Part>
  #runner: Runner | undefined
  #steps: AsyncGenerator<ItemStep> | undefined
  /** In the order in which the runner counts them. */
  #items: readonly Part[] = []

  constructor(parts: readonly Part[], isFrugal = false) {
    this.#open = new Set(parts)
    this.isFrugal = isFrugal
  }

  /** The parts that have not ended. */
  get parts(): readonly Part[] {
    return [...this.#open]
  }

  /** Steps of denoising that are left. */
  get stepsLeft(): number {
    return Math.max(...this.parts.map(({ stepsLeft }) => stepsLeft))
  }

  /** Device time that is left, for all of them. */
  get remainingMicros(): number {
    return this.parts.reduce((sum, { remainingMicros }) => sum + remainingMicros, 0)
  }

  /** Goes on, or begins anew where another runner did what has been done. */
  resumeOn(runner: Runner): void {
    if (runner === this.#runner) return
    this.#runner = runner
    this.#items = this.parts
    for (const part of this.#items) part.reset(this.#items.length)
    this.#steps = runner.generateTogether(
      this.#items.map(({ spec }) => spec),
      { signals: this.#items.map(({ signal }) => signal), isFrugal: this.isFrugal },
    )
  }

  /**
   * Draws one step more of one part. @returns undefined when all parts have ended
   *
   * @throws what ends all of them, as `Runner.generateTogether` does
   */
  async advance(): Promise<Drawn | undefined> {
    const startMs = performance.now()
    const next = await this.#steps?.next()
    const micros = Math.round((performance.now() - startMs) * 1000)
    if (next === undefined || next.done) return undefined
    const part = this.#items[next.value.item]!
    if ('error' in next.value) {
      this.#open.delete(part)
      return { part, error: next.value.error }
    }
    const { step } = next.value
    // A step of one is a step of all of them, and no longer than it would be for one alone.
    if (step.kind === 'step') {
      const shares = batchShares(
        micros,
        this.parts.map(() => micros),
      )
      for (const [k, each] of this.parts.entries()) each.share(shares[k]!)
    }
    part.take(step, micros)
    if (part.isDrawn) this.#open.delete(part)
    return { part }
  }

  /** Leaves everything as it is; the runner forgets it. */
  async abandon(): Promise<void> {
    await this.#steps?.return(undefined)
  }
}
