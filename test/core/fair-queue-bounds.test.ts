/**
 * The bounds that `src/core/fair-queue.ts` states, on the simulator of the fairness bench with small
 * costs and any estimates: T1 (P4), T2 (P5), load that is added elsewhere (P8), splitting a member
 * (P11), idleness (P12), and preemption (P19, T6).
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { Service } from '../../bench/fairness/measure.ts'
import { Fair } from '../../bench/fairness/policy.ts'
import { simulate } from '../../bench/fairness/simulation.ts'
import { simulateSteps } from '../../bench/fairness/stepwise.ts'
import { type SimulatedJob, newJob } from '../../bench/fairness/workload.ts'

const cost = fc.integer({ min: 1, max: 12 })
/** Wrong by anything. */
const estimate = fc.integer({ min: 1, max: 50 })
const someJobs = fc.array(fc.record({ cost, estimate }), { minLength: 10, maxLength: 25 })
const guilds = fc.array(fc.record({ weight: fc.integer({ min: 1, max: 4 }), jobs: someJobs }), {
  minLength: 2,
  maxLength: 5,
})
type Guilds = typeof guilds extends fc.Arbitrary<infer T> ? T : never

/** Whole numbers over small weights: what is left of them in floating point. */
const epsilon = 1e-9

const nameOf = (guild: number): string => `guild-${guild}`
const jobOf = (
  guild: number,
  { cost: trueMicros, estimate: estimateMicros }: Guilds[0]['jobs'][0],
) => newJob(nameOf(guild), 256, 0, { trueMicros, estimateMicros })

/** The lag of each two guilds while all of them wait, and what bounds it on one device. */
function contest(
  all: Guilds,
  devices: number,
): { lagMicros: number; bound: number; errors: number }[] {
  const fair = new Fair({ capacity: devices })
  for (const [guild, { weight }] of all.entries()) {
    fair.queue.setWeight({ guild: nameOf(guild), weight })
  }
  const jobs = all.flatMap((of, guild) => of.jobs.map((each) => jobOf(guild, each)))
  const waiting = new Map(all.map((of, guild) => [nameOf(guild), of.jobs.length]))
  const service = new Service(new Map(all.map(({ weight }, guild) => [nameOf(guild), weight])))
  let isOver = false
  simulate(fair, jobs, Array(devices).fill(1), 1e9, {
    onStart: ({ guild }) => {
      waiting.set(guild, waiting.get(guild)! - 1)
      isOver ||= waiting.get(guild) === 0
    },
    onEnd: ({ guild, trueMicros }) => {
      if (!isOver) service.add(guild, trueMicros)
    },
  })
  const perWeight = (name: string, of: (job: Guilds[0]['jobs'][0]) => number): number => {
    const guild = all[Number(name.slice(6))]!
    return Math.max(...guild.jobs.map(of)) / guild.weight
  }
  return service.lags.map(({ pair: [one, other], lagMicros }) => {
    const largest = (of: (job: Guilds[0]['jobs'][0]) => number): number =>
      perWeight(one!, of) + perWeight(other!, of)
    const errors = largest((job) => Math.abs(job.cost - job.estimate))
    return { lagMicros, bound: largest((job) => job.cost), errors }
  })
}

/** One guild that always waits, at a weight, and others that come and go. */
const visits = fc.record({
  weight: fc.integer({ min: 1, max: 4 }),
  others: fc.array(
    fc.record({
      weight: fc.integer({ min: 1, max: 4 }),
      arrivals: fc.array(fc.record({ at: fc.nat(150), cost, estimate }), {
        minLength: 1,
        maxLength: 20,
      }),
    }),
    { minLength: 1, maxLength: 4 },
  ),
})

/** Runs visits on one device for 200 microseconds; tells each end. */
function runVisits(
  { weight, others }: typeof visits extends fc.Arbitrary<infer T> ? T : never,
  watch: { onArrival?: (job: SimulatedJob) => void; onEnd: (job: SimulatedJob) => void },
): void {
  const fair = new Fair({ capacity: 1 })
  fair.queue.setWeight({ guild: 'steady', weight })
  const steady = Array.from({ length: 100 }, (_, k) =>
    newJob('steady', 256, 0, { trueMicros: 2 + (k % 5), estimateMicros: 1 + (k % 9) }),
  )
  const visitors = others.flatMap((other, guild) => {
    fair.queue.setWeight({ guild: nameOf(guild), weight: other.weight })
    return other.arrivals.map(({ at, cost: trueMicros, estimate: estimateMicros }) =>
      newJob(nameOf(guild), 256, at, { trueMicros, estimateMicros }),
    )
  })
  simulate(fair, [...steady, ...visitors], [1], 200, watch)
}

