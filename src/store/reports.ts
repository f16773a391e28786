/**
 * What members ask moderators to look at, as rows: reports of pictures, appeals against refusals.
 * Its answer is kept in the same row until those it concerns have been told; an appeal that was
 * upheld is a pass as well, to draw its words once.
 */
import { z } from 'zod'
import type { JobSpec } from '../core/job-spec.ts'
import { Prisma } from './generated/client.ts'
import type { StoredGuild, StoredMember } from './guilds.ts'
import type { Database, Transaction } from './prisma.ts'

/** What was reported, or appealed against. */
export type Subject =
  | {
      readonly kind: 'report'
      readonly jobId: string
      /** Counted from 1. */
      readonly picture: number
    }
  | { readonly kind: 'appeal'; readonly rule: string; readonly spec: JobSpec }

/** A report or an appeal. */
export type StoredReport = {
  readonly id: number
  readonly state: 'open' | 'upheld' | 'dismissed'
  /** Who reports or appeals, by the platform's id; none of one who is gone. */
  readonly member: string | undefined
  readonly subject: Subject
  /** In the member's words. */
  readonly note: string
  readonly createdAtMs: number
}

/** Something a member is to be told, once. */
export type Notice = {
  /** `removed`: a picture of theirs was, after a report of somebody else. */
  readonly kind: 'report' | 'appeal' | 'removed'
  readonly state: 'upheld' | 'dismissed'
  readonly id: number
  /** Of a picture. */
  readonly jobId: string
  readonly picture: number
  /** Of an appeal. */
  readonly rule: string
  /** In the moderator's words; empty without any. */
  readonly answer: string
}

/** Leave to draw a prompt once: an appeal that was upheld. */
export type Pass = { readonly id: number; readonly rule: string }

const factsSchema = z.object({
  rule: z.string().exactOptional(),
  prompt: z.string().exactOptional(),
  // What we wrote ourselves, in shapes that the type checker kept.
  spec: z.custom<JobSpec>((json) => typeof json === 'object' && json !== null).exactOptional(),
})

type ReportRow = Prisma.ReportGetPayload<{ include: { member: true } }>

/** Keeps a member from reporting twice at once: whoever else asks waits for the transaction's end. */
export async function lockReporter(
  transaction: Transaction,
  { row }: Pick<StoredMember, 'row'>,
): Promise<void> {
  await transaction.$queryRaw`SELECT id FROM members WHERE id = ${row} FOR NO KEY UPDATE`
}

/** When a member has reported or appealed since then, oldest first. */
export async function reportTimesMs(
  database: Database | Transaction,
  member: Pick<StoredMember, 'row'>,
  sinceMs: number,
): Promise<number[]> {
  const rows = await database.report.findMany({
    where: { memberId: member.row, createdAt: { gt: new Date(sinceMs) } },
    orderBy: { createdAt: 'asc' },
    select: { createdAt: true },
  })
  return rows.map(({ createdAt }) => createdAt.getTime())
}

/** Whether a member has reported a picture before, whatever became of it. */
export async function hasReported(
  database: Database | Transaction,
  member: Pick<StoredMember, 'row'>,
  { jobId, picture }: { readonly jobId: string; readonly picture: number },
): Promise<boolean> {
  const where = { memberId: member.row, kind: 'report', jobId, picture } as const
  return (await database.report.count({ where })) > 0
}

/** Stores a new report or appeal. @returns its number */
export async function insertReport(
  transaction: Transaction,
  report: {
    readonly guild: Pick<StoredGuild, 'row'>
    readonly member: Pick<StoredMember, 'row'>
    readonly subject: Subject
    readonly note: string
    readonly nowMs: number
  },
): Promise<number> {
  const { guild, member, subject, note, nowMs } = report
  const { id } = await transaction.report.create({
    data: {
      guildId: guild.row,
      memberId: member.row,
      kind: subject.kind,
      ...(subject.kind === 'report'
        ? { jobId: subject.jobId, picture: subject.picture }
        : { facts: { rule: subject.rule, prompt: subject.spec.prompt, spec: subject.spec } }),
      note: note || null,
      createdAt: new Date(nowMs),
    },
  })
  return id
}

/** How many of a guild's are open. */
export async function countOpen(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
): Promise<number> {
  return database.report.count({ where: { guildId: guild.row, state: 'open' } })
}

/** Some of a guild's that are open, oldest first. */
export async function openReports(
  database: Database,
  guild: Pick<StoredGuild, 'row'>,
  { skip, most }: { readonly skip: number; readonly most: number },
): Promise<StoredReport[]> {
  const rows = await database.report.findMany({
    where: { guildId: guild.row, state: 'open' },
    include: { member: true },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    skip,
    take: most,
  })
  return rows.flatMap((row) => readReport(row) ?? [])
}

/** A guild's report of this number, which nobody else can answer until the transaction ends. */
export async function lockReport(
  transaction: Transaction,
  guild: Pick<StoredGuild, 'row'>,
  id: number,
): Promise<StoredReport | undefined> {
  await transaction.$queryRaw`SELECT id FROM reports WHERE id = ${id} FOR UPDATE`
  const row = await transaction.report.findFirst({
    where: { id, guildId: guild.row },
    include: { member: true },
  })
  return row ? readReport(row) : undefined
}

