/** What devices have done, as the rows of the jobs tell. */
import { z } from 'zod'
import type { Database } from '../../src/store/prisma.ts'

/** A job as far as its times go. */
export type Timed = {
  readonly id: string
  readonly guild: string
  readonly createdAtMs: number
  readonly dispatchedAtMs: number | undefined
  readonly startedAtMs: number | undefined
  readonly settledAtMs: number | undefined
  /** Time of the device that its pictures took; 0 until it is settled. */
  readonly deviceMicros: number
}

const timings = z.object({ encode: z.number(), denoise: z.number(), decode: z.number() })

/** All jobs of these guilds, by what their platforms call them. */
export async function timedJobs(database: Database, guilds: readonly string[]): Promise<Timed[]> {
  const rows = await database.job.findMany({
    where: { guild: { platformId: { in: [...guilds] } } },
    select: {
      id: true,
      guild: { select: { platformId: true } },
      createdAt: true,
      dispatchedAt: true,
      startedAt: true,
      settledAt: true,
      timings: true,
    },
  })
  return rows.map((row) => {
    const { encode = 0, denoise = 0, decode = 0 } = timings.safeParse(row.timings).data ?? {}
    return {
      id: row.id,
      guild: row.guild.platformId,
      createdAtMs: row.createdAt.getTime(),
      dispatchedAtMs: row.dispatchedAt?.getTime(),
      startedAtMs: row.startedAt?.getTime(),
      settledAtMs: row.settledAt?.getTime(),
      deviceMicros: encode + denoise + decode,
    }
  })
}

/** How many of these jobs devices held at once, at most. */
export function mostAtOnce(jobs: readonly Timed[]): number {
  const moves = jobs.flatMap(({ dispatchedAtMs, settledAtMs = Infinity }) =>
    dispatchedAtMs === undefined
      ? []
      : [
          { atMs: dispatchedAtMs, by: 1 },
          { atMs: settledAtMs, by: -1 },
        ],
  )
  let held = 0
  let most = 0
  for (const { by } of moves.toSorted((a, b) => a.atMs - b.atMs || a.by - b.by)) {
    held += by
    most = Math.max(most, held)
  }
  return most
}
