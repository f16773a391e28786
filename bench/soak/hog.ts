/**
 * A guild with 500 jobs in the queue beside one whose member wants a picture every few seconds: how
 * long the one waits for the other, by the rows alone.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { median } from '../report.ts'
import { Asker, openDatabaseOf, type Wish } from './community.ts'
import { timedJobs } from './drawn.ts'
import { inHouse } from './house.ts'
import { atLeast, atMost, type Part, told } from './part.ts'
import { until } from './processes.ts'

const hogging = { name: 'hog', weight: 1 }
const light = { name: 'light', weight: 1 }
const large: Wish = { width: 256, height: 256, count: 2, evaluations: 8 }
const small: Wish = { width: 128, height: 128, count: 1, evaluations: 8 }
const everyMs = 3_000

/** Five hundred jobs beside one now and then. */
export const hog: Part = {
  name: 'hog',
  what: '500 jobs of one guild beside a job of another every 3 s, one worker process',
  run: async ({ isQuick }, say) => {
    const lightJobs = isQuick ? 3 : 15
    return inHouse(async (house) => {
      await house.start('bot')
      const database = await openDatabaseOf(house)
      const asker = new Asker(database)
      try {
        for (const community of [hogging, light]) await asker.found(community)
        for (let k = 0; k < 500; k++) await asker.ask(hogging, large)
        const worker = await house.start('worker')
        const drawn = (guild: string) => async () => {
          const jobs = await timedJobs(database, [guild])
          return jobs.filter(({ settledAtMs }) => settledAtMs !== undefined)
        }
        // What such a job takes is known after the first few.
        await until('the hog is being served', async () => (await drawn('hog')()).length >= 5)
        for (let k = 0; k < lightJobs; k++) {
          await asker.ask(light, small)
          await sleep(everyMs)
        }
        const answered = await until('every light job is drawn', async () => {
          const jobs = await drawn('light')()
          return jobs.length === lightJobs && jobs
        })
        const hogs = await drawn('hog')()
        await worker.kill()
        const hogSeconds = median(hogs.map(({ deviceMicros }) => deviceMicros / 1e6))
        const waits = answered.map(({ createdAtMs, startedAtMs = NaN }) => {
          return (startedAtMs - createdAtMs) / 1000
        })
        say(`waits: ${waits.map((seconds) => seconds.toFixed(2)).join(' ')} s`)
        return [
          atLeast('hog jobs that waited all the while', 500 - hogs.length, 400),
          told('a hog job takes, median, s', hogSeconds),
          atMost('wait of a light job, median, in hog jobs', median(waits) / hogSeconds, 2),
          told('wait of a light job, median, s', median(waits)),
          told('wait of a light job, longest, s', Math.max(...waits)),
        ]
      } finally {
        await asker.close()
      }
    })
  },
}
