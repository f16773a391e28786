/**
 * Jobs as rows, and the money of their ends. A job's reservation is in the ledger from its first
 * moment; its one end adds either the settlement to its true cost, with the charge, or the refund.
 * So the entries of an ended job add up to minus its charges.
 *
 * Rows are locked job, then guild's balance, then member's; whoever settles a lease of the queue in
 * the same transaction does so last.
 */
import { z } from 'zod'
import { type Job, type JobState, isTerminal } from '../core/job.ts'
import type { JobSpec } from '../core/job-spec.ts'
import type { Lane } from '../core/queued-job.ts'
import { charged, refunded, settled, type Usage } from '../core/quota.ts'
import { Prisma } from './generated/client.ts'
import { guildId, type StoredGuild, type StoredMember } from './guilds.ts'
import { type Accounts, accountsOf, type Payers, saveUsage } from './quota.ts'
import type { Database, Transaction } from './prisma.ts'

/** Where an answer goes: whatever its platform needs to find the place again. */
export type ReplyTo = Readonly<Record<string, string | number | boolean | null>>

/** A job as it is stored; `member` is the platform's id. */
export type StoredJob = Omit<Job, 'losses'> & {
  readonly invocationId: string | undefined
  readonly lane: Lane
  /** What was reserved. */
  readonly estimateMicros: number
  /** What it took on a device, once it has ended. */
  readonly costMicros: number | undefined
  readonly replyTo: ReplyTo
  /** Blobs of its pictures, in order. */
  readonly resultKeys: readonly string[]
  readonly createdAtMs: number
  /** Since when it is to be cancelled. */
  readonly cancelledAtMs: number | undefined
}

/** A job about to be stored. */
export type NewJob = {
  readonly id: string
  readonly guild: StoredGuild
  readonly member: Payers['member']
  readonly invocationId: string
  readonly spec: JobSpec
  readonly lane: Lane
  readonly estimateMicros: number
  readonly replyTo: ReplyTo
}

/** What a device reports of a job that it has drawn. */
export type Results = {
  /** Blobs of the pictures, in order. */
  readonly keys: readonly string[]
  readonly device: string
  /** Device time of each stage, in microseconds. */
  readonly timings?: Readonly<Record<string, number>>
}

/** Why a job failed: a code of the house and its facts. */
export type JobError = {
  readonly code: string
  readonly params: Readonly<Record<string, string | number>>
}

/**
 * What became of an attempt to end a job: `stale` if it had ended, is gone, or belongs to a later
 * attempt; then nothing is changed.
 */
export type Settlement = 'settled' | 'stale'

/** What a job's row is read with. */
export const withNames = { guild: true, member: true } as const
/** A job's row with the names of its guild and member. */
export type JobRow = Prisma.JobGetPayload<{ include: typeof withNames }>

/** The job of this id. */
export async function findJob(
  database: Database | Transaction,
  id: string,
): Promise<StoredJob | undefined> {
  const row = await database.job.findUnique({ where: { id }, include: withNames })
  return row ? readJob(row) : undefined
}

/** The job that a platform's message has become already. */
export async function findByInvocation(
  database: Database | Transaction,
  guild: StoredGuild,
  invocationId: string,
): Promise<StoredJob | undefined> {
  const row = await database.job.findUnique({
    where: { guildId_invocationId: { guildId: guild.row, invocationId } },
    include: withNames,
  })
  return row ? readJob(row) : undefined
}

/** The job of this id, which nobody else can change until the transaction ends. */
export async function lockJob(
  transaction: Transaction,
  id: string,
): Promise<StoredJob | undefined> {
  await transaction.$queryRaw`SELECT id FROM jobs WHERE id = ${id} FOR UPDATE`
  return findJob(transaction, id)
}

/** Jobs that have not ended: a member's, and those of the guild that no device has yet. */
export async function countWaiting(
  database: Database | Transaction,
  guild: StoredGuild,
  member: StoredMember,
): Promise<{ readonly ofMember: number; readonly ofGuild: number }> {
  const ofMember = await database.job.count({ where: { memberId: member.row, settledAt: null } })
  const ofGuild = await database.job.count({
    where: { guildId: guild.row, settledAt: null, state: 'queued' },
  })
  return { ofMember, ofGuild }
}

