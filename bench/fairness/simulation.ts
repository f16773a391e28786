/**
 * Devices that run what a queue gives them, event by event, in whole microseconds; no clock is
 * read. A job runs to its end. `stepwise.ts` has devices that look around after every step.
 */
import { IndexedHeap } from '../../src/core/indexed-heap.ts'
import type { Policy } from './policy.ts'
import type { SimulatedJob } from './workload.ts'

/** A job that has ended: when it was begun first, when it ended, and what it took. */
export type Served = {
  readonly job: SimulatedJob
  readonly startMicros: number
  readonly endMicros: number
}

/** What happens while a simulation runs, for those who measure or disturb it. */
export type Watch = {
  readonly onArrival?: (job: SimulatedJob, nowMicros: number) => void
  readonly onStart?: (job: SimulatedJob, nowMicros: number) => void
  readonly onEnd?: (job: SimulatedJob, nowMicros: number) => void
}

/** What came of it. */
export type Outcome = {
  readonly served: readonly Served[]
  /** Jobs that were begun and had not ended. */
  readonly begun: ReadonlyMap<SimulatedJob, number>
  readonly busyMicros: number
}

type Event = { readonly atMicros: number; readonly order: number; slot: number; run: () => void }

/** Things to do at times; those of one time in the order in which they were planned. */
export class Agenda {
  nowMicros = 0
  #planned = 0
  readonly #events = new IndexedHeap<Event>(
    (one, other) => (one.atMicros - other.atMicros || one.order - other.order) < 0,
  )

  plan(atMicros: number, run: () => void): void {
    this.#events.add({ atMicros, order: this.#planned++, slot: -1, run })
  }

  /** Does what is planned before the end, and what that plans. */
  runUntil(endMicros: number): void {
    for (
      let first = this.#events.first;
      first && first.atMicros < endMicros;
      first = this.#events.first
    ) {
      this.#events.remove(first)
      this.nowMicros = first.atMicros
      first.run()
    }
    this.nowMicros = endMicros
  }
}

/** Runs jobs on devices until an end; `speeds` has one number for each device, 1 the reference. */
export function simulate(
  policy: Policy,
  jobs: readonly SimulatedJob[],
  speeds: readonly number[],
  endMicros: number,
  watch: Watch = {},
): Outcome {
  const agenda = new Agenda()
  const idle = speeds.map((_, device) => device)
  const begun = new Map<SimulatedJob, number>()
  const served: Served[] = []
  let busyMicros = 0

  const runNext = (device: number): boolean => {
    const job = policy.next(agenda.nowMicros)
    if (job === undefined) return false
    const { nowMicros } = agenda
    begun.set(job, nowMicros)
    watch.onStart?.(job, nowMicros)
    const takesMicros = Math.round(job.trueMicros / speeds[device]!)
    busyMicros += Math.min(takesMicros, endMicros - nowMicros)
    agenda.plan(nowMicros + takesMicros, () => {
      policy.end(job, job.trueMicros)
      begun.delete(job)
      served.push({ job, startMicros: nowMicros, endMicros: agenda.nowMicros })
      watch.onEnd?.(job, agenda.nowMicros)
      if (!runNext(device)) idle.push(device)
    })
    return true
  }

  for (const job of jobs) {
    agenda.plan(job.arrivalMicros, () => {
      policy.add(job)
      watch.onArrival?.(job, agenda.nowMicros)
      const device = idle.pop()
      if (device !== undefined && !runNext(device)) idle.push(device)
    })
  }
  agenda.runUntil(endMicros)
  return { served, begun, busyMicros }
}
