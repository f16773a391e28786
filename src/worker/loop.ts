/**
 * The worker's loop: takes dispatched jobs for one device and draws them one at a time. While one is
 * drawn others may wait, so that a short one can go first between two steps (`core/preemption.ts`),
 * and those before are encoded, stored and settled. One catch, `#fail`, decides what a failure means
 * for its job; the loop goes on.
 */
import { mayPreempt, preemptionBounds } from '../core/preemption.ts'
import { type Lease } from '../queue/lease.ts'
import type { Queue } from '../queue/pg-boss.ts'
import { Wakes } from '../queue/wakes.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { markStarted } from '../store/jobs.ts'
import type { Database } from '../store/prisma.ts'
import { Charges } from './charges.ts'
import type { Device } from './device.ts'
import { Drawing, pictureSpecOf } from './drawing.ts'
import { Ends, isLost } from './ends.ts'
import { DeviceDown, type Fate, fateOf } from './fate.ts'
import { blobLimitMs, HeldJob } from './held-job.ts'
import { encodePictures, type PictureCheck, storePngs } from './pictures.ts'
import { Progress } from './progress.ts'
import type { Runner } from './runner.ts'

/** What the loop works with. */
export type LoopOptions = {
  readonly database: Database
  readonly queue: Queue
  readonly blobs: BlobStore
  readonly device: Device
  readonly checkPicture?: PictureCheck
  readonly now: () => number
  readonly onError: (error: unknown) => void
}

/** Leases at most, so that as many can be begun. */
const mostHeld = preemptionBounds.mostPartials
/** Drawn jobs at most that are still being stored while the device draws on. */
const mostFinishing = 2
/** Nobody sleeps for ever on a call that was missed. */
const napMs = 1_000

/** The reason of whatever is cut short by a worker that stops. */
class GivenUp extends Error {}

/** Draws the jobs that come for a device until it is drained. */
export class Loop {
  readonly #options: LoopOptions
  readonly #ends: Ends
  readonly #charges: Charges
  readonly #draining = new AbortController()
  readonly #givingUp = new AbortController()
  readonly #wakes = new Wakes()
  readonly #held = new Set<HeldJob>()
  readonly #waiting: HeldJob[] = []
  /** Begun and interrupted, the last one on top. */
  readonly #paused: HeldJob[] = []
  readonly #finishing = new Set<Promise<void>>()
  readonly #taking: Promise<void>
  readonly #drawing: Promise<void>

  constructor(options: LoopOptions) {
    const { database, queue, device, now, onError } = options
    this.#options = options
    this.#ends = new Ends({ database, queue, now, onError, signal: this.#givingUp.signal })
    this.#charges = new Charges(database, device.facts.deviceClass, onError)
    device.onDown = () => void this.#giveBackWaiting()
    this.#taking = this.#takeAll()
    this.#drawing = this.#drawAll()
  }

