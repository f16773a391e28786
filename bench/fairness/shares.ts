/** Scenarios C, D, E, F, H and I: shares and lags of guilds that all wait throughout. */
import { Service, lagBoundMicros } from './measure.ts'
import { Fair } from './policy.ts'
import { Random } from './random.ts'
import { type Scenario, atLeast, atMost, within } from './scenario.ts'
import { simulate } from './simulation.ts'
import { type SimulatedJob, backlog, costMicros, mixedSides, newJob } from './workload.ts'

type Contest = { readonly service: Service; readonly boundMicros: number }

/** Guilds, by weight, whose jobs are all there from the beginning and never run out. */
function contest(
  weights: ReadonlyMap<string, number>,
  make: (guild: string) => SimulatedJob,
  { seconds, devices = 1, jobsEach }: { seconds: number; devices?: number; jobsEach: number },
): Contest {
  const fair = new Fair({ capacity: devices })
  for (const [guild, weight] of weights) fair.queue.setWeight({ guild, weight })
  const guilds = [...weights.keys()]
  const jobs = guilds.flatMap((guild) => backlog(jobsEach, () => make(guild)))
  const service = new Service(weights)
  const { served } = simulate(fair, jobs, Array(devices).fill(1), seconds * 1e6, {
    onEnd: ({ guild, trueMicros }) => service.add(guild, trueMicros),
  })
  const perGuild = Map.groupBy(served, ({ job }) => job.guild)
  const least = Math.min(...guilds.map((guild) => jobsEach - (perGuild.get(guild)?.length ?? 0)))
  if (least <= devices) throw new Error('internal: a guild ran out of jobs')
  return { service, boundMicros: lagBoundMicros(jobs, weights) }
}

const equals = (...guilds: string[]): Map<string, number> => new Map(guilds.map((id) => [id, 1]))

export const weightedGuilds: Scenario = {
  name: 'C',
  what: 'weights 1 : 2 : 4, sizes mixed, 600 s, 1 device',
  figures: [
    atLeast("Jain's index of service by weight", 0.999, 'every seed'),
    atMost('error of any share', 0.01, 'every seed'),
    atMost('lag as part of its bound', 1, 'every seed'),
  ],
  run: (seed) => {
    const random = new Random(seed)
    const weights = new Map([
      ['one', 1],
      ['two', 2],
      ['four', 4],
    ])
    const make = (guild: string): SimulatedJob => newJob(guild, random.pick(mixedSides), 0)
    const { service, boundMicros } = contest(weights, make, { seconds: 600, jobsEach: 1500 })
    const errors = [...weights].map(([guild, weight]) =>
      Math.abs(service.share(guild) - weight / 7),
    )
    return [service.jain, Math.max(...errors), service.lagMicros / boundMicros]
  },
}

export const smallAgainstLarge: Scenario = {
  name: 'D',
  what: 'a guild that asks for 256 x 256 and one for 2048 x 2048, 1200 s, 1 device',
  figures: [
    within('share of the small pictures', 0.5, 0.01, 'every seed'),
    atMost('lag as part of its bound of 4.353 s', 1, 'every seed'),
  ],
  run: () => {
    const make = (guild: string): SimulatedJob => newJob(guild, guild === 'small' ? 256 : 2048, 0)
    const all = contest(equals('small', 'large'), make, { seconds: 1200, jobsEach: 4000 })
    return [all.service.share('small'), all.service.lagMicros / all.boundMicros]
  },
  mostSeeds: 1,
}

