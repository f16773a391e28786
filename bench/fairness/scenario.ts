/**
 * A scenario: something that is asked of the devices, played once for each seed, and figures of it
 * with their targets. Bounds that are proved must hold in every seed; figures of chance (medians,
 * percentiles, errors) are judged by the middle one of the seeds, and shown with the worst.
 */
import { digits, median } from '../report.ts'

/** A figure and when it is good enough. */
export type Figure = {
  readonly what: string
  readonly target: string
  readonly isMet: (value: number) => boolean
  /** How much worse a value is than others; the largest is shown as the worst. */
  readonly badness: (value: number) => number
  readonly judgedBy: 'every seed' | 'median' | 'nothing'
}

/** One row of the report: figures stand in the order in which `run` gives them. */
export type Scenario = {
  readonly name: string
  readonly what: string
  readonly figures: readonly Figure[]
  readonly run: (seed: number) => readonly number[]
  /** Seeds beyond this tell nothing new. */
  readonly mostSeeds?: number
}

type JudgedBy = Figure['judgedBy']

export function atMost(what: string, limit: number, judgedBy: JudgedBy): Figure {
  const isMet = (value: number): boolean => value <= limit
  return { what, target: `<= ${digits(limit)}`, isMet, badness: (value) => value, judgedBy }
}

export function atLeast(what: string, limit: number, judgedBy: JudgedBy): Figure {
  const isMet = (value: number): boolean => value >= limit
  return { what, target: `>= ${limit}`, isMet, badness: (value) => -value, judgedBy }
}

export function within(what: string, centre: number, by: number, judgedBy: JudgedBy): Figure {
  const badness = (value: number): number => Math.abs(value - centre)
  const isMet = (value: number): boolean => badness(value) <= by
  return { what, target: `${digits(centre)} +- ${digits(by)}`, isMet, badness, judgedBy }
}

/** What the seeds made of one figure. */
export type Result = {
  readonly name: string
  readonly what: string
  readonly target: string
  readonly median: number
  readonly worst: number
  readonly verdict: 'ok' | 'missed' | 'not judged'
}

/** Plays a scenario for seeds 0, 1, 2, ... and judges its figures. */
export function play(scenario: Scenario, seeds: number): Result[] {
  const { name, figures, mostSeeds = Infinity } = scenario
  const runs = Array.from({ length: Math.min(seeds, mostSeeds) }, (_, seed) => scenario.run(seed))
  return figures.map(({ what, target, isMet, badness, judgedBy }, at) => {
    const values = runs.map((run) => run[at]!)
    const middle = median(values)
    const worst = values.reduce((bad, value) => (badness(value) > badness(bad) ? value : bad))
    const isGood = judgedBy === 'every seed' ? values.every(isMet) : isMet(middle)
    const verdict = judgedBy === 'nothing' ? 'not judged' : isGood ? 'ok' : 'missed'
    return { name, what, target: shown(target, judgedBy), median: middle, worst, verdict }
  })
}

function shown(target: string, judgedBy: JudgedBy): string {
  return judgedBy === 'every seed' ? `${target} always` : target
}
