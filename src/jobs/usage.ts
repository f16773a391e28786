/** What is left of somebody's quota, when it comes back, and which rule gave it to them. */
import { type Allowance, allowance, type Account, type Quota } from '../core/quota.ts'
import type { Database } from '../store/prisma.ts'
import { accountsOf, type Payers, type QuotaRule } from '../store/quota.ts'

/** A quota, and what is left of it now. */
export type Share = { readonly quota: Quota; readonly left: Allowance }

/** What a member may still use; without a share there is no limit. */
export type UsageReport = {
  /** The member's own. */
  readonly member: Share | undefined
  /** Set for this member, for one of their roles, or what everyone here has. */
  readonly rule: QuotaRule
  /** What the whole guild shares, beside it. */
  readonly guild: Share | undefined
}

/** What a member may still use, as it is at this moment; nothing is taken or locked. */
export async function usageOf(
  database: Database,
  payers: Payers,
  nowMs: number,
): Promise<UsageReport> {
  const { member, guild, memberRule } = await accountsOf(database, payers, {
    isLocked: false,
    nowMs,
  })
  return { member: shareOf(member, nowMs), rule: memberRule, guild: shareOf(guild, nowMs) }
}

function shareOf({ usage, quota }: Account, nowMs: number): Share | undefined {
  return quota && { quota, left: allowance(usage, quota, nowMs) }
}