export const wrongEstimates: Scenario = {
  name: 'E',
  what: 'estimates a tenth of the cost for one of two guilds; estimates off by sigma 0.5; 1 device',
  figures: [
    within('a tenth: share of the guild thought cheap', 0.5, 0.005, 'every seed'),
    atMost('a tenth: lag as part of the bound by true costs', 1, 'every seed'),
    within('sigma 0.5: share of one guild', 0.5, 0.005, 'every seed'),
    atMost('sigma 0.5: lag as part of the bound by true costs', 1, 'every seed'),
  ],
  run: (seed) => {
    const random = new Random(seed)
    const length = { seconds: 1200, jobsEach: 2500 }
    const tenth = contest(
      equals('cheap', 'known'),
      (guild) => {
        const part = guild === 'cheap' ? 0.1 : 1
        return newJob(guild, 1024, 0, { estimateMicros: Math.round(costMicros(1024) * part) })
      },
      length,
    )
    const off = contest(
      equals('one', 'other'),
      (guild) => {
        const side = random.pick(mixedSides)
        const guess = costMicros(side) * Math.exp(0.5 * random.normal())
        return newJob(guild, side, 0, { estimateMicros: Math.round(guess) })
      },
      length,
    )
    return [
      tenth.service.share('cheap'),
      tenth.service.lagMicros / tenth.boundMicros,
      off.service.share('one'),
      off.service.lagMicros / off.boundMicros,
    ]
  },
}

export const manyMembers: Scenario = {
  name: 'F',
  what: 'a guild of 200 members that all ask, 20 guilds of one, 3000 s, 1 device',
  figures: [within('share of the guild of 200', 1 / 21, 0.02 / 21, 'every seed')],
  run: (seed) => {
    const random = new Random(seed)
    const guilds = Array.from({ length: 20 }, (_, guild) => `alone-${guild}`)
    let member = 0
    const make = (guild: string): SimulatedJob =>
      newJob(guild, random.pick(mixedSides.slice(0, 4)), 0, {
        member: guild === 'many' ? `member-${member++ % 200}` : 'only',
      })
    const weights = equals('many', ...guilds)
    const { service } = contest(weights, make, { seconds: 3000, jobsEach: 2000 })
    return [service.share('many')]
  },
}

const devicesOfH = [1, 2, 4, 8, 16, 32]

export const manyDevices: Scenario = {
  name: 'H',
  what: '1 to 32 devices m, 2 m + 2 guilds, sizes mixed, 300 s',
  figures: [
    atMost('largest lag as part of (m + 1) x bound', 1, 'every seed'),
    atMost('the same, of 8 devices and more', 0.5, 'every seed'),
  ],
  run: (seed) => {
    const random = new Random(seed)
    const parts = devicesOfH.map((devices) => {
      const guilds = Array.from({ length: 2 * devices + 2 }, (_, guild) => `guild-${guild}`)
      const make = (guild: string): SimulatedJob => newJob(guild, random.pick(mixedSides), 0)
      const length = { seconds: 300, devices, jobsEach: 600 }
      const { service, boundMicros } = contest(equals(...guilds), make, length)
      return service.lagMicros / (boundMicros * (devices + 1))
    })
    return [Math.max(...parts), Math.max(...parts.slice(devicesOfH.indexOf(8)))]
  },
}

export const onAndOff: Scenario = {
  name: 'I',
  what: 'a guild that sleeps and comes back with 40 jobs, beside one that always waits, 1 device',
  figures: [atMost('lag while both wait, as part of its bound', 1, 'every seed')],
  run: (seed) => {
    const random = new Random(seed)
    const steady = backlog(4000, () => newJob('steady', 1024, 0))
    const bursts = Array.from(
      { length: 20 },
      (_, burst) => (burst * 150 + random.next() * 60) * 1e6,
    )
    const jobs = [
      ...steady,
      ...bursts.flatMap((at) => backlog(40, () => newJob('burst', 1024, at))),
    ]
    const weights = equals('steady', 'burst')
    let waiting = 0
    let service = new Service(weights)
    let lagMicros = 0
    simulate(new Fair({ capacity: 1 }), jobs, [1], 3000e6, {
      onArrival: ({ guild }) => {
        if (guild === 'burst' && waiting++ === 0) service = new Service(weights)
      },
      onStart: ({ guild }) => {
        if (guild === 'burst') waiting--
      },
      onEnd: ({ guild, trueMicros }) => {
        if (waiting === 0) return
        service.add(guild, trueMicros)
        lagMicros = Math.max(lagMicros, service.lagMicros)
      },
    })
    return [lagMicros / lagBoundMicros(jobs, weights)]
  },
}
