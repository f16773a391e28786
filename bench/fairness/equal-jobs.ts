/** Scenario K: preemption must not turn into taking turns, which makes everybody late. */
import { mean } from './measure.ts'
import { Fair } from './policy.ts'
import { type Scenario, atMost } from './scenario.ts'
import { simulateSteps } from './stepwise.ts'
import { costMicros, newJob } from './workload.ts'

const guilds = 200

export const equalJobs: Scenario = {
  name: 'K',
  what: '200 guilds with one job of 1024 x 1024 each, all at once, 1 device',
  figures: [atMost('mean latency, as part of that without preemption', 1.01, 'every seed')],
  run: () => {
    const jobs = Array.from({ length: guilds }, (_, guild) => newJob(`guild-${guild}`, 1024, 0))
    const { served } = simulateSteps(new Fair({ capacity: 1 }), jobs, 1e9)
    if (served.length < guilds) throw new Error('internal: not all jobs were served')
    const oneAfterTheOther = (costMicros(1024) * (guilds + 1)) / 2
    return [mean(served.map(({ endMicros }) => endMicros)) / oneAfterTheOther]
  },
  mostSeeds: 1,
}
