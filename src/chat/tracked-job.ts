/**
 * When a job's message is to be shown again: at once at its beginning and its end, between them no
 * more often than people read, not at all when it will be done in a moment, and after a failure not
 * before it makes sense. Time is an argument.
 */
import { isTerminal } from '../core/job.ts'
import type { ReplyTo } from '../store/jobs.ts'
import type { Delivery } from '../store/deliveries.ts'

/** How often messages are shown anew. */
export type Pace = {
  /** Between two edits of one message. */
  readonly editMs: number
  /** Between two estimates of a wait. */
  readonly estimateMs: number
  /** Between two looks for a device, while there is none. */
  readonly deviceMs: number
  /** A job that has less left than this is left alone until it is done. */
  readonly nearlyDoneMs: number
  /** After a first failure; twice that after a second, and so on. */
  readonly retryMs: number
  readonly mostRetryMs: number
}

/** The pace of people and platforms. */
export const humanPace: Pace = {
  editMs: 2_000,
  estimateMs: 10_000,
  deviceMs: 1_000,
  nearlyDoneMs: 4_000,
  retryMs: 1_000,
  mostRetryMs: 300_000,
}

/** Why a message may have to be shown anew; `step` alone is the least of them. */
export type Change = 'state' | 'step' | 'estimate'

/** A job whose last message has not been shown. */
export class TrackedJob {
  readonly id: string
  /** As it was read last; none: it is to be read. */
  delivery: Delivery | undefined
  shown: ReplyTo | undefined
  /** The last message that was shown, to be compared with. */
  text: string | undefined
  progress: { readonly done: number; readonly of: number } | undefined
  previewId: string | undefined
  hadDevice = true
  isDeviceBack = false
  /** Being shown, or about to be. */
  isBusy = false
  /** Its place does not take messages; its end is told to it once more all the same. */
  isPlaceGone = false
  failures = 0
  #change: Change | undefined = 'state'
  #isEnding = false
  #shownAtMs = -Infinity
  #notBeforeMs = -Infinity
  #firstStep: { readonly atMs: number; readonly done: number } | undefined

  constructor(id: string) {
    this.id = id
  }

  /** It waits for a device, as far as known. */
  get isWaiting(): boolean {
    return this.delivery?.job.state === 'queued' && !this.#isEnding
  }

  /** Its message is to be its last. */
  get isEnding(): boolean {
    return this.#isEnding || (this.delivery !== undefined && isTerminal(this.delivery.job.state))
  }

  /** Its row has changed; `isEnd`: for the last time. */
  changed(isEnd: boolean): void {
    this.delivery = undefined
    this.#change = 'state'
    if (isEnd) this.#isEnding = true
  }

  /** It waits again, or for the first time. */
  restarted(): void {
    this.progress = this.previewId = this.#firstStep = undefined
    this.changed(false)
  }

  /** A device has come so far with it. */
  stepped(progress: { readonly done: number; readonly of: number }, nowMs: number): void {
    if (this.delivery?.job.state !== 'running') this.delivery = undefined
    this.progress = progress
    this.#firstStep ??= { atMs: nowMs, done: progress.done }
    this.#change ??= 'step'
  }

  /** Its wait may be another now. */
  reconsidered(): void {
    this.#change ??= 'estimate'
  }

  /** Whether it is to be shown now. */
  isDue(nowMs: number, pace: Pace): boolean {
    if (this.isBusy || nowMs < this.#notBeforeMs) return false
    if (this.isEnding) return true
    if (this.#change === undefined || this.isPlaceGone) return false
    if (nowMs - this.#shownAtMs < pace.editMs) return false
    const isNeeded = this.shown === undefined || !this.#isNearlyDone(nowMs, pace)
    if (!isNeeded) this.#change = undefined
    return isNeeded
  }

  /** Whether its wait is to be estimated anew, which happens less often the more jobs wait. */
  isStale(nowMs: number, pace: Pace, slowness: number): boolean {
    if (!this.isWaiting || this.isBusy) return false
    const { deviceMs, estimateMs } = pace
    return nowMs - this.#shownAtMs >= (this.hadDevice ? estimateMs * slowness : deviceMs)
  }

  /** It is about to be read and shown; what is heard from now on is a change again. */
  begun(nowMs: number): void {
    this.#change = undefined
    this.#shownAtMs = nowMs
  }

  /** What was read of its row, unless that has changed while it was read. */
  read(delivery: Delivery): void {
    this.shown ??= delivery.shown
    if (this.#change === 'state') return
    this.delivery = delivery
    // An end that was heard of may not have been one.
    this.#isEnding = isTerminal(delivery.job.state)
  }

  /** It was shown. */
  succeeded(shown: ReplyTo, text: string): void {
    this.shown = shown
    this.text = text
    this.failures = 0
  }

  /** It could not be shown; again later, and not before `retryAfterMs`. */
  failed(nowMs: number, retryAfterMs: number, pace: Pace): void {
    const backoffMs = Math.min(pace.mostRetryMs, pace.retryMs * 2 ** this.failures)
    this.failures += 1
    this.#notBeforeMs = nowMs + Math.max(retryAfterMs, backoffMs)
    this.#change = 'state'
    this.delivery = undefined
  }

  #isNearlyDone(nowMs: number, pace: Pace): boolean {
    const { progress } = this
    const first = this.#firstStep
    if (!progress || !first) return false
    const left = progress.of - progress.done
    if (left <= 1) return true
    if (progress.done === first.done) return false
    const stepMs = (nowMs - first.atMs) / (progress.done - first.done)
    return left * stepMs < pace.nearlyDoneMs
  }
}
