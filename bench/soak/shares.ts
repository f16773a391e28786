/**
 * Three guilds that always want more than there is, at weights 1, 2 and 4, and one worker that draws
 * for them: what each has of the device, by the rows alone. Before that a few pictures are drawn for
 * somebody else, so that what they cost is known, and the worker starts when everybody waits.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../src/store/prisma.ts'
import { Service } from '../fairness/measure.ts'
import { Random } from '../fairness/random.ts'
import { Asker, type Community, openDatabaseOf, type Wish } from './community.ts'
import { mostAtOnce, type Timed, timedJobs } from './drawn.ts'
import { type House, inHouse } from './house.ts'
import { atLeast, atMost, type Figure, type Part, told, within } from './part.ts'
import { until } from './processes.ts'

const communities: readonly Community[] = [
  { name: 'one', weight: 1 },
  { name: 'two', weight: 2 },
  { name: 'four', weight: 4 },
]
const stranger: Community = { name: 'warm-up', weight: 1 }
const warmUps = 24
const members = ['a', 'b', 'c']
/** Of time on a device of the class of the built-in model, for its window of mates: see T5. */
const batchWindowMicros = 1_000_000

/** Guilds at weights 1, 2 and 4 before one worker. */
export const shares: Part = {
  name: 'shares',
  what: 'guilds of weights 1 : 2 : 4 that always wait, one worker process, the built-in model',
  run: async ({ isQuick }, say) => {
    const seconds = isQuick ? 10 : 75
    return inHouse(async (house) => {
      await house.start('bot')
      const database = await openDatabaseOf(house)
      const asker = new Asker(database)
      try {
        const random = new Random(1)
        const meanMicros = await warmedUp(house, database, asker, random)
        say(`a job takes ${(meanMicros / 1e6).toFixed(2)} s on the device`)
        for (const community of communities) {
          const count = Math.ceil((1.5 * seconds * 1e6 * community.weight) / 7 / meanMicros) + 8
          await asker.found(community)
          for (let k = 0; k < count; k++) {
            await asker.ask(community, wishBy(random), members[k % members.length])
          }
          say(`${community.name}: ${count} jobs wait`)
        }
        const worker = await house.start('worker')
        await sleep(seconds * 1000)
        const jobs = await timedJobs(
          database,
          communities.map(({ name }) => name),
        )
        await worker.kill()
        return figuresOf(jobs)
      } finally {
        await asker.close()
      }
    })
  },
}

/** Small pictures of all kinds, some of which may be drawn side by side. */
function wishBy(random: Random): Wish {
  const one = <Choice>(choices: readonly Choice[]): Choice =>
    choices[Math.floor(random.next() * choices.length)]!
  const side = one([64, 96, 128])
  return { width: side, height: side, count: one([1, 1, 2]), evaluations: one([4, 8, 12]) }
}

/** Has some pictures drawn. @returns what they took on the device, on average */
async function warmedUp(
  house: House,
  database: Database,
  asker: Asker,
  random: Random,
): Promise<number> {
  await asker.found(stranger)
  const worker = await house.start('worker')
  for (let k = 0; k < warmUps; k++) await asker.ask(stranger, wishBy(random))
  const jobs = await until('the first pictures are drawn', async () => {
    const timed = await timedJobs(database, [stranger.name])
    return timed.every(({ settledAtMs }) => settledAtMs !== undefined) && timed
  })
  // The worker learns every few seconds what its time is worth.
  await worker.stop()
  return jobs.reduce((sum, { deviceMicros }) => sum + deviceMicros, 0) / jobs.length
}

function figuresOf(jobs: readonly Timed[]): Figure[] {
  const weights = new Map(communities.map(({ name, weight }) => [name, weight]))
  const drawn = jobs
    .filter(({ settledAtMs }) => settledAtMs !== undefined)
    .toSorted((a, b) => a.settledAtMs! - b.settledAtMs!)
  const fromMs = Math.min(...drawn.map(({ startedAtMs = Infinity }) => startedAtMs))
  // Nobody who has run out of wishes counts as waiting.
  const untilMs = Math.min(
    drawn.at(-1)?.settledAtMs ?? 0,
    ...communities.map(({ name }) => lastOf(jobs, name)),
  )
  const counted = drawn.filter(({ settledAtMs }) => settledAtMs! <= untilMs)
  const service = new Service(weights)
  for (const { guild, deviceMicros } of counted) service.add(guild, deviceMicros)
  const backlogMs = untilMs - fromMs
  const busyMicros = counted.reduce((sum, { deviceMicros }) => sum + deviceMicros, 0)
  const held = mostAtOnce(jobs)
  const largest = new Map(
    communities.map(({ name, weight }) => {
      const micros = counted.filter(({ guild }) => guild === name).map((job) => job.deviceMicros)
      return [name, Math.max(...micros) / weight]
    }),
  )
  const lags = service.lags.map(({ pair, lagMicros }) => {
    const onceMicros = pair.reduce((sum, name) => sum + largest.get(name)!, 0)
    return { lagMicros, boundMicros: onceMicros * (held + 1) + batchWindowMicros, onceMicros }
  })
  const worst = lags.toSorted((a, b) => b.lagMicros - a.lagMicros)[0]!
  return [
    ...communities.map(({ name, weight }) =>
      within(`share of weight ${weight}`, service.share(name), weight / 7, 0.02),
    ),
    atMost('largest lag as part of its bound', worst.lagMicros / worst.boundMicros, 1),
    told('largest lag, s', worst.lagMicros / 1e6),
    told('the bound for one device at a time (T1), s', worst.onceMicros / 1e6),
    told('jobs at the device at once, at most', held),
    atLeast('everybody waited for, s', backlogMs / 1000, 60),
    told('jobs drawn meanwhile', counted.length),
    told('part of that time in which the device drew', busyMicros / 1000 / backlogMs),
  ]
}

/** When a guild's last wish was handed out; never, as long as one waits. */
function lastOf(jobs: readonly Timed[], name: string): number {
  const times = jobs.filter(({ guild }) => guild === name)
  return Math.max(...times.map(({ dispatchedAtMs = Infinity }) => dispatchedAtMs))
}
