/** Rows for tests of operators' things: guilds, and jobs that have come as far as a test needs. */
import {
  settleDone,
  settleFailed,
  insertJob,
  markDispatched,
  markStarted,
} from '../../src/store/jobs.ts'
import { type StoredGuild, ensureGuild, ensureMember } from '../../src/store/guilds.ts'
import { type Database, inTransaction } from '../../src/store/prisma.ts'
import { accountsOf } from '../../src/store/quota.ts'
import { newAsked, newJobId, newName, newSpec } from '../jobs/admission.ts'

/** When everything in these tests begins. */
export const startMs = Date.UTC(2026, 0, 1)

/** A guild of its own. */
export async function newGuild(database: Database): Promise<StoredGuild> {
  return ensureGuild(database, { platform: 'discord', platformId: newName() })
}

/** A queued job of a new member, asked for at `atMs`. */
export async function newJob(
  database: Database,
  guild: StoredGuild,
  { atMs = startMs, parent, image }: { atMs?: number; parent?: string; image?: string } = {},
): Promise<{ id: string; memberRow: number }> {
  const member = await ensureMember(database, guild, { id: newName(), roleIds: [] })
  const { invocationId, replyTo } = newAsked()
  const spec = newSpec({ ...(parent && { parent }), ...(image && { image }) })
  const job = { id: newJobId(), invocationId, replyTo, spec, lane: 'fast', estimateMicros: 1_000 }
  await inTransaction(database, async (transaction) => {
    const payers = { guild, member }
    const accounts = await accountsOf(transaction, payers, { isLocked: true, nowMs: atMs })
    await insertJob(transaction, { ...payers, ...job, lane: 'fast' }, accounts, atMs)
  })
  return { id: job.id, memberRow: member.row }
}

/** Brings a queued job to a device. */
export async function begin(database: Database, id: string, atMs: number): Promise<void> {
  await inTransaction(database, (transaction) => markDispatched(transaction, id, atMs))
  await markStarted(database, id, { attempt: 1, device: 'test:0', nowMs: atMs })
}

/** A job that is done at `atMs`, with pictures of these keys. */
export async function newDoneJob(
  database: Database,
  guild: StoredGuild,
  {
    atMs = startMs,
    keys = [],
    ...asked
  }: { atMs?: number; keys?: readonly string[]; parent?: string; image?: string } = {},
): Promise<{ id: string; memberRow: number }> {
  const job = await newJob(database, guild, { atMs, ...asked })
  await begin(database, job.id, atMs)
  const done = { costMicros: 600, results: { keys, device: 'test:0' }, nowMs: atMs }
  await inTransaction(database, (transaction) => settleDone(transaction, job.id, 1, done))
  return job
}

/** A job that has failed. */
export async function newFailedJob(database: Database, guild: StoredGuild): Promise<string> {
  const { id } = await newJob(database, guild)
  await begin(database, id, startMs)
  const error = { code: 'runner-out-of-memory', params: {} }
  const failed = { error, costMicros: 5, nowMs: startMs }
  await inTransaction(database, (transaction) => settleFailed(transaction, id, 1, failed))
  return id
}
