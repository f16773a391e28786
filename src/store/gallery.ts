/**
 * Pictures and jobs as people look at them: lists by page, everything there is to tell about one,
 * what somebody keeps, and what was deleted. A deleted picture leaves an empty key in its place, so
 * that the others keep their numbers.
 */
import { z } from 'zod'
import type { JobSpec } from '../core/job-spec.ts'
import type { StoredGuild, StoredMember } from './guilds.ts'
import { type JobError, type StoredJob, findJob, readJob, storedSpec, withNames } from './jobs.ts'
import type { Database, Transaction } from './prisma.ts'

/** A picture in a list. */
export type GalleryPicture = {
  readonly job: string
  /** Counted from 1. */
  readonly picture: number
  /** Its blob. */
  readonly key: string
  readonly spec: JobSpec
  readonly createdAtMs: number
  readonly isKept: boolean
}

/** A page of a list: `page` counts from 1. */
export type Page<Entry> = {
  readonly entries: readonly Entry[]
  readonly page: number
  readonly pages: number
  readonly total: number
}

/** What is known of a job beside what admission and devices need. */
export type JobDetails = {
  readonly memberName: string | undefined
  readonly device: string | undefined
  readonly error: JobError | undefined
  readonly startedAtMs: number | undefined
  readonly settledAtMs: number | undefined
}

/** A job that has not ended, with whose it is. */
export type OpenJob = StoredJob & { readonly memberName: string | undefined }

const mostAncestors = 8

type Row = {
  readonly id: string
  readonly picture: number
  readonly key: string
  readonly spec: unknown
  readonly createdAt: Date
  readonly isKept: boolean
}

/** A member's own pictures, newest first. */
export async function picturesOf(
  database: Database,
  member: Pick<StoredMember, 'row'>,
  asked: { readonly page: number; readonly size: number },
): Promise<Page<GalleryPicture>> {
  const [counted] = await database.$queryRaw<{ total: number }[]>`
    SELECT count(*)::int AS total FROM jobs, unnest(result_keys) AS key
    WHERE member_id = ${member.row} AND key <> ''`
  const place = placeOf(asked, counted!.total)
  const rows = await database.$queryRaw<Row[]>`
    SELECT j.id, k.number::int AS picture, k.key, j.spec, j.created_at AS "createdAt",
      f.job_id IS NOT NULL AS "isKept"
    FROM jobs j CROSS JOIN LATERAL unnest(j.result_keys) WITH ORDINALITY AS k(key, number)
    LEFT JOIN favourites f
      ON f.member_id = ${member.row} AND f.job_id = j.id AND f.picture = k.number - 1
    WHERE j.member_id = ${member.row} AND k.key <> ''
    ORDER BY j.created_at DESC, j.id, k.number LIMIT ${asked.size} OFFSET ${place.skipped}`
  return { ...place.of, entries: rows.map(readPicture) }
}

/** The pictures that a member keeps, the last kept first. */
export async function keptBy(
  database: Database,
  member: Pick<StoredMember, 'row'>,
  asked: { readonly page: number; readonly size: number },
): Promise<Page<GalleryPicture>> {
  const [counted] = await database.$queryRaw<{ total: number }[]>`
    SELECT count(*)::int AS total FROM favourites f JOIN jobs j ON j.id = f.job_id
    WHERE f.member_id = ${member.row} AND j.result_keys[f.picture + 1] <> ''`
  const place = placeOf(asked, counted!.total)
  const rows = await database.$queryRaw<Row[]>`
    SELECT j.id, f.picture + 1 AS picture, j.result_keys[f.picture + 1] AS key, j.spec,
      j.created_at AS "createdAt", true AS "isKept"
    FROM favourites f JOIN jobs j ON j.id = f.job_id
    WHERE f.member_id = ${member.row} AND j.result_keys[f.picture + 1] <> ''
    ORDER BY f.created_at DESC, j.id, f.picture LIMIT ${asked.size} OFFSET ${place.skipped}`
  return { ...place.of, entries: rows.map(readPicture) }
}

/** A member's newest job, or their newest one with a picture. */
export async function lastJobOf(
  database: Database,
  member: Pick<StoredMember, 'row'>,
  { isDrawn }: { readonly isDrawn: boolean },
): Promise<StoredJob | undefined> {
  const rows = await database.$queryRaw<{ id: string }[]>`
    SELECT id FROM jobs WHERE member_id = ${member.row}
      AND (NOT ${isDrawn} OR EXISTS (SELECT FROM unnest(result_keys) AS key WHERE key <> ''))
    ORDER BY created_at DESC, id DESC LIMIT 1`
  return rows[0] && findJob(database, rows[0].id)
}

