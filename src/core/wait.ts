/**
 * When to come back, as the facts of a sentence: a whole number in the unit that people would use.
 * It is rounded up, so that whoever comes back when told is never too early.
 */

/** Facts of every refusal that time will mend. */
export type WaitFacts = {
  /** For programs, such as a Retry-After header. */
  readonly waitMs: number
  /** For people, in `unit`s. */
  readonly wait: number
  readonly unit: 'second' | 'minute' | 'hour' | 'day'
}

const msOfUnit = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

/** The facts of a range: whole numbers in the unit of its end, the first one rounded down. */
export function rangeFacts(
  fromMs: number,
  toMs: number,
): { readonly from: number; readonly to: number; readonly unit: WaitFacts['unit'] } {
  const { wait: to, unit } = waitFacts(toMs)
  return { from: Math.min(to, Math.max(1, Math.floor(fromMs / msOfUnit[unit]))), to, unit }
}

/** The facts of a wait; none is shorter than a second. */
export function waitFacts(waitMs: number): WaitFacts {
  const unit =
    waitMs <= 90 * msOfUnit.second
      ? 'second'
      : waitMs <= 90 * msOfUnit.minute
        ? 'minute'
        : waitMs <= 36 * msOfUnit.hour
          ? 'hour'
          : 'day'
  return { waitMs, wait: Math.max(1, Math.ceil(waitMs / msOfUnit[unit])), unit }
}
