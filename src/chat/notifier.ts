/**
 * Shows every job its whole life: one message, made at once and edited until the job's end, by the
 * adapter of its platform. It runs in the leader only. Events are hints and rows the truth, so a
 * start and a gap read the rows, and whatever was shown is edited and never shown a second time:
 * the nonce of a message is the job's id. What cannot be delivered is kept for the next contact.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isTerminal } from '../core/job.ts'
import type { HeardEvent, JobEvents } from '../queue/events.ts'
import {
  countDeliveryAttempt,
  type Delivery,
  findDelivery,
  markDelivered,
  mostDeliveryAttempts,
  saveShown,
  undeliveredJobs,
} from '../store/deliveries.ts'
import type { ReplyTo } from '../store/jobs.ts'
import { type Adapter, DeliveryError } from './adapter.ts'
import { deliveryFacts } from './delivery-facts.ts'
import { localeFor, words } from './i18n.ts'
import { jobMessage } from './job-message.ts'
import { Lanes } from './lanes.ts'
import type { Message } from './message.ts'
import type { Services } from './services.ts'
import { humanPace, type Pace, TrackedJob } from './tracked-job.ts'

/** What the notifier works with. */
export type NotifierOptions = {
  readonly services: Pick<Services, 'database' | 'modelCard'>
  readonly events: JobEvents
  readonly adapters: readonly Adapter[]
  /** How long a waiting job will probably wait. */
  readonly outlook: Services['outlookOf']
  readonly now: () => number
  /** Told of errors that are nobody's message: a database that is away, an adapter that is broken. */
  readonly onError: (error: unknown) => void
  readonly pace?: Partial<Pace>
}

/** How often it is looked what is due. */
const lookMs = 250
/** Waiting jobs that are estimated anew in one look, at most. */
const estimatesInLook = 25
/** From so many waiting jobs on, each is estimated less often. */
const waitingAtFullPace = 200
/** A platform that has not answered by then is taken for away. */
const showWithinMs = 20_000
/** How long a stop waits for messages that are on their way. */
const stopWithinMs = 5_000
const mostReads = 4
const mostInChannel = 2
const mostAtOnce = 64

/** Shows jobs until the signal is aborted. */
export async function runNotifier(options: NotifierOptions, signal: AbortSignal): Promise<void> {
  const notifier = new Notifier(options)
  const unsubscribe = options.events.subscribe((event) => notifier.hear(event))
  try {
    await notifier.readRows()
    while (!signal.aborted) {
      notifier.look()
      await sleep(lookMs, undefined, { signal }).catch(() => undefined)
    }
  } finally {
    unsubscribe()
    await notifier.stop()
  }
}

class Notifier {
  readonly #options: NotifierOptions
  readonly #pace: Pace
  readonly #adapters: ReadonlyMap<string, Adapter>
  readonly #jobs = new Map<string, TrackedJob>()
  /** Rows are read a few at a time, whatever a start or a storm brings. */
  readonly #reads = new Lanes({ mostInLane: mostReads, mostAtOnce: mostReads })
  readonly #lanes = new Lanes({ mostInLane: mostInChannel, mostAtOnce })
  readonly #stopping = new AbortController()
  #isReading = false
  #isReadingDue = false

  constructor(options: NotifierOptions) {
    this.#options = options
    this.#pace = { ...humanPace, ...options.pace }
    this.#adapters = new Map(options.adapters.map((adapter) => [adapter.platform, adapter]))
  }

