/**
 * What is counted of the rows for operators: how much is under way and how what has ended went.
 * Whatever is asked often reads an index of the few rows that matter; nothing tells guilds or members
 * apart.
 */
import { z } from 'zod'
import type { JobState } from '../core/job.ts'
import type { Lane } from '../core/queued-job.ts'
import type { Database } from './prisma.ts'

/** Jobs of a lane and state that have not ended, and since when the first of them is there. */
export type OpenJobs = {
  readonly state: JobState
  readonly lane: Lane
  readonly count: number
  readonly oldestAtMs: number
}

/** How one job went. */
export type EndedJob = {
  readonly state: JobState
  readonly lane: Lane
  /** From its admission to the start of its last attempt; none if it never came so far. */
  readonly waitMs: number | undefined
  readonly costMicros: number
  readonly errorCode: string | undefined
}

/** The jobs that have not ended, by lane and state. */
export async function countOpenJobs(database: Database): Promise<OpenJobs[]> {
  const groups = await database.job.groupBy({
    by: ['state', 'lane'],
    where: { settledAt: null },
    _count: true,
    _min: { createdAt: true },
  })
  return groups.map(({ state, lane, _count, _min }) => ({
    state,
    lane,
    count: _count,
    oldestAtMs: _min.createdAt!.getTime(),
  }))
}

/** How many jobs have ended and not yet been told of. */
export async function countUndelivered(database: Database): Promise<number> {
  return database.job.count({ where: { settledAt: { not: null }, deliveredAt: null } })
}

/** Those of some jobs that have ended. */
export async function readEnded(database: Database, ids: readonly string[]): Promise<EndedJob[]> {
  const rows = await database.job.findMany({
    where: { id: { in: [...ids] }, settledAt: { not: null } },
    select: {
      state: true,
      lane: true,
      createdAt: true,
      startedAt: true,
      costMicros: true,
      error: true,
    },
  })
  return rows.map(({ state, lane, createdAt, startedAt, costMicros, error }) => ({
    state,
    lane,
    waitMs: startedAt === null ? undefined : startedAt.getTime() - createdAt.getTime(),
    costMicros: Number(costMicros ?? 0),
    errorCode: errorForm.safeParse(error).data?.code,
  }))
}

const errorForm = z.object({ code: z.string() })
