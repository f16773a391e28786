/**
 * A house for the worker's tests: a real Postgres, a real queue, a folder of blobs, jobs that are
 * admitted and dispatched as the rest of the house does it, and workers that draw with the built-in
 * model. Everything is closed when the file ends.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isTerminal } from '../../src/core/job.ts'
import type { JobSpec } from '../../src/core/job-spec.ts'
import { openLog } from '../../src/log.ts'
import { cancel, type Cancelling, type CancelOutcome } from '../../src/jobs/cancel.ts'
import { type HeardEvent, JobEvents } from '../../src/queue/events.ts'
import type { Payload } from '../../src/queue/lease.ts'
import { Queue } from '../../src/queue/pg-boss.ts'
import { openBlobs } from '../../src/store/blobs/open.ts'
import { ensureGuild, ensureMember } from '../../src/store/guilds.ts'
import { findJob, insertJob, markDispatched, type StoredJob } from '../../src/store/jobs.ts'
import { closeDatabase, inTransaction, openDatabase } from '../../src/store/prisma.ts'
import { accountsOf } from '../../src/store/quota.ts'
import { startWorker, type Worker, type WorkerOptions } from '../../src/worker/worker.ts'
import { newAsked, newJobId, newName, newSpec } from '../jobs/admission.ts'
import { newDatabase } from '../store/database.ts'
import { modelFolder } from './nano-runner.ts'

const workers: Worker[] = []
const queues: Queue[] = []
// Careful: hooks run in the order in which they are made, and the database's must be the last.
after(async () => {
  await Promise.all(workers.map((worker) => worker.close()))
  await Promise.all(queues.map((each) => each.close()))
  await listening.close()
  await closeDatabase(database)
  rmSync(folder, { recursive: true, force: true })
})

export const databaseUrl = await newDatabase()
export const database = openDatabase(databaseUrl)

const log = openLog({ level: 'error', hasPrompts: false, secrets: [] })

/** Errors that queues and workers outlived. */
export const errors: unknown[] = []
const onError = (error: unknown): void => void errors.push(error)

export const queue = await Queue.open(databaseUrl, { onError })
queues.push(queue)
const folder = mkdtempSync(join(tmpdir(), 'zimagine-blobs-'))
export const blobs = openBlobs(new URL(`file://${folder}`).href)
const listening = await JobEvents.open(databaseUrl, onError)
/** Everything that was told, in order. */
export const events: HeardEvent[] = []
listening.subscribe((event) => events.push(event))

/** Fewer steps and pixels than the model likes, for speed. */
export const smallSpec = { width: 64, height: 64, evaluations: 4 } as const
/** So large that a step can be waited for. */
export const slowSpec = { width: 256, height: 256, evaluations: 8 } as const

/** A worker for one test file; closing it twice is closing it once. */
export async function newWorker(options: Partial<WorkerOptions> = {}): Promise<Worker> {
  const own = await Queue.open(databaseUrl, { onError })
  queues.push(own)
  const worker = await startWorker({
    database,
    queue: own,
    blobs,
    modelFolder,
    log,
    onError,
    now: Date.now,
    ...options,
  })
  const closing = { done: undefined as Promise<void> | undefined }
  const closed = { ...worker, close: () => (closing.done ??= worker.close()) }
  workers.push(closed)
  return closed
}

/** A job that was admitted. */
export async function newJob(spec: Partial<JobSpec> = {}): Promise<StoredJob> {
  const { invocationId, replyTo } = newAsked()
  const guild = await ensureGuild(database, { platform: 'discord', platformId: newName() })
  const member = await ensureMember(database, guild, { id: newName(), roleIds: [] })
  return inTransaction(database, async (transaction) => {
    const payers = { guild, member }
    const nowMs = Date.now()
    const accounts = await accountsOf(transaction, payers, { isLocked: true, nowMs })
    const full = newSpec({ ...smallSpec, ...spec })
    const facts = { id: newJobId(), invocationId, lane: 'fast', estimateMicros: 1_000_000 } as const
    return insertJob(transaction, { ...payers, ...facts, spec: full, replyTo }, accounts, nowMs)
  })
}

/** Hands a queued job to the devices, as the scheduler does. */
export async function dispatch(jobId: string, payload: Payload = {}): Promise<void> {
  await inTransaction(database, async (transaction) => {
    const attempt = await markDispatched(transaction, jobId, Date.now())
    assert.ok(attempt)
    const facts = { estimateMicros: 500_000, hasPreviews: true, hasRecipe: true, ...payload }
    const sent = { jobId, attempt, deviceClass: 'nano', payload: facts }
    assert.ok(await queue.dispatch(sent, transaction))
  })
}

/** A job that was handed to the devices. */
export async function newDispatch(
  spec: Partial<JobSpec> = {},
  payload: Payload = {},
): Promise<string> {
  const { id } = await newJob(spec)
  await dispatch(id, payload)
  return id
}

/** Waits until something about the database holds. */
export async function eventually<Value>(
  what: string,
  ask: () => Promise<Value | undefined | false> | Value | undefined | false,
): Promise<Value> {
  const deadline = performance.now() + 60_000
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    assert.ok(performance.now() < deadline, `waited in vain until ${what}`)
    await sleep(5)
  }
}

/** The job when it has ended. */
export function ended(id: string): Promise<StoredJob> {
  return eventually(`job ${id} has ended`, async () => {
    const job = await findJob(database, id)
    return job && isTerminal(job.state) && job
  })
}

/** Waits until a job's first steps are told. */
export function hasStep(jobId: string, least = 1): Promise<boolean> {
  return eventually(`job ${jobId} is being drawn`, () =>
    events.some((event) => event.type === 'step' && event.jobId === jobId && event.index >= least),
  )
}

/** Where among all events a job's step was told. */
export function toldAt(jobId: string, index: number): number {
  return events.findIndex(
    (event) => event.type === 'step' && event.jobId === jobId && event.index === index,
  )
}

/** Ledger entries and charges of a job, each added up. */
export async function moneyOf(jobId: string): Promise<{ ledger: number; charges: number }> {
  const entries = await database.ledgerEntry.findMany({ where: { jobId } })
  const charges = await database.charge.findMany({ where: { jobId } })
  const sum = (rows: readonly { readonly micros: bigint }[]): number =>
    rows.reduce((total, { micros }) => total + Number(micros), 0)
  return { ledger: sum(entries), charges: sum(charges) }
}

/** Types of the events about a job, steps once. */
export function toldOf(jobId: string): string[] {
  const types = events.flatMap((event) =>
    'jobId' in event && event.jobId === jobId ? [event.type] : [],
  )
  return types.filter((type, k) => type !== 'step' || types[k - 1] !== 'step')
}

/** Cancels a job in the name of whoever asked for it. */
export async function cancelJob(id: string): Promise<CancelOutcome> {
  const { guild, member } = await database.job.findUniqueOrThrow({
    where: { id },
    include: { guild: true, member: true },
  })
  const { platform, platformId } = guild
  const stored = await ensureGuild(database, { platform, platformId })
  const owner = {
    guild: stored,
    member: await ensureMember(database, stored, { id: member.platformId, roleIds: [] }),
    rank: 'member',
  } as const
  const cancelDispatch: Cancelling['cancelDispatch'] = (jobId, transaction) =>
    queue.cancel(jobId, transaction)
  return cancel({ database, cancelDispatch, now: Date.now }, owner, id)
}

/** The dispatch of a job that has not ended. */
export async function liveDispatch(jobId: string) {
  const live = await queue.live()
  return live.find((each) => each.jobId === jobId)
}