/** Jobs of a guild, or of one of its members, that have not ended, oldest first. */
export async function openJobs(
  database: Database,
  whose: { readonly guild: Pick<StoredGuild, 'row'>; readonly member?: Pick<StoredMember, 'row'> },
  most: number,
): Promise<{ readonly jobs: readonly OpenJob[]; readonly total: number }> {
  const where = {
    guildId: whose.guild.row,
    ...(whose.member && { memberId: whose.member.row }),
    settledAt: null,
  }
  const total = await database.job.count({ where })
  const rows = await database.job.findMany({
    where,
    include: withNames,
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    take: most,
  })
  const jobs = rows.map((row) => ({ ...readJob(row), memberName: row.member.name ?? undefined }))
  return { jobs, total }
}

/** What else is known of a job. */
export async function detailsOf(database: Database, id: string): Promise<JobDetails> {
  const row = await database.job.findUniqueOrThrow({ where: { id }, include: { member: true } })
  return {
    memberName: row.member.name ?? undefined,
    device: row.device ?? undefined,
    error: storedError.safeParse(row.error).data,
    startedAtMs: row.startedAt?.getTime(),
    settledAtMs: row.settledAt?.getTime(),
  }
}

/** The jobs that a job was made of, from its parent on; it ends at one that the member may not see. */
export async function ancestorsOf(
  database: Database,
  { guild, member }: { readonly guild: StoredGuild; readonly member: StoredMember },
  parent: string | undefined,
): Promise<string[]> {
  const found: string[] = []
  for (let id = parent; id !== undefined && found.length < mostAncestors;) {
    const job = await findJob(database, id)
    const isHidden = job?.spec.isPrivate && job.member !== member.id
    if (job?.guild !== guild.id || isHidden) break
    found.push(id)
    id = job.spec.parent
  }
  return found
}

/** Whether a member keeps a picture, counted from 1. */
export async function isKeptBy(
  database: Database,
  member: Pick<StoredMember, 'row'>,
  { job, picture }: { readonly job: string; readonly picture: number },
): Promise<boolean> {
  const where = { memberId: member.row, jobId: job, picture: picture - 1 }
  return (await database.favourite.count({ where })) > 0
}

/** Keeps a picture, counted from 1, for a member. */
export async function keep(
  database: Database,
  member: Pick<StoredMember, 'row'>,
  {
    job,
    picture,
    nowMs,
  }: { readonly job: string; readonly picture: number; readonly nowMs: number },
): Promise<void> {
  const key = { memberId: member.row, jobId: job, picture: picture - 1 }
  await database.favourite.upsert({
    where: { memberId_jobId_picture: key },
    create: { ...key, createdAt: new Date(nowMs) },
    update: {},
  })
}

/** Keeps a picture, or all of a job, no longer. Gives back how many were kept. */
export async function drop(
  database: Database,
  member: Pick<StoredMember, 'row'>,
  { job, picture }: { readonly job: string; readonly picture?: number | undefined },
): Promise<number> {
  const { count } = await database.favourite.deleteMany({
    where: {
      memberId: member.row,
      jobId: job,
      ...(picture !== undefined && { picture: picture - 1 }),
    },
  })
  return count
}

/**
 * Takes a picture, or all, out of a job that is locked, and out of what people keep. Gives back the
 * blobs, which may now be nobody's.
 */
export async function removePictures(
  transaction: Transaction,
  { id, resultKeys }: StoredJob,
  picture: number | undefined,
): Promise<readonly string[]> {
  const isRemoved = (index: number): boolean => picture === undefined || index === picture - 1
  await transaction.job.update({
    where: { id },
    data: { resultKeys: resultKeys.map((key, index) => (isRemoved(index) ? '' : key)) },
  })
  await transaction.favourite.deleteMany({
    where: { jobId: id, ...(picture !== undefined && { picture: picture - 1 }) },
  })
  await transaction.preview.deleteMany({ where: { jobId: id } })
  return resultKeys.filter((key, index) => key !== '' && isRemoved(index))
}

/** Which of these blobs a job still names, as a picture of its own or to start from. */
export async function keysInUse(
  database: Database | Transaction,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await database.job.findMany({
    where: {
      OR: [{ resultKeys: { hasSome: [...keys] } }, { inputKeys: { hasSome: [...keys] } }],
    },
    select: { resultKeys: true, inputKeys: true },
  })
  const named = new Set(rows.flatMap(({ resultKeys, inputKeys }) => [...resultKeys, ...inputKeys]))
  return new Set(keys.filter((key) => named.has(key)))
}

function placeOf(
  { page, size }: { readonly page: number; readonly size: number },
  total: number,
): { readonly of: Omit<Page<never>, 'entries'>; readonly skipped: number } {
  const pages = Math.max(1, Math.ceil(total / size))
  const shown = Math.min(Math.max(1, page), pages)
  return { of: { page: shown, pages, total }, skipped: (shown - 1) * size }
}

const storedError: z.ZodType<JobError> = z.object({
  code: z.string(),
  params: z.record(z.string(), z.union([z.string(), z.number()])),
})

function readPicture({ id, picture, key, spec, createdAt, isKept }: Row): GalleryPicture {
  return {
    job: id,
    picture,
    key,
    spec: storedSpec.parse(spec),
    createdAtMs: createdAt.getTime(),
    isKept,
  }
}
