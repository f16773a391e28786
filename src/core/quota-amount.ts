/**
 * Quotas as people set them and as the audit log keeps them: so many seconds of device time in an
 * hour, a day or a week. What is written down is read back exactly.
 */
import { UserError } from './errors.ts'
import type { Quota } from './quota.ts'

/** How long each window is. */
export const windowsMs = { hour: 3_600_000, day: 86_400_000, week: 604_800_000 } as const

/** A window that quotas are set for. */
export type QuotaWindow = keyof typeof windowsMs

/** The least and the most seconds of a quota; the cap may be so many times the most. */
export const amountRange = { least: 1, most: 1_000_000 } as const

/** The hard cap, unless one is said, in amounts. */
export const usualCap = 3

const mostCap = 100

/** A quota as it is asked for, in whole seconds. */
export type QuotaAmount = {
  readonly seconds: number
  readonly window: QuotaWindow
  /** Where the relaxed lane ends too. */
  readonly capSeconds?: number | undefined
}

/** The quota of an amount. @throws {UserError} quota-invalid, with the nearest that is possible */
export function quotaOfAmount(amount: QuotaAmount): Quota {
  const { seconds, window } = amount
  checkWithin('amount', seconds, amountRange)
  const capSeconds = amount.capSeconds ?? usualCap * seconds
  checkWithin('cap', capSeconds, { least: seconds, most: mostCap * seconds })
  return {
    refillMicros: seconds * 1e6,
    windowMs: windowsMs[window],
    hardCapMicros: capSeconds * 1e6,
  }
}

/** The window of a quota, if it is one that can be set. */
export function windowOf({ windowMs }: Quota): QuotaWindow | undefined {
  return (['hour', 'day', 'week'] as const).find((window) => windowsMs[window] === windowMs)
}

/** What is written down of a quota: no limit is `none`, none of its own is `default`. */
export function printQuota(quota: Quota | null | undefined): string {
  if (quota === undefined) return 'default'
  if (quota === null) return 'none'
  return [quota.refillMicros, quota.windowMs, quota.hardCapMicros].join('/')
}

/** A quota that was written down; anything else is none of its own. */
export function readQuota(text: string): Quota | null | undefined {
  if (text === 'none') return null
  const match = /^(\d{1,16})\/(\d{1,16})\/(\d{1,16})$/.exec(text)
  if (!match) return undefined
  const [refillMicros = 0, windowMs = 0, hardCapMicros = 0] = match.slice(1).map(Number)
  return { refillMicros, windowMs, hardCapMicros }
}

function checkWithin(
  field: 'amount' | 'cap',
  got: number,
  { least, most }: { readonly least: number; readonly most: number },
): void {
  const whole = Number.isNaN(got) ? least : Math.round(got)
  const nearest = Math.min(most, Math.max(least, whole))
  if (nearest !== got) throw new UserError('quota-invalid', { field, least, most, got, nearest })
}
