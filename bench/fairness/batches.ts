/**
 * Scenario L: batches of small pictures. How long a batch takes is an assumption: a launch floor
 * that is shared and work that is not, fitted to +26.7 % pictures at two 512 x 512 in a batch (Z-Image
 * Turbo on an H800, vLLM-Omni).
 */
import { batchShares } from '../../src/core/cost.ts'
import { Service } from './measure.ts'
import { Fair } from './policy.ts'
import { type Scenario, atLeast, atMost } from './scenario.ts'
import { Agenda } from './simulation.ts'
import { type Side, type SimulatedJob, backlog, costMicros, newJob } from './workload.ts'

const endMicros = 600e6
const windowMicros = 1e6
const sharedPart = 2 - 2 / 1.267
const guilds = Array.from({ length: 16 }, (_, guild) => `guild-${guild}`)

function batchMicros(jobs: readonly SimulatedJob[]): number {
  const sum = jobs.reduce((total, { trueMicros }) => total + trueMicros, 0)
  const largest = Math.max(...jobs.map(({ trueMicros }) => trueMicros))
  return Math.round(sum - sharedPart * (sum - largest))
}

/** Jobs served on one device, and the lag of what guilds were charged. */
function serve(sides: readonly Side[], mates: number): { served: number; lagMicros: number } {
  const fair = new Fair({ capacity: 1 })
  for (const [at, guild] of guilds.entries()) {
    for (const job of backlog(2000, () => newJob(guild, sides[at % sides.length]!, 0)))
      fair.add(job)
  }
  const service = new Service(new Map(guilds.map((guild) => [guild, 1])))
  const agenda = new Agenda()
  let served = 0
  const runNext = (): void => {
    const first = fair.next(agenda.nowMicros)
    if (first === undefined) throw new Error('internal: all guilds ran out of jobs')
    const most = first.side > 512 ? 0 : mates
    const others = fair.queue.dispatchMates(first.batchKey!, windowMicros, most)
    const jobs = [first, ...others.map(({ id }) => fair.job(id))]
    const takesMicros = batchMicros(jobs)
    agenda.plan(agenda.nowMicros + takesMicros, () => {
      const shares = batchShares(
        takesMicros,
        jobs.map(({ side }) => costMicros(side)),
      )
      for (const [at, job] of jobs.entries()) {
        fair.end(job, shares[at]!)
        service.add(job.guild, shares[at]!)
      }
      served += jobs.length
      runNext()
    })
  }
  runNext()
  agenda.runUntil(endMicros)
  return { served, lagMicros: service.lagMicros }
}

export const batches: Scenario = {
  name: 'L',
  what: '16 guilds, batches of up to 4 of 512 x 512 within a window of 1 s, 1 device',
  figures: [
    atLeast('all ask for 512: pictures, as part of those without batches', 1.2, 'every seed'),
    atMost('half ask for 1024: what the lag grows by, s', windowMicros / 1e6, 'every seed'),
  ],
  run: () => {
    const gain = serve([512], 3).served / serve([512], 0).served
    const growth = serve([512, 1024], 3).lagMicros - serve([512, 1024], 0).lagMicros
    return [gain, growth / 1e6]
  },
  mostSeeds: 1,
}
