/** Jobs as the playground shows and names them. Only its own: pictures of other platforms stay there. */
import { z } from 'zod'
import type { Job } from './generated/client.ts'
import type { StoredMember } from './guilds.ts'
import type { Database } from './prisma.ts'

/** A job, for a list. */
export type ListedJob = {
  readonly id: string
  readonly prompt: string
  /** Whether a device has it. */
  readonly isHeld: boolean
}

/** A picture of a job, by its number from 1. */
export type NumberedPicture = { readonly job: string; readonly picture: number }

/**
 * The job of the playground that has drawn a picture, the newest if several have drawn the same;
 * none once the picture is deleted.
 */
export async function jobOfPicture(
  database: Database,
  key: string,
  job?: string,
): Promise<NumberedPicture | undefined> {
  const row = await database.job.findFirst({
    where: {
      resultKeys: { has: key },
      guild: { platform: 'web' },
      ...(job !== undefined && { id: job }),
    },
    orderBy: { createdAt: 'desc' },
    select: { id: true, resultKeys: true },
  })
  return row ? { job: row.id, picture: row.resultKeys.indexOf(key) + 1 } : undefined
}

/** Whether the playground has a job of this id. */
export async function isWebJob(database: Database, id: string): Promise<boolean> {
  return (await database.job.count({ where: { id, guild: { platform: 'web' } } })) > 0
}

/** A member's jobs that have not ended, oldest first. */
export async function openJobsOf(
  database: Database,
  member: Pick<StoredMember, 'row'>,
  limit: number,
): Promise<ListedJob[]> {
  const rows = await database.job.findMany({
    where: { memberId: member.row, settledAt: null },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    take: limit,
  })
  return rows.map(read)
}

/** A member's newest jobs whose ids begin so. */
export async function recentJobsOf(
  database: Database,
  member: Pick<StoredMember, 'row'>,
  prefix: string,
  limit: number,
): Promise<ListedJob[]> {
  const rows = await database.job.findMany({
    where: { memberId: member.row, id: { startsWith: prefix } },
    orderBy: { createdAt: 'desc' },
    take: limit,
  })
  return rows.map(read)
}

const storedSpec = z.object({ prompt: z.string() })

function read({ id, spec, state }: Job): ListedJob {
  const { prompt } = storedSpec.parse(spec)
  const isHeld = state === 'dispatched' || state === 'running'
  return { id, prompt, isHeld }
}