  /** Reads which jobs are to be shown; what is known of them already is read again. */
  async readRows(): Promise<void> {
    this.#isReadingDue = this.#isReading
    if (this.#isReading) return
    this.#isReading = true
    try {
      for await (const ids of undeliveredJobs(this.#options.services.database)) {
        for (const id of ids) this.#tracked(id).changed(false)
      }
    } catch (error) {
      // It is tried again at the next look.
      this.#isReadingDue = true
      this.#options.onError(error)
    } finally {
      this.#isReading = false
    }
  }

  hear(event: HeardEvent): void {
    if (event.type === 'gap') {
      void this.readRows()
      return
    }
    if (event.type === 'device') {
      for (const job of this.#jobs.values()) if (job.isWaiting) job.reconsidered()
      return
    }
    if (event.type === 'guild' || event.type === 'message') return
    const job = this.#tracked(event.jobId)
    if (event.type === 'queued') job.restarted()
    else if (event.type === 'dispatched') job.changed(false)
    else if (event.type === 'step') {
      job.stepped({ done: event.index, of: event.evaluations }, this.#options.now())
      if (event.previewId !== undefined) job.previewId = event.previewId
    } else job.changed(true)
    this.#consider(job)
  }

  /** Shows what is due by now. */
  look(): void {
    if (this.#isReadingDue) void this.readRows()
    const nowMs = this.#options.now()
    const slowness = Math.max(1, this.#jobs.size / waitingAtFullPace)
    let estimates = estimatesInLook
    for (const job of this.#jobs.values()) {
      if (estimates > 0 && job.isStale(nowMs, this.#pace, slowness)) {
        estimates -= 1
        job.reconsidered()
      }
      this.#consider(job)
    }
  }

  async stop(): Promise<void> {
    this.#jobs.clear()
    const timer = setTimeout(() => this.#stopping.abort(), stopWithinMs)
    await this.#reads.drain()
    await this.#lanes.drain()
    clearTimeout(timer)
  }

  #tracked(id: string): TrackedJob {
    const job = this.#jobs.get(id) ?? new TrackedJob(id)
    this.#jobs.set(id, job)
    return job
  }

  #consider(job: TrackedJob): void {
    if (!job.isDue(this.#options.now(), this.#pace)) return
    job.isBusy = true
    this.#reads.add('rows', () => this.#read(job), { isUrgent: job.isEnding })
  }

  /** Reads what is to be told, then shows it in the lane of its place. */
  async #read(job: TrackedJob): Promise<void> {
    const { services, now, onError } = this.#options
    try {
      // Careful: begun before it is read, so that what happens meanwhile is told afterwards.
      job.begun(now())
      const delivery = job.delivery ?? (await findDelivery(services.database, job.id))
      const adapter = delivery && this.#adapters.get(delivery.platform)
      if (!delivery || !adapter || !isToBeShown(delivery)) {
        this.#forget(job)
        return
      }
      job.read(delivery)
      const { guild, replyTo, state } = delivery.job
      const lane = `${guild}/${String(replyTo.channel)}`
      const isUrgent = isTerminal(state)
      this.#lanes.add(lane, () => this.#show(job, delivery, adapter), { isUrgent })
    } catch (error) {
      onError(error)
      job.failed(now(), 0, this.#pace)
      job.isBusy = false
    }
  }

  async #show(job: TrackedJob, delivery: Delivery, adapter: Adapter): Promise<void> {
    const isFinal = isTerminal(delivery.job.state)
    try {
      // It has ended while this waited for its turn: only the end is told.
      if (job.isEnding && !isFinal) return
      const message = await this.#messageOf(job, delivery)
      const text = JSON.stringify(message)
      if (text === job.text && !isFinal) return
      const shown = await this.#shownBy(adapter, job, { delivery, message, isFinal })
      await this.#saved(job, { shown, text, isFinal })
    } catch (error) {
      await this.#failed(job, delivery, error)
    } finally {
      job.isBusy = false
      if (this.#jobs.get(job.id) === job) this.#consider(job)
    }
  }

  #forget(job: TrackedJob): void {
    if (this.#jobs.get(job.id) === job) this.#jobs.delete(job.id)
  }

  async #messageOf(job: TrackedJob, delivery: Delivery): Promise<Message> {
    const { outlook, services } = this.#options
    const { id, guild, state, replyTo } = delivery.job
    const now = state === 'queued' ? outlook(id, guild) : undefined
    if (now !== undefined) {
      job.isDeviceBack = now.hasDevice && (job.isDeviceBack || !job.hadDevice)
      job.hadDevice = now.hasDevice
    }
    const locale = typeof replyTo.locale === 'string' ? replyTo.locale : undefined
    const facts = deliveryFacts(delivery, {
      outlook: now,
      isDeviceBack: job.isDeviceBack,
      model: state === 'done' ? (await services.modelCard())?.name : undefined,
      ...(job.progress && { progress: job.progress }),
      previewId: job.previewId,
    })
    return jobMessage(facts, words(localeFor(locale)))
  }

  async #shownBy(
    adapter: Adapter,
    { shown }: TrackedJob,
    facts: { readonly delivery: Delivery; readonly message: Message; readonly isFinal: boolean },
  ): Promise<ReplyTo> {
    const { delivery, message, isFinal } = facts
    const { id, member, replyTo, spec } = delivery.job
    const signal = AbortSignal.any([AbortSignal.timeout(showWithinMs), this.#stopping.signal])
    const late = Promise.withResolvers<never>()
    const giveUp = (): void => late.reject(new DeliveryError('later', 0, { cause: signal.reason }))
    signal.addEventListener('abort', giveUp)
    try {
      const visibleTo = spec.isPrivate ? member : undefined
      const showing = { nonce: id, shown, isFinal, visibleTo, signal }
      return await Promise.race([adapter.show(replyTo, message, showing), late.promise])
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  async #saved(
    job: TrackedJob,
    {
      shown,
      text,
      isFinal,
    }: { readonly shown: ReplyTo; readonly text: string; readonly isFinal: boolean },
  ): Promise<void> {
    const { services, now } = this.#options
    const isNew = JSON.stringify(shown) !== JSON.stringify(job.shown)
    job.succeeded(shown, text)
    if (isFinal) {
      await markDelivered(services.database, job.id, { nowMs: now(), shown })
      this.#forget(job)
    } else if (isNew) {
      await saveShown(services.database, job.id, shown)
    }
  }

  async #failed(job: TrackedJob, delivery: Delivery, error: unknown): Promise<void> {
    const { now, onError } = this.#options
    const isOurs = error instanceof DeliveryError
    if (!isOurs) onError(error)
    const isGone = isOurs && error.kind === 'gone'
    job.isPlaceGone = isGone
    job.failed(now(), isOurs ? error.retryAfterMs : 0, this.#pace)
    if (!isTerminal(delivery.job.state) || this.#stopping.signal.aborted) return
    // What was delivered once stays so, even if it cannot be changed any more.
    if (delivery.isDelivered) this.#forget(job)
    else await this.#countAttempt(job, isGone).catch(onError)
  }

  async #countAttempt(job: TrackedJob, isGone: boolean): Promise<void> {
    const { database } = this.#options.services
    const attempts = await countDeliveryAttempt(database, job.id, isGone)
    if (attempts >= mostDeliveryAttempts) this.#forget(job)
  }
}

/** A delivered message is shown once more when pictures of it have been deleted since. */
function isToBeShown({ job, attempts, isDelivered }: Delivery): boolean {
  if (!isTerminal(job.state)) return true
  return isDelivered ? job.resultKeys.includes('') : attempts < mostDeliveryAttempts
}
