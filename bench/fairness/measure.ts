/** What is measured of a simulation: percentiles, Jain's index, shares and lag. */
import type { SimulatedJob } from './workload.ts'

/** The value that a part (0 to 1) of all values is not above; the nearest rank. */
export function percentile(values: readonly number[], part: number): number {
  if (values.length === 0) return NaN
  const sorted = Float64Array.from(values).toSorted()
  return sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)]!
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** Jain's index: 1 when all have the same, 1/n when one has everything. */
export function jain(values: readonly number[]): number {
  const sum = values.reduce((total, value) => total + value, 0)
  const squares = values.reduce((total, value) => total + value * value, 0)
  return sum ** 2 / (values.length * squares)
}

/**
 * Service of flows that all wait throughout, and the lag of each two of them: how far the
 * difference of what they had for their weight ever moved, between any two moments.
 */
export class Service {
  readonly #weights: ReadonlyMap<string, number>
  readonly #micros: Map<string, number>
  readonly #extremes = new Map<string, { least: number; most: number }>()

  constructor(weights: ReadonlyMap<string, number>) {
    this.#weights = weights
    this.#micros = new Map([...weights.keys()].map((flow) => [flow, 0]))
  }

  /** A job of a flow has ended. */
  add(flow: string, micros: number): void {
    this.#micros.set(flow, this.#micros.get(flow)! + micros)
    for (const other of this.#weights.keys()) {
      if (other === flow) continue
      const pair = flow < other ? `${flow} ${other}` : `${other} ${flow}`
      const ahead = this.normalised(flow) - this.normalised(other)
      const difference = flow < other ? ahead : -ahead
      const extremes = this.#extremes.get(pair)
      if (extremes === undefined) {
        const [least, most] = [Math.min(0, difference), Math.max(0, difference)]
        this.#extremes.set(pair, { least, most })
      } else {
        extremes.least = Math.min(extremes.least, difference)
        extremes.most = Math.max(extremes.most, difference)
      }
    }
  }

  /** What a flow had, for its weight. */
  normalised(flow: string): number {
    return this.#micros.get(flow)! / this.#weights.get(flow)!
  }

  /** The part of all service that a flow had. */
  share(flow: string): number {
    const all = [...this.#micros.values()].reduce((sum, micros) => sum + micros, 0)
    return this.#micros.get(flow)! / all
  }

  /** The lag of every two flows of which one has had anything. */
  get lags(): { readonly pair: readonly string[]; readonly lagMicros: number }[] {
    return Array.from(this.#extremes, ([pair, { least, most }]) => ({
      pair: pair.split(' '),
      lagMicros: most - least,
    }))
  }

  /** The largest lag of any two flows. */
  get lagMicros(): number {
    return this.lags.reduce((most, { lagMicros }) => Math.max(most, lagMicros), 0)
  }

  get jain(): number {
    return jain([...this.#weights.keys()].map((flow) => this.normalised(flow)))
  }
}

/** Largest cost of each flow for its weight, the two largest added: the bound T1 on the lag. */
export function lagBoundMicros(
  jobs: readonly SimulatedJob[],
  weights: ReadonlyMap<string, number>,
): number {
  const largest = [...weights].map(([guild, weight]) => {
    const costs = jobs.filter((job) => job.guild === guild).map(({ trueMicros }) => trueMicros)
    return costs.reduce((most, cost) => Math.max(most, cost), 0) / weight
  })
  const [first = 0, second = 0] = largest.toSorted((a, b) => b - a)
  return first + second
}
