/**
 * A part of the soak: something that is done to a real house, and figures of it, each beside its
 * target. A figure without a limit is told, not judged. A part cleans up after itself, also when it
 * fails.
 */
import { digits } from '../report.ts'

/** A figure of this run, and whether it is good enough. */
export type Figure = {
  readonly what: string
  readonly target: string
  readonly value: string
  readonly verdict: 'ok' | 'missed' | 'told'
}

/** How much is to be done. */
export type Effort = {
  /** Of killing. */
  readonly rounds: number
  /** A look whether everything works, too short for figures that mean something. */
  readonly isQuick: boolean
}

/** One part of the soak. */
export type Part = {
  readonly name: string
  readonly what: string
  readonly run: (effort: Effort, say: (line: string) => void) => Promise<readonly Figure[]>
}

/** A figure that must not be above a limit. */
export function atMost(what: string, value: number, limit: number): Figure {
  return judged(what, `<= ${digits(limit)}`, value, value <= limit)
}

/** A figure that must not be below a limit. */
export function atLeast(what: string, value: number, limit: number): Figure {
  return judged(what, `>= ${digits(limit)}`, value, value >= limit)
}

/** A figure that must be near a value. */
export function within(what: string, value: number, centre: number, by: number): Figure {
  const target = `${digits(centre)} +- ${digits(by)}`
  return judged(what, target, value, Math.abs(value - centre) <= by)
}

/** A count of things that must not be. */
export function none(what: string, found: readonly string[]): Figure {
  return judged(what, '0', found.length, found.length === 0)
}

/** A figure without a target. */
export function told(what: string, value: number | string): Figure {
  const shown = typeof value === 'number' ? shownNumber(value) : value
  return { what, target: '', value: shown, verdict: 'told' }
}

function judged(what: string, target: string, value: number, isMet: boolean): Figure {
  return { what, target, value: shownNumber(value), verdict: isMet ? 'ok' : 'missed' }
}

/** Counts as they are, everything else to three digits. */
function shownNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : digits(value)
}