  /**
   * Takes nothing new, gives back what is not begun, ends the rest; what is not drawn within
   * `drainMs` is given back as well.
   */
  async drain(drainMs: number): Promise<void> {
    const deadline = setTimeout(() => this.#givingUp.abort(new GivenUp()), drainMs)
    this.#draining.abort()
    this.#wakes.callAll()
    await Promise.all([this.#giveBackWaiting(), this.#taking, this.#drawing])
    await Promise.all(this.#finishing)
    clearTimeout(deadline)
  }

  async #takeAll(): Promise<void> {
    const { device, queue, onError } = this.#options
    const { signal } = this.#draining
    while (!signal.aborted) {
      await device.whenUp(signal)
      const calls = this.#wakes.count('room')
      if (this.#held.size >= mostHeld) {
        await this.#wakes.sleep('room', calls, napMs, signal)
        continue
      }
      const lease = await queue.take(device.facts.deviceClass, signal).catch(onError)
      if (lease) this.#hold(lease)
      else await this.#wakes.sleep('room', calls, napMs, signal)
    }
  }

  #hold(lease: Lease): void {
    const { database, blobs, now, onError } = this.#options
    const job = new HeldJob(lease, {
      database,
      blobs,
      ends: this.#ends,
      progressOf: ({ hasPreviews }) =>
        new Progress({ database, jobId: lease.jobId, hasPreviews, now, onError }),
    })
    this.#held.add(job)
    this.#waiting.push(job)
    // A job that is drawn or stored right now hears of its end by itself.
    const onEnd = (): void => {
      if (!remove(this.#waiting, job) && !remove(this.#paused, job)) return
      void this.#inBackground(job.drawing?.abandon() ?? Promise.resolve())
      void this.#inBackground(this.#fail(job, lease.signal.reason))
    }
    lease.signal.addEventListener('abort', onEnd, { once: true })
    if (lease.signal.aborted) onEnd()
    if (this.#draining.signal.aborted) void this.#giveBackWaiting()
    this.#wakes.call('work')
  }

  async #drawAll(): Promise<void> {
    let newcomer: HeldJob | undefined
    for (;;) {
      const job = await this.#next(newcomer)
      if (job === undefined) return
      newcomer = await this.#draw(job)
    }
  }

  /** The job whose turn it is, as soon as there is one; undefined when there will be none. */
  async #next(newcomer: HeldJob | undefined): Promise<HeldJob | undefined> {
    for (;;) {
      const calls = this.#wakes.count('work')
      while (this.#finishing.size >= mostFinishing) await Promise.race(this.#finishing)
      const paused = this.#paused.at(-1)
      const first = newcomer ?? (paused && this.#rivalOf(paused))
      if (first && remove(this.#waiting, first)) return first
      const job = this.#paused.pop() ?? this.#waiting.shift()
      if (job || this.#draining.signal.aborted) return job
      await this.#wakes.sleep('work', calls, napMs, this.#draining.signal)
    }
  }

  /** A job that waits and may go before one that is begun. */
  #rivalOf({ id, drawing }: HeldJob): HeldJob | undefined {
    if (drawing === undefined) return undefined
    const { remainingMicros, stepsLeft, preemptions } = drawing
    const isPaused = this.#paused.some((job) => job.id === id)
    const partialsOnDevice = this.#paused.length + (isPaused ? 0 : 1)
    const running = { remainingMicros, stepsLeft, preemptions, partialsOnDevice }
    return this.#waiting.find(
      ({ facts }) => facts.rival === id && mayPreempt(facts.estimateMicros, running),
    )
  }

  /** Draws a job to its end, or until another may go before it, which is given back. */
  async #draw(job: HeldJob): Promise<HeldJob | undefined> {
    try {
      const drawing = await this.#begin(job)
      if (drawing === undefined) return undefined
      while (await drawing.advance()) {
        const newcomer = this.#rivalOf(job)
        if (newcomer) {
          drawing.preemptions++
          this.#paused.push(job)
          return newcomer
        }
      }
      void this.#inBackground(this.#finish(job, drawing))
    } catch (error) {
      await this.#fail(job, error)
    }
    return undefined
  }

  /** Its drawing, begun or gone on with; undefined if it is not ours to draw. */
  async #begin(job: HeldJob): Promise<Drawing | undefined> {
    const { database, device, now } = this.#options
    const { lease, facts, progress } = job
    if (job.drawing) {
      const runner = await this.#runner()
      if (job.drawing.isOver || job.drawing.runner !== runner) job.drawing.restart(runner)
      return job.drawing
    }
    const { attempt } = lease
    const isStarted = await this.#ends.persist(lease, () =>
      markStarted(database, job.id, { attempt, device: device.facts.id, nowMs: now() }),
    )
    const prepared = isStarted && (await job.prepared)
    if (!prepared) {
      await this.#ends.letGo(lease)
      this.#forget(job)
      return undefined
    }
    const { spec } = prepared.job
    const runner = await this.#runner()
    progress.step(0, spec.evaluations)
    job.drawing = new Drawing(runner, pictureSpecOf(spec, prepared.image, facts.hasPreviews), {
      estimateMicros: facts.estimateMicros,
      signal: AbortSignal.any([lease.signal, this.#givingUp.signal]),
      progress,
    })
    return job.drawing
  }

  async #runner(): Promise<Runner> {
    try {
      return await this.#options.device.runner()
    } catch (error) {
      throw new DeviceDown(error)
    }
  }

  /** Stores what is drawn and settles, while the device draws on. */
  async #finish(job: HeldJob, drawing: Drawing): Promise<void> {
    const { blobs, device, checkPicture } = this.#options
    const { lease, progress } = job
    try {
      const { spec } = (await job.prepared)!.job
      const { hasRecipe } = job.facts
      const delivery = { jobId: job.id, spec, model: device.facts.model, hasRecipe }
      const pngs = await encodePictures(drawing.pictures, delivery, checkPicture)
      await progress.end()
      lease.signal.throwIfAborted()
      const keys = await this.#ends.persist(lease, () => storePngs(blobs, pngs), blobLimitMs)
      lease.signal.throwIfAborted()
      this.#givingUp.signal.throwIfAborted()
      if (keys === undefined) throw new Error('internal: pictures neither stored nor given up')
      const { timings } = drawing
      const costMicros = await this.#charges.of(drawing.spentMicros)
      await this.#ends.done(lease, costMicros, { keys, device: device.facts.id, timings })
      this.#forget(job)
    } catch (error) {
      await this.#fail(job, error)
    }
  }

  /** What becomes of a job that was cut short or went wrong: the loop's one catch. */
  async #fail(job: HeldJob, error: unknown): Promise<void> {
    const { queue, onError } = this.#options
    const { lease, drawing } = job
    let isOver = true
    try {
      await job.progress.end()
      const costMicros = await this.#charges.of(drawing?.spentMicros ?? 0)
      if (isLost(lease)) return
      if (lease.signal.aborted) await this.#ends.cancelled(lease, costMicros)
      else if (this.#givingUp.signal.aborted) await queue.giveBack(lease)
      else isOver = await this.#meet(job, fateOf(error, lease, drawing), costMicros, error)
    } catch (newError) {
      onError(newError)
    } finally {
      if (isOver) this.#forget(job)
    }
  }

  /** Lets a job meet its fate. @returns false if it is to be drawn again here */
  async #meet(job: HeldJob, fate: Fate, costMicros: number, error: unknown): Promise<boolean> {
    const { queue, onError } = this.#options
    const { lease } = job
    if (fate.kind === 'redo') {
      job.drawing?.makeFrugal(fate.isTiled)
      this.#paused.push(job)
      return false
    }
    if (fate.kind === 'give-back') await this.#ends.persist(lease, () => queue.giveBack(lease))
    if (fate.kind === 'retry') {
      await this.#ends.persist(lease, () => queue.retry(lease, fate.reason))
    }
    if (fate.kind === 'failed') {
      if (fate.isUnexpected) onError(error)
      await this.#ends.failed(lease, fate.error, costMicros)
    }
    return true
  }

  #forget(job: HeldJob): void {
    this.#held.delete(job)
    this.#wakes.call('room')
  }

  async #giveBackWaiting(): Promise<void> {
    const { queue, onError } = this.#options
    const waiting = this.#waiting.splice(0)
    await Promise.all(waiting.map(({ lease }) => queue.giveBack(lease).catch(onError)))
    for (const job of waiting) this.#forget(job)
  }

  #inBackground(work: Promise<void>): Promise<void> {
    const tracked = work.catch(this.#options.onError).finally(() => {
      this.#finishing.delete(tracked)
      this.#wakes.call('work')
    })
    this.#finishing.add(tracked)
    return tracked
  }
}

/** Takes an item out of a list. @returns whether it was there */
function remove<Item>(list: Item[], item: Item): boolean {
  const at = list.indexOf(item)
  if (at >= 0) list.splice(at, 1)
  return at >= 0
}