fc.configureGlobal({ numRuns: 300 })

describe('FairQueue on devices', () => {
  it('keeps the lag of two guilds within a job of each on one device (P4)', () => {
    fc.assert(
      fc.property(guilds, (all) => {
        for (const { lagMicros, bound } of contest(all, 1)) assert.ok(lagMicros <= bound + epsilon)
      }),
    )
  })

  it('keeps it within m + 1 times that, and the unsettled errors, on m devices (P5)', () => {
    fc.assert(
      fc.property(guilds, fc.integer({ min: 2, max: 6 }), (all, devices) => {
        for (const { lagMicros, bound, errors } of contest(all, devices)) {
          assert.ok(lagMicros <= (devices + 1) * bound + devices * errors + epsilon)
        }
      }),
    )
  })

  it('leaves a guild that waits its weighted share, whatever others ask (P8)', () => {
    fc.assert(
      fc.property(visits, (all) => {
        const served = new Map<string, number>()
        runVisits(all, {
          onEnd: ({ guild, trueMicros }) => {
            served.set(guild, (served.get(guild) ?? 0) + trueMicros)
          },
        })
        const own = (served.get('steady') ?? 0) / all.weight
        for (const [guild, { weight, arrivals }] of all.others.entries()) {
          const theirs = (served.get(nameOf(guild)) ?? 0) / weight
          const largest = Math.max(...arrivals.map((arrival) => arrival.cost)) / weight
          assert.ok(theirs <= own + largest + 6 / all.weight + epsilon)
        }
      }),
    )
  })

  it('gives no credit for having been idle (P12)', () => {
    fc.assert(
      fc.property(visits, (all) => {
        const since = new Map<string, { own: number; theirs: number; waiting: number }>()
        runVisits(all, {
          onArrival: ({ guild }) => {
            if (guild === 'steady') return
            const visit = since.get(guild)
            if (visit === undefined || visit.waiting === 0) {
              since.set(guild, { own: 0, theirs: 0, waiting: 1 })
            } else visit.waiting++
          },
          onEnd: ({ guild, trueMicros }) => {
            for (const [visitor, visit] of since) {
              if (visit.waiting === 0) continue
              const { weight, arrivals } = all.others[Number(visitor.slice(6))]!
              if (guild === 'steady') visit.own += trueMicros / all.weight
              if (guild !== visitor) continue
              visit.waiting--
              visit.theirs += trueMicros / weight
              const largest = Math.max(...arrivals.map((arrival) => arrival.cost)) / weight
              assert.ok(visit.theirs <= visit.own + largest + 6 / all.weight + epsilon)
            }
          },
        })
      }),
    )
  })

  it('gives a guild no more for being many (P11)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), cost, cost, (members, ofMany, ofOne) => {
        const turns = (k: number): string[] => {
          const order: string[] = []
          const jobs = Array.from({ length: 40 }, (_, job) => [
            newJob('many', 256, 0, {
              member: `m${job % k}`,
              trueMicros: ofMany,
              estimateMicros: 5,
            }),
            newJob('one', 256, 0, { trueMicros: ofOne, estimateMicros: 5 }),
          ]).flat()
          simulate(new Fair({ capacity: 1 }), jobs, [1], 1e9, {
            onStart: ({ guild }) => order.push(guild),
          })
          return order
        }
        assert.deepEqual(turns(members), turns(1))
      }),
    )
  })

  it('preempts no job more than four times, and finishes all that it began (P19)', () => {
    const arrival = fc.record({
      at: fc.nat(60_000_000),
      side: fc.constantFrom(256, 512, 1024, 2048),
      guild: fc.nat(6),
    })
    fc.assert(
      fc.property(fc.array(arrival, { minLength: 5, maxLength: 60 }), (arrivals) => {
        const jobs = arrivals.map(({ at, side, guild }) => newJob(nameOf(guild), side, at))
        const fair = new Fair({ capacity: 1 })
        const { served, mostPreemptions, busyMicros } = simulateSteps(fair, jobs, 1e10)

        assert.ok(mostPreemptions <= 4)
        assert.equal(served.length, jobs.length)
        assert.equal(
          busyMicros,
          jobs.reduce((sum, { trueMicros }) => sum + trueMicros, 0),
        )
        fair.queue.check()
      }),
    )
  })
})
