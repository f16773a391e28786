/**
 * Admission: whether a wish becomes a job, and at what price. Checks run from cheap to dear, each
 * with a refusal of its own; the last one takes quota and stores the job in one transaction, so that
 * there is no job that nobody paid for and no payment without a job.
 */
import { randomBytes } from 'node:crypto'
import { shapeMicros } from '../core/cost.ts'
import { UserError } from '../core/errors.ts'
import { checkOpen, checkQueue, specLimits } from '../core/guild.ts'
import { jobIdBytes, jobIdOf } from '../core/job-id.ts'
import { checkSpecLimits, type JobSpec } from '../core/job-spec.ts'
import { workOf } from '../core/job-work.ts'
import { checkMay, rankOf } from '../core/permission.ts'
import { mostMicros } from '../core/queued-job.ts'
import { decide } from '../core/quota.ts'
import { publish } from '../queue/events.ts'
import {
  audit,
  blockOf,
  ensureGuild,
  ensureMember,
  guildId,
  type StoredGuild,
  type StoredMember,
} from '../store/guilds.ts'
import {
  countWaiting,
  findByInvocation,
  insertJob,
  type ReplyTo,
  type StoredJob,
} from '../store/jobs.ts'
import { type Database, inTransaction, type Transaction } from '../store/prisma.ts'
import { accountsOf } from '../store/quota.ts'
import { type Pass, usePass } from '../store/reports.ts'
import type { RateLimit } from './rate-limit.ts'
import { checkWords } from './safety.ts'

/** Who asks, where, and where the answer goes: what admission has to know of what was said. */
export type Asked = {
  readonly platform: 'discord' | 'slack' | 'web'
  /** The platform's ids. */
  readonly guild: string
  readonly channel: string
  readonly member: string
  readonly roleIds: readonly string[]
  /** As the platform says now; never what it said before. */
  readonly isModerator: boolean
  readonly isOperator: boolean
  /** The platform's id of what was said; the same one again is the same job. */
  readonly invocationId: string
  readonly replyTo: ReplyTo
  /** Of a guild that is new. */
  readonly locale?: string
}

/** What admission works with. */
export type Admission = {
  readonly database: Database
  readonly rateLimit: RateLimit
  /** The guilds that are served, as `discord:42`; without them, all. */
  readonly servedGuilds?: ReadonlySet<string>
  /** How long a new job of this guild would probably wait before it begins. */
  readonly predictWaitMs: (guild: string) => number
  readonly now: () => number
}

/** A job, and how it came in. */
export type Admitted = {
  readonly job: StoredJob
  /** It was there before: the same thing was said twice. */
  readonly isDuplicate: boolean
  /** When the fast lane would have taken it: 0 unless it is in the relaxed one; Infinity: never. */
  readonly fastInMs: number
}

/**
 * Makes a wish a job, its price reserved. Over quota it goes to the relaxed lane.
 *
 * @throws {UserError} in this order: guild-not-served, guild-paused, channel-closed; member-blocked,
 *   member-blocked-for; prompt-refused; size-not-allowed, job-too-large; member-queue-full,
 *   guild-queue-full, wait-too-long; member-rate-limited, guild-rate-limited; quota-too-small,
 *   quota-used-up
 */
export async function submit(admission: Admission, asked: Asked, spec: JobSpec): Promise<Admitted> {
  const { database, rateLimit, servedGuilds, predictWaitMs } = admission
  const nowMs = admission.now()
  const id = guildId(asked.platform, asked.guild)
  if (servedGuilds && !servedGuilds.has(id)) throw new UserError('guild-not-served', {})
  const guild = await ensureGuild(database, { ...asked, platformId: asked.guild })
  const { settings } = guild
  checkOpen(settings, asked.channel)

  const member = await ensureMember(database, guild, { ...asked, id: asked.member })
  await checkMember(database, { asked, guild, member, spec, nowMs })

  const earlier = await findByInvocation(database, guild, asked.invocationId)
  if (earlier) return { job: earlier, isDuplicate: true, fastInMs: 0 }

  const pass = await checkWords(database, { guild, member, spec, nowMs })
  checkSpecLimits(spec, specLimits(settings))
  const predictedMs = predictWaitMs(guild.id)
  await checkRoom(database, guild, member, predictedMs)
  await rateLimit.take({ ...settings, guild: guild.id, member: member.id })

  return inTransaction(database, (transaction) =>
    enter(transaction, { asked, guild, member, spec, pass, predictedMs, nowMs }),
  )
}

/** What a spec costs on the reference device, in whole microseconds. */
export function priceMicros(spec: JobSpec): number {
  return Math.min(Math.max(1, Math.ceil(shapeMicros(workOf(spec)))), mostMicros)
}

async function checkMember(
  database: Database,
  facts: {
    readonly asked: Asked
    readonly guild: StoredGuild
    readonly member: StoredMember
    readonly spec: JobSpec
    readonly nowMs: number
  },
): Promise<void> {
  const { asked, guild, member, spec, nowMs } = facts
  const block = await blockOf(database, guild, member, nowMs)
  const rank = rankOf({ ...asked, isBlocked: block !== undefined })
  checkMay(rank, spec.kind, block?.untilMs === undefined ? undefined : block.untilMs - nowMs)
}

async function checkRoom(
  database: Database | Transaction,
  guild: StoredGuild,
  member: StoredMember,
  predictedMs: number,
): Promise<void> {
  const { ofMember, ofGuild } = await countWaiting(database, guild, member)
  checkQueue(guild.settings, {
    ofMember,
    ofGuild,
    predictedMs,
    // The newest would wait so long behind that many; the first of them a part of it.
    memberFreeInMs: predictedMs / Math.max(1, ofMember),
    guildFreeInMs: predictedMs / Math.max(1, ofGuild),
  })
}

/**
 * Takes quota and stores the job. The balances are locked first, so whoever asks at the same time
 * waits here; what others have done meanwhile is looked at again.
 */
async function enter(
  transaction: Transaction,
  facts: {
    readonly asked: Asked
    readonly guild: StoredGuild
    readonly member: StoredMember
    readonly spec: JobSpec
    readonly pass: Pass | undefined
    readonly predictedMs: number
    readonly nowMs: number
  },
): Promise<Admitted> {
  const { asked, guild, member, spec, pass, predictedMs, nowMs } = facts
  const { invocationId, replyTo } = asked
  const accounts = await accountsOf(transaction, { guild, member }, { isLocked: true, nowMs })
  const earlier = await findByInvocation(transaction, guild, invocationId)
  if (earlier) return { job: earlier, isDuplicate: true, fastInMs: 0 }
  await checkRoom(transaction, guild, member, predictedMs)
  const estimateMicros = priceMicros(spec)
  const { lane, fastInMs } = decide(accounts, estimateMicros, nowMs)
  const id = jobIdOf(randomBytes(jobIdBytes))
  const job = await insertJob(
    transaction,
    { id, guild, member, invocationId, spec, lane, estimateMicros, replyTo },
    accounts,
    nowMs,
  )
  if (pass !== undefined) {
    // Two at once may both have seen it unused.
    if (!(await usePass(transaction, pass))) {
      throw new UserError('prompt-refused', { rule: pass.rule })
    }
    const facts = { report: pass.id, rule: pass.rule, jobId: id }
    await audit(transaction, { guild, member, action: 'pass used', facts, nowMs })
  }
  await publish({ type: 'queued', jobId: id }, transaction)
  return { job, isDuplicate: false, fastInMs }
}
