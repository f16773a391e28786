/**
 * Reports of pictures and appeals against refusals: from a member's word to a moderator's answer. A
 * report that is upheld takes the picture away everywhere; an appeal that is upheld lets its member
 * draw the refused words once. Whoever it concerns is told at the next contact (`takeNotices`).
 */
import { UserError } from '../core/errors.ts'
import { reasonLimit } from '../core/guild.ts'
import { waitFacts } from '../core/wait.ts'
import { publish } from '../queue/events.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { removePictures } from '../store/gallery.ts'
import type { StoredGuild, StoredMember } from '../store/guilds.ts'
import { findJob, lockJob, type StoredJob } from '../store/jobs.ts'
import { type Database, inTransaction, type Transaction } from '../store/prisma.ts'
import { forgetRefusal, refusalOf } from '../store/refusals.ts'
import {
  answerReport,
  hasReported,
  insertReport,
  lockReport,
  lockReporter,
  reportTimesMs,
  type StoredReport,
} from '../store/reports.ts'
import { type Moderating, moderate } from './moderation.ts'
import { forgetBlobs } from './remove-pictures.ts'

/** Who asks moderators to look at something. */
export type Reporting = {
  readonly database: Database
  readonly guild: StoredGuild
  readonly member: StoredMember
  readonly nowMs: number
}

/** So many of a member's in `rateWindowMs`: enough for whoever means it. */
export const mostReports = 5

const rateWindowMs = 600_000

/** A picture that a member may see: any of their guild's that is there, private ones only if their own. */
export async function visiblePicture(
  database: Database | Transaction,
  { guild, member }: { readonly guild: StoredGuild; readonly member: StoredMember },
  { jobId, picture }: { readonly jobId: string; readonly picture: number },
): Promise<StoredJob | undefined> {
  const job = await findJob(database, jobId)
  if (job?.guild !== guild.id || !job.resultKeys[picture - 1]) return undefined
  return job.spec.isPrivate && job.member !== member.id ? undefined : job
}

/**
 * Reports a picture, counted from 1.
 *
 * @returns the number of the report
 * @throws {UserError} job-unknown, report-repeated, reports-rate-limited
 */
export async function reportPicture(
  reporting: Reporting,
  { jobId, picture, note }: { jobId: string; picture: number; note: string },
): Promise<number> {
  const { database, guild, member, nowMs } = reporting
  return inTransaction(database, async (transaction) => {
    const job = await visiblePicture(transaction, reporting, { jobId, picture })
    if (!job) throw new UserError('job-unknown', { job: jobId })
    await lockReporter(transaction, member)
    if (await hasReported(transaction, member, { jobId, picture })) {
      throw new UserError('report-repeated', {})
    }
    await checkRate(transaction, member, nowMs)
    const subject = { kind: 'report', jobId, picture } as const
    return insertReport(transaction, { guild, member, subject, note: tidied(note), nowMs })
  })
}

/**
 * Shows moderators the words that were refused last, or those of a certain refusal.
 *
 * @returns the rule that it is about, and the number of the appeal
 * @throws {UserError} refusal-unknown, reports-rate-limited
 */
export async function appealRefusal(
  reporting: Reporting,
  { refusalId, note }: { readonly refusalId?: number | undefined; readonly note: string },
): Promise<{ readonly id: number; readonly rule: string }> {
  const { database, guild, member, nowMs } = reporting
  return inTransaction(database, async (transaction) => {
    await lockReporter(transaction, member)
    const refusal = await refusalOf(transaction, member, {
      ...(refusalId !== undefined && { id: refusalId }),
      nowMs,
    })
    if (!refusal) throw new UserError('refusal-unknown', {})
    await checkRate(transaction, member, nowMs)
    const { rule, spec } = refusal
    const subject = { kind: 'appeal', rule, spec } as const
    const id = await insertReport(transaction, {
      guild,
      member,
      subject,
      note: tidied(note),
      nowMs,
    })
    await forgetRefusal(transaction, member)
    return { id, rule }
  })
}

/**
 * Says that a report or an appeal is right.
 *
 * @returns what it was about
 * @throws {UserError} report-unknown, for another guild's as well; report-answered
 */
export async function uphold(
  moderating: Moderating,
  blobs: BlobStore,
  { id, answer }: { readonly id: number; readonly answer: string },
): Promise<StoredReport> {
  const { database, member, nowMs } = moderating
  const { report, keys } = await moderate(moderating, async ({ transaction, guild }) => {
    const report = await openReport(transaction, guild, id)
    const answered = { state: 'upheld', answer: tidied(answer), by: member, nowMs } as const
    await answerReport(transaction, report, answered)
    if (report.subject.kind === 'appeal') {
      const facts = { report: id, rule: report.subject.rule, target: report.member ?? '' }
      return { result: { report, keys: [] }, audited: { action: 'appeal upheld', facts } }
    }
    const { jobId, picture } = report.subject
    const job = await lockJob(transaction, jobId)
    const keys = job ? await removePictures(transaction, job, picture) : []
    // What is done is shown anew, without the picture.
    await publish({ type: 'done', jobId }, transaction)
    const facts = { report: id, jobId, picture }
    return { result: { report, keys }, audited: { action: 'report upheld', facts } }
  })
  await forgetBlobs(database, blobs, keys)
  return report
}

/**
 * Says that a picture may stay, or that a refusal was right.
 *
 * @returns what it was about
 * @throws {UserError} report-unknown, for another guild's as well; report-answered
 */
export async function dismiss(
  moderating: Moderating,
  { id, answer }: { readonly id: number; readonly answer: string },
): Promise<StoredReport> {
  const { member, nowMs } = moderating
  return moderate(moderating, async ({ transaction, guild }) => {
    const report = await openReport(transaction, guild, id)
    const answered = { state: 'dismissed', answer: tidied(answer), by: member, nowMs } as const
    await answerReport(transaction, report, answered)
    const { subject } = report
    if (subject.kind === 'appeal') {
      const facts = { report: id, rule: subject.rule, target: report.member ?? '' }
      return { result: report, audited: { action: 'appeal dismissed', facts } }
    }
    const facts = { report: id, jobId: subject.jobId, picture: subject.picture }
    return { result: report, audited: { action: 'report dismissed', facts } }
  })
}

async function openReport(
  transaction: Transaction,
  guild: StoredGuild,
  id: number,
): Promise<StoredReport> {
  const report = await lockReport(transaction, guild, id)
  if (!report) throw new UserError('report-unknown', { report: id })
  const { state } = report
  if (state !== 'open') throw new UserError('report-answered', { report: id, state })
  return report
}

async function checkRate(
  transaction: Transaction,
  member: StoredMember,
  nowMs: number,
): Promise<void> {
  const times = await reportTimesMs(transaction, member, nowMs - rateWindowMs)
  const [oldestMs] = times.slice(-mostReports)
  if (times.length < mostReports || oldestMs === undefined) return
  const facts = { most: mostReports, ...waitFacts(oldestMs + rateWindowMs - nowMs) }
  throw new UserError('reports-rate-limited', facts)
}

function tidied(text: string): string {
  return text.trim().slice(0, reasonLimit).toWellFormed()
}
