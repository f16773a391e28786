/**
 * What is asked for in the simulations: jobs with the costs of Z-Image on one H100, stage by stage,
 * and the ways in which they arrive. All times are whole microseconds.
 */
import type { QueuedJob } from '../../src/core/queued-job.ts'
import type { Random } from './random.ts'

export type Side = 256 | 512 | 768 | 1024 | 1536 | 2048

const encodeMicros = 60_000
const steps = 8
const stepMicros: Readonly<Record<Side, number>> = {
  256: 16_000,
  512: 27_000,
  768: 52_000,
  1024: 84_000,
  1536: 225_000,
  2048: 490_000,
}
const decodeMicros: Readonly<Record<Side, number>> = {
  256: 5_000,
  512: 11_000,
  768: 25_000,
  1024: 45_000,
  1536: 101_000,
  2048: 180_000,
}

/** Sides as people ask for them, with their frequencies. */
export const mixedSides: readonly (readonly [Side, number])[] = [
  [256, 10],
  [512, 30],
  [768, 15],
  [1024, 35],
  [1536, 7],
  [2048, 3],
]

/** A job of a simulation: what the queue is told, and what is true. */
export type SimulatedJob = QueuedJob & {
  readonly arrivalMicros: number
  readonly side: Side
  readonly trueMicros: number
}

/** What one job costs on the reference device: 0.777 s at 1024 x 1024. */
export function costMicros(side: Side): number {
  return encodeMicros + steps * stepMicros[side] + decodeMicros[side]
}

/** The stages of a job: the encoder, each step, the decoder. */
export function stagesMicros(side: Side): number[] {
  return [
    encodeMicros,
    ...Array.from({ length: steps }, () => stepMicros[side]),
    decodeMicros[side],
  ]
}

/** Mean cost of a mix. */
export function meanCostMicros(sides: readonly (readonly [Side, number])[]): number {
  const weight = sides.reduce((sum, [, each]) => sum + each, 0)
  return sides.reduce((sum, [side, each]) => sum + costMicros(side) * each, 0) / weight
}

let made = 0

/** A job; unless told otherwise its estimate is its cost and its guild has one member. */
export function newJob(
  guild: string,
  side: Side,
  arrivalMicros: number,
  more: Partial<SimulatedJob> = {},
): SimulatedJob {
  const trueMicros = costMicros(side)
  return {
    id: String(made++),
    lane: 'fast',
    guild,
    member: 'only',
    estimateMicros: trueMicros,
    pictures: 1,
    batchKey: String(side),
    side,
    arrivalMicros: Math.round(arrivalMicros),
    trueMicros,
    ...more,
  }
}

/** So many jobs that are all there from the beginning. */
export function backlog(count: number, make: (index: number) => SimulatedJob): SimulatedJob[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

/** Times of independent arrivals until an end. */
export function poissonMicros(random: Random, meanGapMicros: number, endMicros: number): number[] {
  const times: number[] = []
  for (
    let at = random.exponential(meanGapMicros);
    at < endMicros;
    at += random.exponential(meanGapMicros)
  ) {
    times.push(at)
  }
  return times
}

/** Arrivals that come in bursts: a third of the time three times as many, else none. */
export function burstsMicros(random: Random, meanGapMicros: number, endMicros: number): number[] {
  const meanOnMicros = 60e6
  const times: number[] = []
  let isOn = random.next() < 1 / 3
  for (let at = 0; at < endMicros; isOn = !isOn) {
    const until = at + random.exponential(isOn ? meanOnMicros : 2 * meanOnMicros)
    if (isOn) {
      const inBurst = poissonMicros(random, meanGapMicros / 3, Math.min(until, endMicros) - at)
      for (const since of inBurst) times.push(at + since)
    }
    at = until
  }
  return times
}

/** Jobs of many guilds, the first of which ask for most (Zipf), in bursts, at a load of devices. */
export function zipfJobs(
  random: Random,
  {
    guilds,
    devices,
    load,
    seconds,
  }: Readonly<Record<'guilds' | 'devices' | 'load' | 'seconds', number>>,
): SimulatedJob[] {
  const whole = Array.from({ length: guilds }, (_, rank) => 1 / (rank + 1)).reduce((a, b) => a + b)
  const meanGapMicros = meanCostMicros(mixedSides) / (load * devices)
  return Array.from({ length: guilds }, (_, rank) => {
    const gapMicros = meanGapMicros * whole * (rank + 1)
    return burstsMicros(random, gapMicros, seconds * 1e6).map((at) =>
      newJob(`guild-${rank}`, random.pick(mixedSides), at),
    )
  }).flat()
}
