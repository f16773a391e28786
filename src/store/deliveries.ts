/**
 * Jobs and the messages that show them. A job is delivered once, when its last message is there; one
 * that could not be is tried a few times, then kept until its member is heard of again.
 */
import { setImmediate as breath } from 'node:timers/promises'
import { z } from 'zod'
import type { Platform, Prisma } from './generated/client.ts'
import type { StoredMember } from './guilds.ts'
import { findJob, type JobError, type ReplyTo, type StoredJob } from './jobs.ts'
import type { Database, Transaction } from './prisma.ts'

/** A job with all that its message tells. */
export type Delivery = {
  readonly job: StoredJob
  readonly platform: Platform
  /** The message that shows it, once there is one. */
  readonly shown: ReplyTo | undefined
  readonly attempts: number
  readonly isDelivered: boolean
  readonly error: JobError | undefined
  readonly isCancelledByModerator: boolean
}

/** So often the last message of a job is tried; after that it is kept. */
export const mostDeliveryAttempts = 10

/** Ids that are read at once. */
const idsAtOnce = 500

/** How many kept jobs are told at once. */
const keptAtOnce = 3

/**
 * The ids of jobs whose message is not what it will be in the end, a part at a time: first those that
 * have ended, of both the oldest first.
 */
export async function* undeliveredJobs(database: Database): AsyncGenerator<string[]> {
  // Two queries, for each of them has an index.
  yield* inParts(database, {
    settledAt: { not: null },
    deliveredAt: null,
    deliveryAttempts: { lt: mostDeliveryAttempts },
  })
  yield* inParts(database, { settledAt: null, deliveredAt: null })
}

/** Between two parts everything else has its turn. */
async function* inParts(database: Database, which: Prisma.JobWhereInput): AsyncGenerator<string[]> {
  let last = { id: '', createdAt: new Date(0) }
  for (;;) {
    const { id, createdAt } = last
    const rows = await database.job.findMany({
      where: {
        ...which,
        createdAt: { gte: createdAt },
        OR: [{ createdAt: { gt: createdAt } }, { id: { gt: id } }],
      },
      select: { id: true, createdAt: true },
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
      take: idsAtOnce,
    })
    yield rows.map((row) => row.id)
    if (rows.length < idsAtOnce) return
    last = rows.at(-1) ?? last
    await breath()
  }
}

/** What is to be told of a job; none if it is gone. */
export async function findDelivery(
  database: Database | Transaction,
  jobId: string,
): Promise<Delivery | undefined> {
  const row = await database.job.findUnique({
    where: { id: jobId },
    select: {
      shown: true,
      deliveredAt: true,
      deliveryAttempts: true,
      error: true,
      state: true,
      guild: { select: { id: true, platform: true } },
    },
  })
  const job = row && (await findJob(database, jobId))
  if (!row || !job) return undefined
  return {
    job,
    platform: row.guild.platform,
    shown: shownSchema.safeParse(row.shown).data,
    attempts: row.deliveryAttempts,
    isDelivered: row.deliveredAt !== null,
    error: errorSchema.safeParse(row.error).data,
    isCancelledByModerator:
      row.state === 'cancelled' && (await isInAudit(database, row.guild.id, jobId)),
  }
}

/** Keeps where a job's message is. */
export async function saveShown(database: Database, jobId: string, shown: ReplyTo): Promise<void> {
  await database.job.updateMany({ where: { id: jobId }, data: { shown } })
}

/** A job is delivered. @returns false if it was before, or is gone */
export async function markDelivered(
  database: Database | Transaction,
  jobId: string,
  { nowMs, shown }: { readonly nowMs: number; readonly shown?: ReplyTo },
): Promise<boolean> {
  const { count } = await database.job.updateMany({
    where: { id: jobId, settledAt: { not: null }, deliveredAt: null },
    data: { deliveredAt: new Date(nowMs), ...(shown !== undefined && { shown }) },
  })
  return count === 1
}

/** A last message could not be shown; `isGone`: nor will it be. @returns the attempts so far */
export async function countDeliveryAttempt(
  database: Database,
  jobId: string,
  isGone: boolean,
): Promise<number> {
  const [row] = await database.job.updateManyAndReturn({
    where: { id: jobId, deliveredAt: null },
    data: { deliveryAttempts: isGone ? mostDeliveryAttempts : { increment: 1 } },
  })
  return row?.deliveryAttempts ?? mostDeliveryAttempts
}

/** The jobs of a member that ended and could not be shown, the oldest few. */
export async function keptJobs(database: Database, member: StoredMember): Promise<string[]> {
  const rows = await database.job.findMany({
    where: {
      memberId: member.row,
      settledAt: { not: null },
      deliveredAt: null,
      deliveryAttempts: { gte: mostDeliveryAttempts },
    },
    orderBy: { createdAt: 'asc' },
    take: keptAtOnce,
    select: { id: true },
  })
  return rows.map(({ id }) => id)
}

const shownSchema: z.ZodType<ReplyTo> = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.null()]),
)
const errorSchema: z.ZodType<JobError> = z.object({
  code: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number()])),
})

/** Whether a moderator cancelled it: that is in the audit log, and nothing else is. */
async function isInAudit(
  database: Database | Transaction,
  guild: number,
  jobId: string,
): Promise<boolean> {
  const entry = await database.auditEntry.findFirst({
    where: {
      guildId: guild,
      action: 'job cancelled',
      facts: { path: ['jobId'], equals: jobId },
    },
    select: { id: true },
  })
  return entry !== null
}