/** Answers a report; what else is open about a picture that is upheld is upheld with it. */
export async function answerReport(
  transaction: Transaction,
  report: StoredReport,
  answered: {
    readonly state: 'upheld' | 'dismissed'
    readonly answer: string
    readonly by: Pick<StoredMember, 'id'>
    readonly nowMs: number
  },
): Promise<void> {
  const { id, subject } = report
  const { state, answer, by, nowMs } = answered
  const isRemoved = subject.kind === 'report' && state === 'upheld'
  await transaction.report.updateMany({
    where: isRemoved
      ? { state: 'open', kind: 'report', jobId: subject.jobId, picture: subject.picture }
      : { id },
    data: { state, answer: answer || null, answeredBy: by.id, answeredAt: new Date(nowMs) },
  })
}

/** The pass that a member has for a prompt: the appeal, and the rule that it sets aside. */
export async function passFor(
  database: Database | Transaction,
  member: Pick<StoredMember, 'row'>,
  prompt: string,
): Promise<Pass | undefined> {
  const rows = await database.report.findMany({
    where: { ...passesOf(member), facts: { path: ['prompt'], equals: prompt } },
    orderBy: { id: 'asc' },
  })
  const row = rows.find(({ facts }) => !isUsed(facts))
  return row && { id: row.id, rule: factsSchema.safeParse(row.facts).data?.rule ?? '' }
}

/** What a pass lets a member draw, if it is theirs and not used. */
export async function specOfPass(
  database: Database | Transaction,
  member: Pick<StoredMember, 'row'>,
  id: number,
): Promise<JobSpec | undefined> {
  const row = await database.report.findFirst({ where: { ...passesOf(member), id } })
  if (!row || isUsed(row.facts)) return undefined
  return factsSchema.safeParse(row.facts).data?.spec
}

/** Uses a pass up. @returns false if it had been used before */
export async function usePass(transaction: Transaction, { id }: Pass): Promise<boolean> {
  const used = await transaction.$executeRaw`
    UPDATE reports SET facts = facts || '{"isUsed": true}'::jsonb
    WHERE id = ${id} AND kind = 'appeal' AND state = 'upheld' AND facts->>'isUsed' IS NULL`
  return used === 1
}

/** What a member is to be told, which counts as told from now on. */
export async function takeNotices(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
  member: Pick<StoredMember, 'row'>,
): Promise<Notice[]> {
  const own = await database.$queryRaw<NoticeRow[]>`
    UPDATE reports SET facts = facts || '{"isTold": true}'::jsonb
    WHERE member_id = ${member.row} AND state <> 'open' AND facts->>'isTold' IS NULL
    RETURNING id, kind::text AS kind, state::text AS state, job_id AS "jobId", picture,
      facts->>'rule' AS rule, answer`
  const removed = await database.$queryRaw<NoticeRow[]>`
    UPDATE reports SET facts = reports.facts || '{"isOwnerTold": true}'::jsonb FROM jobs
    WHERE reports.guild_id = ${guild.row} AND reports.kind = 'report' AND reports.state = 'upheld'
      AND reports.facts->>'isOwnerTold' IS NULL
      AND jobs.id = reports.job_id AND jobs.member_id = ${member.row}
    RETURNING reports.id, 'removed' AS kind, 'upheld' AS state, reports.job_id AS "jobId",
      reports.picture, NULL AS rule, reports.answer`
  // Several may have reported one picture.
  const byPicture = new Map(removed.map((row) => [`${row.jobId}/${row.picture}`, row]))
  return [...own, ...byPicture.values()]
    .toSorted((one, other) => one.id - other.id)
    .map(({ jobId, picture, rule, answer, ...rest }) => ({
      ...rest,
      jobId: jobId ?? '',
      picture: picture ?? 1,
      rule: rule ?? '',
      answer: answer ?? '',
    }))
}

type NoticeRow = {
  readonly id: number
  readonly kind: Notice['kind']
  readonly state: Notice['state']
  readonly jobId: string | null
  readonly picture: number | null
  readonly rule: string | null
  readonly answer: string | null
}

function passesOf({ row }: Pick<StoredMember, 'row'>): {
  readonly memberId: number
  readonly kind: 'appeal'
  readonly state: 'upheld'
} {
  return { memberId: row, kind: 'appeal', state: 'upheld' }
}

function isUsed(facts: unknown): boolean {
  return typeof facts === 'object' && facts !== null && 'isUsed' in facts
}

/** None of a row that says neither which picture nor which words: no version of ours writes one. */
function readReport(row: ReportRow): StoredReport | undefined {
  const { id, state, member, note, createdAt, kind, jobId, picture } = row
  const rest = {
    id,
    state,
    member: member?.platformId,
    note: note ?? '',
    createdAtMs: createdAt.getTime(),
  }
  if (kind === 'report') {
    if (jobId === null || picture === null) return undefined
    return { ...rest, subject: { kind, jobId, picture } }
  }
  const { rule, spec } = factsSchema.safeParse(row.facts).data ?? {}
  return rule !== undefined && spec ? { ...rest, subject: { kind, rule, spec } } : undefined
}
