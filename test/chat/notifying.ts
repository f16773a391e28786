/**
 * Jobs that are asked for and drawn in a moment on a real database, and a notifier that shows them
 * on a platform in memory: what the tests of the notifier are made of.
 */
import assert from 'node:assert/strict'
import { after, afterEach } from 'node:test'
import type { Message } from '../../src/chat/message.ts'
import { runNotifier } from '../../src/chat/notifier.ts'
import type { Pace } from '../../src/chat/tracked-job.ts'
import type { Outlook } from '../../src/core/eta.ts'
import type { JobSpec } from '../../src/core/job-spec.ts'
import { submit } from '../../src/jobs/submit.ts'
import { type JobEvent, JobEvents, publish } from '../../src/queue/events.ts'
import { findDelivery } from '../../src/store/deliveries.ts'
import {
  markDispatched,
  markStarted,
  settleDone,
  settleFailed,
  type StoredJob,
} from '../../src/store/jobs.ts'
import { inTransaction, type Transaction } from '../../src/store/prisma.ts'
import { newAsked, newName, newSpec } from '../jobs/admission.ts'
import { newDatabase } from '../store/database.ts'
import { until } from '../worker/processes.ts'
import { MemoryPlatform, type PostedMessage } from './memory-platform.ts'
import { newServices, unknownOutlook } from './services.ts'

const url = await newDatabase()
/** What every waiting job is told of its future. */
export const future: { outlook: Outlook } = { outlook: unknownOutlook }
/** The time. */
export const now = (): number => Date.now()
/** The floors below. */
export const services = newServices(url, { now, outlookOf: () => future.outlook })
/** Their database. */
export const { database } = services
/** What notifiers have told of; empty again at the end of each test, or it fails. */
export const errors: unknown[] = []
const events = await JobEvents.open(url, (error) => errors.push(error))
after(() => events.close())

const quick: Pace = {
  editMs: 20,
  estimateMs: 60,
  deviceMs: 20,
  nearlyDoneMs: 0,
  retryMs: 5,
  mostRetryMs: 20,
}
/** Ends of the notifiers that a test has started. */
const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  future.outlook = unknownOutlook
  await database.job.deleteMany()
  assert.deepEqual(errors.splice(0), [])
})

/** Starts a notifier on a platform; it is stopped when the test ends, or by what is returned. */
export const startOn = (
  platform: MemoryPlatform,
  pace: Partial<Pace> = {},
): (() => Promise<void>) => {
  const stopping = new AbortController()
  const running = runNotifier(
    {
      services,
      events,
      adapters: [platform.adapter],
      outlook: services.outlookOf,
      now,
      onError: (error) => errors.push(error),
      pace: { ...quick, ...pace },
    },
    stopping.signal,
  )
  const stop = async (): Promise<void> => {
    stopping.abort()
    await running
  }
  stops.push(stop)
  return stop
}

/** A job and where it is shown. */
export type Wish = { readonly job: StoredJob; readonly place: { readonly channel: string } }
/** Somebody asks for a picture. */
export const newWish = async (
  spec: Partial<JobSpec> = {},
  place: { readonly channel: string; readonly locale?: string } = { channel: newName() },
): Promise<Wish> => {
  const { job } = await submit(services.admission, newAsked({ replyTo: place }), newSpec(spec))
  return { job, place }
}
/** Changes rows and tells of it, as workers do. */
export const tell = async (
  event: JobEvent,
  change: (transaction: Transaction) => Promise<unknown> = async () => undefined,
): Promise<void> =>
  inTransaction(database, async (transaction) => {
    await change(transaction)
    await publish(event, transaction)
  })
/** A device begins. */
export const dispatch = async ({ job }: Wish): Promise<void> =>
  tell({ type: 'dispatched', jobId: job.id, attempt: 1, device: 'test:0' }, async (transaction) => {
    await markDispatched(transaction, job.id, now())
    await markStarted(transaction, job.id, { attempt: 1, device: 'test:0', nowMs: now() })
  })
/** A device has come so far. */
export const step = async ({ job }: Wish, index: number, previewId?: string): Promise<void> =>
  tell({
    type: 'step',
    jobId: job.id,
    index,
    evaluations: 8,
    ...(previewId !== undefined && { previewId }),
  })
/** A blob. */
export const key = `${'0'.repeat(64)}.png`
/** A device has drawn it. */
export const finish = async ({ job }: Wish): Promise<void> =>
  tell({ type: 'done', jobId: job.id }, (transaction) =>
    settleDone(transaction, job.id, 1, {
      costMicros: 3_100_000,
      results: { keys: Array.from({ length: job.spec.count }, () => key), device: 'test:0' },
      nowMs: now(),
    }),
  )
/** A device cannot draw it. */
export const fail = async ({ job }: Wish): Promise<void> =>
  tell({ type: 'failed', jobId: job.id, code: 'runner-out-of-memory' }, (transaction) =>
    settleFailed(transaction, job.id, 1, {
      error: { code: 'runner-out-of-memory', params: {} },
      costMicros: 0,
      nowMs: now(),
    }),
  )
/** A device begins and has drawn it. */
export const draw = async (wish: Wish): Promise<void> => {
  await dispatch(wish)
  await finish(wish)
}
/** What is in its channel. */
export const posted = (platform: MemoryPlatform, { place }: Wish): PostedMessage | undefined =>
  platform.channel(place).messages[0]
/** What people see of it. */
export const seen = (platform: MemoryPlatform, wish: Wish): Message | undefined =>
  posted(platform, wish)?.message
/** Waits until it says that. */
export const says = (platform: MemoryPlatform, wish: Wish, pattern: RegExp): Promise<void> =>
  until(`it says ${String(pattern)}`, () => pattern.test(seen(platform, wish)?.text ?? ''))
/** Waits until it is delivered. */
export const isDelivered = async ({ job }: Wish): Promise<boolean> => {
  for (let look = 0; look < 200; look += 1) {
    if ((await findDelivery(database, job.id))?.isDelivered) return true
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return false
}
/** What its buttons say. */
export const labels = (message: Message | undefined): string[] =>
  message?.buttons?.flat().map(({ label }) => label) ?? []