/** Stores a job and charges its estimate to accounts that are locked. */
export async function insertJob(
  transaction: Transaction,
  job: NewJob,
  accounts: Accounts,
  nowMs: number,
): Promise<StoredJob> {
  const { id, guild, member, invocationId, spec, lane, estimateMicros, replyTo } = job
  const createdAt = new Date(nowMs)
  const row = await transaction.job.create({
    data: {
      id,
      guildId: guild.row,
      memberId: member.row,
      invocationId,
      kind: spec.kind,
      spec,
      seed: BigInt(spec.seed),
      lane,
      estimateMicros: BigInt(estimateMicros),
      // Careful: a parent may have been deleted since; the spec says all that is drawn.
      parentId: spec.parent && (await findJob(transaction, spec.parent)) ? spec.parent : null,
      replyTo,
      isPrivate: spec.isPrivate,
      inputKeys: spec.image === undefined ? [] : [spec.image],
      createdAt,
    },
    include: withNames,
  })
  await enter(transaction, row, 'reservation', -estimateMicros, nowMs)
  await saveUsage(transaction, job, {
    guild: charged(accounts.guild, estimateMicros, nowMs),
    member: charged(accounts.member, estimateMicros, nowMs),
  })
  return readJob(row)
}

/**
 * A queued job is handed to a device, in the transaction that puts it into the queue.
 *
 * @returns the number of the attempt, undefined if the job is not queued any more
 */
export async function markDispatched(
  transaction: Transaction,
  id: string,
  nowMs: number,
): Promise<number | undefined> {
  const [row] = await transaction.job.updateManyAndReturn({
    where: { id, state: 'queued' },
    data: { state: 'dispatched', attempt: { increment: 1 }, dispatchedAt: new Date(nowMs) },
  })
  return row?.attempt
}

/**
 * A device begins. From here on earlier attempts are fenced off.
 *
 * @returns false if the job has ended, or a later attempt has begun: do not draw
 */
export async function markStarted(
  database: Database | Transaction,
  id: string,
  { attempt, device, nowMs }: { attempt: number; device: string; nowMs: number },
): Promise<boolean> {
  const { count } = await database.job.updateMany({
    where: { id, state: { in: ['dispatched', 'running'] }, attempt: { lte: attempt } },
    data: { state: 'running', attempt, device, startedAt: new Date(nowMs) },
  })
  return count === 1
}

/** A dispatched job waits again, its device having gone or having given it back. */
export async function markQueued(
  database: Database | Transaction,
  id: string,
  attempt: number,
): Promise<boolean> {
  const { count } = await database.job.updateMany({
    where: { id, state: { in: ['dispatched', 'running'] }, attempt: { lte: attempt } },
    data: { state: 'queued', attempt },
  })
  return count === 1
}

/** Flags a job that a device holds as to be cancelled; a flag stays as it was first set. */
export async function markCancelled(
  transaction: Transaction,
  id: string,
  nowMs: number,
): Promise<void> {
  await transaction.job.updateMany({
    where: { id, settledAt: null, cancelledAt: null },
    data: { cancelledAt: new Date(nowMs) },
  })
}

/** A job is drawn: its pictures are kept, and its true cost is charged in place of its estimate. */
export async function settleDone(
  transaction: Transaction,
  id: string,
  attempt: number,
  done: { readonly costMicros: number; readonly results: Results; readonly nowMs: number },
): Promise<Settlement> {
  const { costMicros, results, nowMs } = done
  const { keys, device, timings } = results
  const row = await lockUnsettled(transaction, id, attempt)
  if (!row || row.state !== 'running' || row.attempt !== attempt) return 'stale'
  await end(transaction, row, 'done', {
    attempt,
    costMicros,
    nowMs,
    facts: { resultKeys: [...keys], device, ...(timings && { timings }) },
  })
  const estimateMicros = Number(row.estimateMicros)
  await enter(transaction, row, 'settlement', estimateMicros - costMicros, nowMs)
  await transaction.charge.create({
    data: {
      jobId: id,
      guildId: row.guildId,
      memberId: row.memberId,
      micros: BigInt(costMicros),
      device,
      createdAt: new Date(nowMs),
    },
  })
  await recharge(transaction, row, nowMs, (account) =>
    settled(account, { estimateMicros, trueMicros: costMicros }, nowMs),
  )
  return 'settled'
}

/**
 * A job cannot be drawn: it is refunded. One that was to be cancelled is cancelled. `costMicros` is
 * what it took nevertheless, which the guild's share of the devices has to bear, but no quota.
 */
