/** What moderators say about members: who is blocked, who moderates too, and who may use how much. */
import { UserError } from '../core/errors.ts'
import { reasonLimit } from '../core/guild.ts'
import { nearest } from '../core/nearest.ts'
import type { Quota } from '../core/quota.ts'
import { printQuota } from '../core/quota-amount.ts'
import { removeBlock, setBlock } from '../store/blocks.ts'
import { type KnownMember, latestNames, lookUpMember } from '../store/directory.ts'
import { blockOf, saveMember, type StoredGuild } from '../store/guilds.ts'
import type { Database, Transaction } from '../store/prisma.ts'
import { quotaAt, type QuotaSubject, resetUsage, setQuota as storeQuota } from '../store/quota.ts'
import { type Moderating, moderate } from './moderation.ts'

/** A member of this guild by id or name. @throws {UserError} member-unknown */
export async function memberCalled(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
  idOrName: string,
): Promise<KnownMember> {
  const plain = idOrName.trim().replace(/^@/, '')
  const member = await lookUpMember(database, guild, plain)
  if (member) return member
  const likely = nearest(plain, await latestNames(database, guild)) ?? 'none'
  throw new UserError('member-unknown', {
    member: plain.slice(0, 40).toWellFormed(),
    nearest: likely,
  })
}

/**
 * Blocks a member from drawing, for so many hours or for good, in place of any block before.
 *
 * @throws {UserError} block-own
 */
export async function block(
  moderating: Moderating,
  target: KnownMember,
  { hours, reason }: { readonly hours: number | undefined; readonly reason: string },
): Promise<void> {
  const { member, nowMs } = moderating
  if (target.row === member.row) throw new UserError('block-own', {})
  const said = reason.slice(0, reasonLimit).toWellFormed()
  const untilMs = hours === undefined ? undefined : nowMs + hours * 3_600_000
  await moderate(moderating, async ({ transaction, guild }) => {
    const was = (await blockOf(transaction, guild, target, nowMs)) ? 'blocked' : 'free'
    await setBlock(transaction, guild, target, { reason: said, untilMs, nowMs })
    const facts = { target: target.id, hours: hours ?? 0, reason: said, was }
    return { result: undefined, audited: { action: 'member blocked', facts } }
  })
}

/** Lets a member draw again. @throws {UserError} member-not-blocked */
export async function unblock(moderating: Moderating, target: KnownMember): Promise<void> {
  await moderate(moderating, async ({ transaction, guild }) => {
    const was = await blockOf(transaction, guild, target, moderating.nowMs)
    if (!was) throw new UserError('member-not-blocked', { member: target.name })
    await removeBlock(transaction, guild, target)
    const facts = { target: target.id, reason: was.reason }
    return { result: undefined, audited: { action: 'member unblocked', facts } }
  })
}

/** Makes a member a moderator by our word, or takes it back. @returns whether that changes anything */
export async function setModerator(
  moderating: Moderating,
  target: KnownMember,
  isModerator: boolean,
): Promise<boolean> {
  return moderate(moderating, async ({ transaction, guild }) => {
    const was = (await memberCalled(transaction, guild, target.id)).isModerator
    await saveMember(transaction, target, { isModerator })
    const action = isModerator ? 'moderator added' : 'moderator removed'
    return {
      result: was !== isModerator,
      audited: was === isModerator ? undefined : { action, facts: { target: target.id } },
    }
  })
}

/**
 * Sets a quota, `null` for none at all, `undefined` for the rule that comes next.
 *
 * @returns how it was
 */
export async function setQuota(
  moderating: Moderating,
  subject: QuotaSubject,
  quota: Quota | null | undefined,
): Promise<Quota | null | undefined> {
  return moderate(moderating, async ({ transaction, guild }) => {
    const before = await quotaAt(transaction, guild, subject)
    await storeQuota(transaction, guild, subject, quota)
    const [was, is] = [printQuota(before), printQuota(quota)]
    const whose = { subject: subject.scope, id: 'id' in subject ? subject.id : '' }
    return {
      result: before,
      audited: was === is ? undefined : { action: 'quota set', facts: { ...whose, was, is } },
    }
  })
}

/** As if a member had used nothing. @returns the seconds that they had used */
export async function resetQuota(moderating: Moderating, target: KnownMember): Promise<number> {
  return moderate(moderating, async ({ transaction, guild }) => {
    const used = await resetUsage(transaction, { guild, member: target }, moderating.nowMs)
    const wasSeconds = Math.round(used / 1e6)
    const facts = { target: target.id, wasSeconds }
    return { result: wasSeconds, audited: { action: 'quota reset', facts } }
  })
}
