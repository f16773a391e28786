/**
 * Jobs as the leader reads them: those that have not ended, in the order in which they were asked
 * for, a part at a time; and what has become of some of them since.
 */
import { z } from 'zod'
import type { JobState } from '../core/job.ts'
import type { JobSpec } from '../core/job-spec.ts'
import type { Lane } from '../core/queued-job.ts'
import { Prisma } from './generated/client.ts'
import { guildId } from './guilds.ts'
import type { Database, Transaction } from './prisma.ts'

/** A job as far as its order goes. */
export type ScheduledJob = {
  readonly id: string
  readonly guild: string
  /** Of the guild. */
  readonly guildRow: number
  /** The platform's id. */
  readonly member: string
  readonly lane: Lane
  readonly spec: JobSpec
  readonly state: JobState
  readonly attempt: number
  /** What was reserved. */
  readonly estimateMicros: number
  /** What it took, once it has ended. */
  readonly costMicros: number | undefined
  /** What it took on its device, once it has been drawn, if the device says what it takes alone. */
  readonly deviceMicros: number | undefined
  readonly createdAtMs: number
}

const columns = {
  id: true,
  guildId: true,
  guild: { select: { platform: true, platformId: true } },
  member: { select: { platformId: true } },
  lane: true,
  spec: true,
  state: true,
  attempt: true,
  estimateMicros: true,
  costMicros: true,
  timings: true,
  createdAt: true,
} as const
type Row = Prisma.JobGetPayload<{ select: typeof columns }>

const inOrder: Prisma.JobOrderByWithRelationInput[] = [{ createdAt: 'asc' }, { id: 'asc' }]

/** The next jobs that have not ended, at most so many, in the order in which they were asked for. */
export async function unsettledAfter(
  database: Database,
  last: Pick<ScheduledJob, 'createdAtMs' | 'id'> | undefined,
  most: number,
): Promise<ScheduledJob[]> {
  const createdAt = new Date(last?.createdAtMs ?? 0)
  const rows = await database.job.findMany({
    where: {
      settledAt: null,
      createdAt: { gte: createdAt },
      OR: [{ createdAt: { gt: createdAt } }, { id: { gt: last?.id ?? '' } }],
    },
    select: columns,
    orderBy: inOrder,
    take: most,
  })
  return rows.map(readRow)
}

/** These jobs as they are now, in the order in which they were asked for; without those gone. */
export async function scheduledJobs(
  database: Database | Transaction,
  ids: readonly string[],
): Promise<ScheduledJob[]> {
  const rows = await database.job.findMany({
    where: { id: { in: [...ids] } },
    select: columns,
    orderBy: inOrder,
  })
  return rows.map(readRow)
}

/** Ids of the queued jobs that were asked for last, at most so many. */
export async function newestQueued(database: Database, most: number): Promise<string[]> {
  const rows = await database.job.findMany({
    where: { settledAt: null, state: 'queued' },
    select: { id: true },
    orderBy: { createdAt: 'desc' },
    take: most,
  })
  return rows.map(({ id }) => id)
}

// What we wrote ourselves, in a shape that the type checker kept.
const storedSpec = z.custom<JobSpec>((json) => typeof json === 'object' && json !== null)
const storedTimings = z.object({ deviceMicros: z.number().positive() })

function readRow(row: Row): ScheduledJob {
  return {
    id: row.id,
    guild: guildId(row.guild.platform, row.guild.platformId),
    guildRow: row.guildId,
    member: row.member.platformId,
    lane: row.lane,
    spec: storedSpec.parse(row.spec),
    state: row.state,
    attempt: row.attempt,
    estimateMicros: Number(row.estimateMicros),
    costMicros: row.costMicros === null ? undefined : Number(row.costMicros),
    deviceMicros: storedTimings.safeParse(row.timings).data?.deviceMicros,
    createdAtMs: row.createdAt.getTime(),
  }
}
