/**
 * The worker's loop: takes dispatched jobs for one device and draws them, one at a time or a batch
 * side by side. While some are drawn others may wait, so that a short one can go first between two
 * steps (`core/preemption.ts`), and those before are encoded, stored and settled. One catch, `#fail`,
 * decides what a failure means for its job; the loop goes on.
 */
import { mayPreempt, preemptionBounds } from '../core/preemption.ts'
import type { Lease } from '../queue/lease.ts'
import type { Queue } from '../queue/pg-boss.ts'
import { Wakes } from '../queue/wakes.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { markStarted } from '../store/jobs.ts'
import type { Database } from '../store/prisma.ts'
import { Charges } from './charges.ts'
import type { Device } from './device.ts'
import { Drawing, Part } from './drawing.ts'
import { Ends, isLost } from './ends.ts'
import { DeviceDown, type Fate, fateOf } from './fate.ts'
import { HeldJob, pictureSpecOf } from './held-job.ts'
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
/** How long the blob store may be away before a drawn job fails for it. */
const blobLimitMs = 30_000
/** How much longer a busy device waits for more than an idle one, which then gets it. */
const patienceMs = 50
/** How long an idle device waits for the rest of a batch. */
const batchWaitMs = 20
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
  readonly #paused: Drawing[] = []
  readonly #finishing = new Set<Promise<void>>()
  readonly #taking: Promise<void>
  readonly #drawing: Promise<void>
  #isDrawing = false

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
    const patience = (): number => (this.#isDrawing ? patienceMs : 0)
    while (!signal.aborted) {
      await device.whenUp(signal)
      const calls = this.#wakes.count('room')
      const hasRoom = this.#held.size < mostHeld
      const lease = hasRoom
        ? await queue.take(device.facts.deviceClass, signal, patience).catch(onError)
        : undefined
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
    // A job that is drawn or stored hears of its end by itself; in a drawing that waits nobody would.
    const onEnd = (): void => {
      const paused = this.#paused.find(({ parts }) => parts.some((part) => part.job === job))
      if (paused) void this.#inBackground(this.#endPaused(paused))
      else if (remove(this.#waiting, job)) {
        void this.#inBackground(this.#fail(job, lease.signal.reason))
      }
    }
    lease.signal.addEventListener('abort', onEnd, { once: true })
    if (lease.signal.aborted) onEnd()
    if (this.#draining.signal.aborted) void this.#giveBackWaiting()
    this.#wakes.call('work')
  }

  /** A paused drawing that is alone ends when its job does; a batch goes on and finds out then. */
  async #endPaused(drawing: Drawing): Promise<void> {
    const [part] = drawing.parts
    if (drawing.parts.length > 1 || !part || !remove(this.#paused, drawing)) return
    await drawing.abandon()
    await this.#fail(part.job, part.signal.reason, part)
  }

  async #drawAll(): Promise<void> {
    let newcomer: HeldJob | undefined
    for (;;) {
      const next = await this.#next(newcomer)
      if (next === undefined) return
      this.#isDrawing = true
      const drawing = next instanceof Drawing ? next : await this.#begin(next)
      newcomer = await this.#draw(drawing)
      this.#isDrawing = false
    }
  }

  /** What comes next, as soon as there is something; undefined when there will be nothing. */
  async #next(newcomer: HeldJob | undefined): Promise<Drawing | HeldJob[] | undefined> {
    for (;;) {
      const calls = this.#wakes.count('work')
      while (this.#finishing.size >= mostFinishing) await Promise.race(this.#finishing)
      const paused = this.#paused.at(-1)
      const first = newcomer ?? (paused && this.#rivalOf(paused))
      if (first && remove(this.#waiting, first)) return [first]
      const drawing = this.#paused.pop()
      if (drawing) return drawing
      const job = this.#waiting.shift()
      if (job) return this.#withMates(job)
      if (this.#draining.signal.aborted) return undefined
      await this.#wakes.sleep('work', calls, napMs, this.#draining.signal)
    }
  }

  /** A job with those of its batch, for which an otherwise idle device waits a moment. */
  async #withMates(job: HeldJob): Promise<HeldJob[]> {
    const { batch } = job.facts
    if (batch === undefined) return [job]
    const endMs = performance.now() + batchWaitMs
    for (;;) {
      const calls = this.#wakes.count('work')
      const leftMs = endMs - performance.now()
      if (leftMs <= 0 || this.#held.size >= mostHeld || this.#waiting.length > 0) break
      await this.#wakes.sleep('work', calls, leftMs, this.#draining.signal)
      if (this.#draining.signal.aborted) break
    }
    const mates = this.#waiting.filter(({ facts }) => facts.batch === batch)
    return [job, ...mates.filter((mate) => remove(this.#waiting, mate))]
  }

  /** A job that waits and may go before those that are begun. */
  #rivalOf(drawing: Drawing): HeldJob | undefined {
    if (drawing.parts.length === 0) return undefined
    const { remainingMicros, stepsLeft, preemptions, parts } = drawing
    const others = this.#paused.filter((paused) => paused !== drawing)
    const partialsOnDevice = [...others, drawing].reduce((sum, each) => sum + each.parts.length, 0)
    const running = { remainingMicros, stepsLeft, preemptions, partialsOnDevice }
    return this.#waiting.find(
      ({ facts }) =>
        parts.some(({ job }) => job.id === facts.rival) &&
        mayPreempt(facts.estimateMicros, running),
    )
  }

  async #begin(jobs: readonly HeldJob[]): Promise<Drawing> {
    const parts = await Promise.all(jobs.map((job) => this.#beginPart(job)))
    return new Drawing(parts.filter((part) => part !== undefined))
  }

  /** A job's part; undefined if it is not ours to draw. */
  async #beginPart(job: HeldJob): Promise<Part | undefined> {
    const { database, device, now } = this.#options
    const { lease, facts, progress } = job
    try {
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
      await this.#runner()
      progress.step(0, spec.evaluations)
      const signal = AbortSignal.any([lease.signal, this.#givingUp.signal])
      return new Part(job, pictureSpecOf(spec, prepared.image, facts.hasPreviews), signal)
    } catch (error) {
      await this.#fail(job, error)
      return undefined
    }
  }

  /** Draws to the end, or until another may go before, which is given back. */
  async #draw(drawing: Drawing): Promise<HeldJob | undefined> {
    try {
      drawing.resumeOn(await this.#runner())
      for (let drawn = await drawing.advance(); drawn; drawn = await drawing.advance()) {
        const { part } = drawn
        if ('error' in drawn) await this.#fail(part.job, drawn.error, part)
        else if (part.isDrawn) void this.#inBackground(this.#finish(part))
        const newcomer = this.#rivalOf(drawing)
        if (newcomer) {
          drawing.preemptions++
          this.#paused.push(drawing)
          return newcomer
        }
      }
    } catch (error) {
      for (const part of drawing.parts) await this.#fail(part.job, error, part)
    }
    return undefined
  }

  async #runner(): Promise<Runner> {
    try {
      return await this.#options.device.runner()
    } catch (error) {
      throw new DeviceDown(error)
    }
  }

  /** Stores what is drawn and settles, while the device draws on. */
  async #finish(part: Part): Promise<void> {
    const { blobs, device, checkPicture } = this.#options
    const { job, pictures } = part
    const { lease, facts } = job
    try {
      const { spec } = (await job.prepared)!.job
      const { model } = device.facts
      const delivery = { jobId: job.id, spec, model, hasRecipe: facts.hasRecipe }
      const pngs = await encodePictures(pictures, delivery, checkPicture)
      await job.progress.end()
      lease.signal.throwIfAborted()
      const keys = await this.#ends.persist(lease, () => storePngs(blobs, pngs), blobLimitMs)
      part.signal.throwIfAborted()
      if (keys === undefined) throw new Error('internal: pictures neither stored nor given up')
      const costMicros = await this.#costOf(part)
      const results = { keys, device: device.facts.id, timings: part.timings }
      await this.#ends.done(lease, costMicros, results)
      this.#forget(job)
    } catch (error) {
      await this.#fail(job, error, part)
    }
  }

  async #costOf({ job, spentMicros }: Part): Promise<number> {
    const { estimateMicros } = (await job.prepared)!.job
    return this.#charges.of(spentMicros, estimateMicros)
  }

  /** What becomes of a job that was cut short or went wrong: the loop's one catch. */
  async #fail(job: HeldJob, error: unknown, part?: Part): Promise<void> {
    const { queue, onError } = this.#options
    const { lease } = job
    let isOver = true
    try {
      await job.progress.end()
      const costMicros = part ? await this.#costOf(part) : 0
      if (isLost(lease)) return
      if (lease.signal.aborted) await this.#ends.cancelled(lease, costMicros)
      else if (this.#givingUp.signal.aborted) await queue.giveBack(lease)
      else {
        const fate = fateOf(error, job, part)
        if (fate.kind === 'failed' && fate.isUnexpected) onError(error)
        isOver = await this.#meet(fate, job, costMicros, part)
      }
    } catch (newError) {
      onError(newError)
    } finally {
      if (isOver) this.#forget(job)
    }
  }

  /** Lets a job meet its fate. @returns false if it is to be drawn again here */
  async #meet(fate: Fate, job: HeldJob, costMicros: number, part?: Part): Promise<boolean> {
    const { queue } = this.#options
    const { lease } = job
    if (fate.kind === 'redo' && part) {
      job.isRedone = true
      this.#paused.push(new Drawing([part], fate.isFrugal))
      return false
    }
    if (fate.kind === 'give-back') await this.#ends.persist(lease, () => queue.giveBack(lease))
    if (fate.kind === 'retry') {
      await this.#ends.persist(lease, () => queue.retry(lease, fate.reason))
    }
    if (fate.kind === 'failed') await this.#ends.failed(lease, fate.error, costMicros)
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
