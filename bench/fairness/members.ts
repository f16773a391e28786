/** Scenario G: members of one guild beside one of them who asks for everything at once. */
import { percentile } from './measure.ts'
import { Fair } from './policy.ts'
import { Random } from './random.ts'
import { type Scenario, atMost } from './scenario.ts'
import { simulate } from './simulation.ts'
import { backlog, newJob, poissonMicros } from './workload.ts'

const endMicros = 3000e6

export const greedyMember: Scenario = {
  name: 'G',
  what: 'a member with 10 000 jobs, 9 of the same guild who ask twice a minute, 1 device',
  figures: [
    atMost('wait of the nine, p50, s', 0.5, 'median'),
    atMost('wait of the nine, p99, s', 2.5, 'median'),
  ],
  run: (seed) => {
    const random = new Random(seed)
    const greedy = backlog(10_000, () => newJob('guild', 1024, 0, { member: 'greedy' }))
    const others = Array.from({ length: 9 }, (_, member) =>
      poissonMicros(random, 30e6, endMicros).map((at) =>
        newJob('guild', 1024, at, { member: `member-${member}` }),
      ),
    ).flat()
    const { served } = simulate(new Fair({ capacity: 1 }), [...greedy, ...others], [1], endMicros)
    const waits = served
      .filter(({ job }) => job.member !== 'greedy')
      .map(({ job, startMicros }) => (startMicros - job.arrivalMicros) / 1e6)
    return [percentile(waits, 0.5), percentile(waits, 0.99)]
  },
}
