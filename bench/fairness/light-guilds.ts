/** Scenarios A, A2 and B: what guilds that ask for little wait beside others that ask for much. */
import { mean, percentile } from './measure.ts'
import { Fair, FirstCome, type Policy } from './policy.ts'
import { Random } from './random.ts'
import { type Scenario, atLeast, atMost, within } from './scenario.ts'
import { type Outcome, type Served, simulate } from './simulation.ts'
import { simulateSteps } from './stepwise.ts'
import {
  type Side,
  type SimulatedJob,
  backlog,
  newJob,
  poissonMicros,
  zipfJobs,
} from './workload.ts'

const endMicros = 3000e6

/** A guild whose jobs are all there from the beginning, and 50 that ask once in two minutes. */
function besideHog(seed: number, side: Side, jobs: number): SimulatedJob[] {
  const random = new Random(seed)
  const light = Array.from({ length: 50 }, (_, guild) =>
    poissonMicros(random, 120e6, endMicros).map((at) => newJob(`light-${guild}`, 1024, at)),
  )
  return [...backlog(jobs, () => newJob('hog', side, 0)), ...light.flat()]
}

function waitSeconds({ job, startMicros }: Served): number {
  return (startMicros - job.arrivalMicros) / 1e6
}

function latencySeconds({ job, endMicros: at }: Served): number {
  return (at - job.arrivalMicros) / 1e6
}

function ofLight({ served }: Outcome): readonly Served[] {
  return served.filter(({ job }) => job.guild.startsWith('light'))
}

export const besideHogOf1024: Scenario = {
  name: 'A',
  what: 'a guild with 10 000 jobs of 1024 x 1024, 50 light guilds, 1 device',
  figures: [
    atMost('wait of light guilds, p50, s', 0.5, 'median'),
    atMost('wait of light guilds, p99, s', 2.3, 'median'),
    atLeast('part of the time that the device is busy', 0.999, 'every seed'),
  ],
  run: (seed) => {
    const jobs = besideHog(seed, 1024, 10_000)
    const outcome = simulate(new Fair({ capacity: 1 }), jobs, [1], endMicros)
    const waits = ofLight(outcome).map(waitSeconds)
    return [percentile(waits, 0.5), percentile(waits, 0.99), outcome.busyMicros / endMicros]
  },
}

export const besideHogOf2048: Scenario = {
  name: 'A2',
  what: 'the same with jobs of 2048 x 2048 that can be preempted',
  figures: [
    atMost('latency of light guilds, p50, s', 1.25, 'median'),
    atMost('latency of light guilds, p99, s', 3.5, 'median'),
    atMost('preemptions of one job', 4, 'every seed'),
  ],
  run: (seed) => {
    const jobs = besideHog(seed, 2048, 2_000)
    const outcome = simulateSteps(new Fair({ capacity: 1 }), jobs, endMicros)
    const latencies = ofLight(outcome).map(latencySeconds)
    const { mostPreemptions } = outcome
    return [percentile(latencies, 0.5), percentile(latencies, 0.99), mostPreemptions]
  },
}

/** Guilds of this rank and above ask for less than an equal part of the devices. */
const lightRank = 128

/** The same jobs under a policy, until all are served; light latencies and the mean wait. */
function zipf(policy: Policy, seed: number): { light: number[]; meanWait: number } {
  const load = { guilds: 1000, devices: 8, load: 0.97, seconds: 2500 }
  const jobs = zipfJobs(new Random(seed), load)
  const { served, busyMicros } = simulate(policy, jobs, Array(8).fill(1), 1e13)
  const light = served.filter(({ job }) => Number(job.guild.slice(6)) >= lightRank)
  // By cost: the mean wait that no order changes which knows nothing of costs (Kleinrock 1965).
  const byCost = served.map((each) => waitSeconds(each) * each.job.trueMicros)
  return { light: light.map(latencySeconds), meanWait: (mean(byCost) * served.length) / busyMicros }
}

export const zipfGuilds: Scenario = {
  name: 'B',
  what: '1000 guilds, few of which ask for most, in bursts, load 0.97 of 8 devices',
  figures: [
    atMost('latency of light guilds, p50, s', 1.5, 'median'),
    atMost('the same, p99, as part of that first come first served', 0.6, 'every seed'),
    within('mean wait by cost, as part of that first come first served', 1, 0.01, 'every seed'),
  ],
  run: (seed) => {
    const fair = zipf(new Fair({ capacity: 8 }), seed)
    const firstCome = zipf(new FirstCome(), seed)
    return [
      percentile(fair.light, 0.5),
      percentile(fair.light, 0.99) / percentile(firstCome.light, 0.99),
      fair.meanWait / firstCome.meanWait,
    ]
  },
}
