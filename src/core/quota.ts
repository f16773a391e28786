/**
 * Quotas in device time: whole microseconds of the reference device. What was used drains evenly, a
 * whole `refillMicros` in each `windowMs`; whoever has more than that in use is served in the relaxed
 * lane, and from `hardCapMicros` on not at all until enough has drained. So in any time t nobody is
 * charged more than hardCapMicros + t x refillMicros / windowMs, refunds and settlements apart.
 *
 * A job is charged its estimate at admission, settled to its true cost at its end, refunded when it
 * has no end that a member would pay for. Times are arguments; a clock that goes back drains nothing.
 */
import { UserError } from './errors.ts'
import { waitFacts } from './wait.ts'

/** How much somebody may use; all three are positive whole numbers. */
export type Quota = {
  readonly refillMicros: number
  readonly windowMs: number
  /** At least `refillMicros`. */
  readonly hardCapMicros: number
}

/** What is in use, and when that was true. */
export type Usage = { readonly usedMicros: number; readonly atMs: number }

/** Somebody's usage against their quota; no quota is no limit. */
export type Account = { readonly usage: Usage; readonly quota: Quota | undefined }

/** What is left of a quota now. */
export type Allowance = {
  readonly usedMicros: number
  /** Until the relaxed lane. */
  readonly fastMicros: number
  /** Until the hard cap. */
  readonly mostMicros: number
  /** Until nothing is in use. */
  readonly fullInMs: number
}

/** The lane of a job, and when the fast one would take it: 0 if it does now, Infinity if never. */
export type QuotaDecision = { readonly lane: 'fast' | 'relax'; readonly fastInMs: number }

/** Who has used nothing. */
export const noUsage: Usage = { usedMicros: 0, atMs: 0 }

/** Usage as it is now; without a quota none is kept, so that a first one finds nothing in use. */
export function drained(usage: Usage, quota: Quota | undefined, nowMs: number): Usage {
  if (quota === undefined) return noUsage
  const elapsedMs = nowMs - usage.atMs
  if (elapsedMs <= 0) return usage
  // Rounded down, so that what was used is never forgotten early.
  const drainedMicros = Math.floor((elapsedMs / quota.windowMs) * quota.refillMicros)
  return { usedMicros: Math.max(0, usage.usedMicros - drainedMicros), atMs: nowMs }
}

/** What is left of a quota. */
export function allowance(usage: Usage, quota: Quota, nowMs: number): Allowance {
  const { usedMicros } = drained(usage, quota, nowMs)
  return {
    usedMicros,
    fastMicros: Math.max(0, quota.refillMicros - usedMicros),
    mostMicros: Math.max(0, quota.hardCapMicros - usedMicros),
    fullInMs: drainMs(usedMicros, quota),
  }
}

/**
 * Whether a job may enter, and in which lane, as its member's and its guild's quotas have it.
 *
 * @throws {UserError} quota-used-up, with the time when the job would be admitted; quota-too-small
 *   for a job that never would
 */
export function decide(
  accounts: { readonly member: Account; readonly guild: Account },
  costMicros: number,
  nowMs: number,
): QuotaDecision {
  let fastInMs = 0
  let refusal: { readonly whose: string; readonly waitMs: number } | undefined
  for (const [whose, { usage, quota }] of Object.entries(accounts)) {
    if (quota === undefined) continue
    const { refillMicros, hardCapMicros } = quota
    if (costMicros > hardCapMicros) {
      const [most, got] = [Math.floor(hardCapMicros / 1e6), Math.ceil(costMicros / 1e6)]
      throw new UserError('quota-too-small', { whose, most, got })
    }
    const { usedMicros } = drained(usage, quota, nowMs)
    const waitMs = drainMs(usedMicros + costMicros - hardCapMicros, quota)
    if (waitMs > (refusal?.waitMs ?? 0)) refusal = { whose, waitMs }
    // What is larger than a whole refill is never fast: Infinity.
    const overMicros = costMicros > refillMicros ? Infinity : usedMicros + costMicros - refillMicros
    fastInMs = Math.max(fastInMs, drainMs(overMicros, quota))
  }
  if (refusal !== undefined) {
    throw new UserError('quota-used-up', { whose: refusal.whose, ...waitFacts(refusal.waitMs) })
  }
  return { lane: fastInMs === 0 ? 'fast' : 'relax', fastInMs }
}

/** Usage with a job's estimate. */
export function charged({ usage, quota }: Account, estimateMicros: number, nowMs: number): Usage {
  if (quota === undefined) return noUsage
  const { usedMicros, atMs } = drained(usage, quota, nowMs)
  return { usedMicros: Math.max(0, usedMicros + estimateMicros), atMs }
}

/** Usage with a job's true cost in place of its estimate. */
export function settled(
  account: Account,
  { estimateMicros, trueMicros }: { readonly estimateMicros: number; readonly trueMicros: number },
  nowMs: number,
): Usage {
  return charged(account, trueMicros - estimateMicros, nowMs)
}

/** Usage as if a job had cost nothing. */
export function refunded(account: Account, estimateMicros: number, nowMs: number): Usage {
  return settled(account, { estimateMicros, trueMicros: 0 }, nowMs)
}

/** Quotas that may apply to a member; absent means not set, null means without limit. */
export type QuotaRules = {
  readonly member?: Quota | null
  /** Those of the member's roles that have one. */
  readonly roles: readonly (Quota | null)[]
  readonly everyone: Quota | null
}

/**
 * The quota of a member: their own if one is set, else the most generous of their roles', else
 * everyone's. The guild's own quota comes beside it, never instead.
 */
export function quotaOf({ member, roles, everyone }: QuotaRules): Quota | undefined {
  if (member !== undefined) return member ?? undefined
  const [first, ...others] = roles
  return (first === undefined ? everyone : others.reduce(moreGenerous, first)) ?? undefined
}

function moreGenerous(one: Quota | null, other: Quota | null): Quota | null {
  if (one === null || other === null) return null
  const rate = one.refillMicros / one.windowMs
  const otherRate = other.refillMicros / other.windowMs
  if (rate === otherRate) return one.hardCapMicros >= other.hardCapMicros ? one : other
  return rate > otherRate ? one : other
}

/** How long so much takes to drain; one microsecond more, against the rounding in `drained`. */
function drainMs(micros: number, { refillMicros, windowMs }: Quota): number {
  return micros <= 0 ? 0 : Math.ceil(((micros + 1) / refillMicros) * windowMs)
}