export async function settleFailed(
  transaction: Transaction,
  id: string,
  attempt: number,
  failed: { readonly error: JobError; readonly costMicros: number; readonly nowMs: number },
): Promise<Settlement> {
  const { error, costMicros, nowMs } = failed
  const row = await lockUnsettled(transaction, id, attempt)
  if (!row) return 'stale'
  const state = row.cancelledAt ? 'cancelled' : 'failed'
  const facts = state === 'failed' ? { error: { code: error.code, params: error.params } } : {}
  await end(transaction, row, state, { attempt, costMicros, nowMs, facts })
  await refund(transaction, row, nowMs)
  return 'settled'
}

/** A job is cancelled and refunded, whatever it has cost until now. */
export async function settleCancelled(
  transaction: Transaction,
  id: string,
  attempt: number,
  cancelled: { readonly costMicros: number; readonly nowMs: number },
): Promise<Settlement> {
  const { costMicros, nowMs } = cancelled
  const row = await lockUnsettled(transaction, id, attempt)
  if (!row) return 'stale'
  const cancelledAt = row.cancelledAt ?? new Date(nowMs)
  await end(transaction, row, 'cancelled', { attempt, costMicros, nowMs, facts: { cancelledAt } })
  await refund(transaction, row, nowMs)
  return 'settled'
}

/**
 * The job if it has not ended and no later attempt has begun. Careful: the queue delivers again with
 * a higher attempt than the row's, which learns of it only when a device begins; so higher is valid.
 */
async function lockUnsettled(
  transaction: Transaction,
  id: string,
  attempt: number,
): Promise<JobRow | undefined> {
  await transaction.$queryRaw`SELECT id FROM jobs WHERE id = ${id} FOR UPDATE`
  const row = await transaction.job.findUnique({ where: { id }, include: withNames })
  return row && !isTerminal(row.state) && attempt >= row.attempt ? row : undefined
}

async function end(
  transaction: Transaction,
  { id }: JobRow,
  state: JobState,
  ended: {
    readonly attempt: number
    readonly costMicros: number
    readonly nowMs: number
    readonly facts: Prisma.JobUpdateInput
  },
): Promise<void> {
  const { attempt, costMicros, nowMs, facts } = ended
  await transaction.job.update({
    where: { id },
    data: {
      ...facts,
      state,
      attempt,
      costMicros: BigInt(costMicros),
      settledAt: new Date(nowMs),
    },
  })
}

async function refund(transaction: Transaction, row: JobRow, nowMs: number): Promise<void> {
  const estimateMicros = Number(row.estimateMicros)
  await enter(transaction, row, 'refund', estimateMicros, nowMs)
  await recharge(transaction, row, nowMs, (account) => refunded(account, estimateMicros, nowMs))
}

/** Changes what a job's member and guild have in use. */
async function recharge(
  transaction: Transaction,
  row: JobRow,
  nowMs: number,
  change: (account: Accounts['member']) => Usage,
): Promise<void> {
  const whose = {
    guild: { row: row.guildId },
    member: { row: row.memberId, id: row.member.platformId, roleIds: row.member.roleIds },
  }
  const accounts = await accountsOf(transaction, whose, { isLocked: true, nowMs })
  const usage = { guild: change(accounts.guild), member: change(accounts.member) }
  await saveUsage(transaction, whose, usage)
}

async function enter(
  transaction: Transaction,
  { id, guildId, memberId }: JobRow,
  kind: 'reservation' | 'settlement' | 'refund',
  micros: number,
  nowMs: number,
): Promise<void> {
  await transaction.ledgerEntry.create({
    data: {
      jobId: id,
      kind,
      guildId,
      memberId,
      micros: BigInt(micros),
      createdAt: new Date(nowMs),
    },
  })
}

// What we wrote ourselves, in shapes that the type checker kept.
/** A spec as it is in a row. */
export const storedSpec = z.custom<JobSpec>((json) => typeof json === 'object' && json !== null)
/** A place as it is in a row. */
export const storedReplyTo = z.custom<ReplyTo>((json) => typeof json === 'object' && json !== null)

/** A job out of its row. */
export function readJob(row: JobRow): StoredJob {
  return {
    id: row.id,
    guild: guildId(row.guild.platform, row.guild.platformId),
    member: row.member.platformId,
    state: row.state,
    attempt: row.attempt,
    spec: storedSpec.parse(row.spec),
    invocationId: row.invocationId ?? undefined,
    lane: row.lane,
    estimateMicros: Number(row.estimateMicros),
    costMicros: row.costMicros === null ? undefined : Number(row.costMicros),
    replyTo: storedReplyTo.parse(row.replyTo),
    resultKeys: row.resultKeys,
    createdAtMs: row.createdAt.getTime(),
    cancelledAtMs: row.cancelledAt?.getTime(),
  }
}
