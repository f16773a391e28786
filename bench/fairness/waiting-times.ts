/** Scenario M: how near the waiting times that people are told come to those that they wait. */
import { laneBacklog, placeOf } from '../../src/core/backlog.ts'
import { type SpeedHistory, recorded, virtualSpeed, waitEstimate } from '../../src/core/eta.ts'
import { percentile } from './measure.ts'
import { Fair } from './policy.ts'
import { Random } from './random.ts'
import { type Scenario, atLeast, atMost } from './scenario.ts'
import { simulate } from './simulation.ts'
import { type SimulatedJob, zipfJobs } from './workload.ts'

const devices = 8
const shortestWaitMs = 2_000
const betweenRecordsMs = 1_000

/** Relative errors of what is told when a job arrives, over all waits that are worth telling. */
function errors(seed: number, load: number): number[] {
  const jobs = zipfJobs(new Random(seed), { guilds: 1000, devices, load, seconds: 3000 })
  const fair = new Fair({ capacity: devices })
  const told = new Map<SimulatedJob, number>()
  const endsMicros = new Map<SimulatedJob, number>()
  let history: SpeedHistory = []

  const tell = (job: SimulatedJob, nowMicros: number): void => {
    const lane = laneBacklog(fair.queue, 'fast')
    const nowMs = nowMicros / 1000
    if (nowMs - (history.at(-1)?.atMs ?? -Infinity) >= betweenRecordsMs) {
      history = recorded(history, lane, nowMs)
    }
    const isBusy = endsMicros.size === devices
    const residualMs = isBusy ? (Math.min(...endsMicros.values()) - nowMicros) / 1000 : 0
    const place = placeOf(fair.queue, job.id)
    const speed = virtualSpeed(history)
    const estimate = place && waitEstimate({ place, lane, capacity: devices, residualMs, speed })
    if (estimate !== undefined) told.set(job, estimate.likelyMs)
  }

  const { served } = simulate(fair, jobs, Array(devices).fill(1), 1e13, {
    onArrival: tell,
    onStart: (job, nowMicros) => endsMicros.set(job, nowMicros + job.trueMicros),
    onEnd: (job) => endsMicros.delete(job),
  })
  return served.flatMap(({ job, startMicros }) => {
    const waitMs = (startMicros - job.arrivalMicros) / 1000
    if (waitMs <= shortestWaitMs) return []
    // Nothing told counts as wrong.
    return [Math.abs((told.get(job) ?? Infinity) - waitMs) / waitMs]
  })
}

const withinHalf = (all: readonly number[]): number =>
  all.filter((error) => error <= 0.5).length / all.length

export const waitingTimes: Scenario = {
  name: 'M',
  what: 'waiting times told beforehand, the guilds of B, 8 devices',
  figures: [
    atMost('load 0.95: median error', 0.4, 'median'),
    atLeast('load 0.95: part within 50 %', 0.6, 'median'),
    atMost('load 1.1: median error', 0.4, 'median'),
    atLeast('load 1.1: part within 50 %', 0.6, 'median'),
  ],
  run: (seed) =>
    [0.95, 1.1].flatMap((load) => {
      const all = errors(seed, load)
      return [percentile(all, 0.5), withinHalf(all)]
    }),
}
