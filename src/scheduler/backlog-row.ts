/**
 * What the leader tells all processes of the backlog about each second, as a row in `states`: who
 * waits and is served, how fast, and the places of the jobs whose turn is nearest. `eta.ts` makes
 * waiting times of it. Bounded, however much waits.
 */
import { z } from 'zod'
import { type LaneBacklog, laneBacklog, placeOf } from '../core/backlog.ts'
import { recorded, type SpeedHistory, virtualSpeed } from '../core/eta.ts'
import type { FairQueue } from '../core/fair-queue.ts'
import { type Flow, ticksPerMicro } from '../core/fair-server.ts'
import type { Lane, QueuedJob } from '../core/queued-job.ts'

/** Its name in `states`. */
export const backlogName = 'backlog'
/** Written at least so often, for all to see that somebody leads. */
export const backlogIntervalMs = 5_000

const mostGuilds = 2_000
const mostPlaces = 500

const lane = z.enum(['moderator', 'fast', 'relax'])
const count = z.number().nonnegative()

const guildLine = z.object({
  guild: z.string(),
  lane,
  weight: z.number().positive(),
  /** The virtual time at which its next job starts. */
  startMicros: z.number(),
  waitingJobs: count,
  waitingPictures: count,
  queuedMicros: count,
  runningJobs: count,
})

const laneSpeed = z.object({
  virtualMicros: z.number(),
  share: z.number().positive(),
  /** Of its virtual time; none while it is not known. */
  speed: z.number().optional(),
})

const backlogSchema = z.object({
  /** Devices that take new jobs. */
  devices: count,
  /** Of all of them, in reference devices. */
  capacity: count,
  /** Until a device is free. */
  residualMs: count,
  lanes: z.object({ fast: laneSpeed, relax: laneSpeed, moderator: laneSpeed }),
  /** Who waits or is served, first the one whose turn is next. */
  guilds: z.array(guildLine),
  /** Of the jobs whose turn is nearest in each guild; of the others, that of their guild tells. */
  places: z.record(
    z.string(),
    z.object({ lane, startMicros: z.number(), jobsAhead: count, picturesAhead: count }),
  ),
})

/** The row. */
export type Backlog = z.infer<typeof backlogSchema>

/** A guild in a lane. */
export type GuildLine = z.infer<typeof guildLine>

/** Reads what an earlier or later version may have written. */
export const backlogRow: z.ZodType<Backlog> = backlogSchema

/** How the lanes' virtual times have gone. */
export type Histories = Readonly<Record<Lane, SpeedHistory>>

/** Histories of lanes that have not been looked at. */
export const noHistories: Histories = { fast: [], relax: [], moderator: [] }

/** The histories with what the lanes are now. */
export function recordedLanes(queue: FairQueue, histories: Histories, nowMs: number): Histories {
  const next = (name: Lane): SpeedHistory =>
    recorded(histories[name], laneBacklog(queue, name), nowMs)
  return { fast: next('fast'), relax: next('relax'), moderator: next('moderator') }
}

/** The backlog as it is. */
export function backlogOf(
  queue: FairQueue,
  histories: Histories,
  devices: Pick<Backlog, 'devices' | 'capacity' | 'residualMs'>,
): Backlog {
  const speedOf = (name: Lane): z.infer<typeof laneSpeed> => {
    const { virtualMicros, share } = laneBacklog(queue, name)
    const speed = virtualSpeed(histories[name])
    return { virtualMicros, share, ...(speed !== undefined && { speed }) }
  }
  const guilds = guildLines(queue)
  return {
    ...devices,
    lanes: { fast: speedOf('fast'), relax: speedOf('relax'), moderator: speedOf('moderator') },
    guilds: guilds.slice(0, mostGuilds),
    places: placesIn(queue, guilds),
  }
}

/** A lane as waiting times are computed from it. */
export function laneOf({ lanes, guilds }: Backlog, name: Lane): LaneBacklog {
  const waiting = guilds.filter((each) => each.lane === name && each.waitingJobs > 0)
  return { ...lanes[name], guilds: waiting }
}

/** Moderators first, then the lane whose turn it is; in each, those first whose turn is next. */
function guildLines({ lanes }: FairQueue): GuildLine[] {
  const { moderator, fast, relax } = lanes
  const open = fast.tag <= relax.tag ? [fast, relax] : [relax, fast]
  return [moderator, ...open].flatMap((flow) => {
    const name = lane.parse(flow.id)
    const guilds = [...flow.inner!.flows.values()]
    const present = guilds.filter(({ queuedJobs, inFlight }) => queuedJobs + inFlight > 0)
    return present.toSorted(byTurn).map((guild) => lineOf(guild, name))
  })
}

function byTurn(one: Flow, other: Flow): number {
  const waits = ({ queuedJobs }: Flow): number => (queuedJobs > 0 ? 0 : 1)
  return waits(one) - waits(other) || one.tag - other.tag || one.sequence - other.sequence
}

function lineOf(guild: Flow, name: Lane): GuildLine {
  const members = [...guild.inner!.flows.values()]
  const { rebased, waiting, virtualTime } = guild.server
  const start = waiting.has(guild) ? guild.tag : Math.max(guild.tag, virtualTime)
  return {
    guild: guild.id,
    lane: name,
    weight: guild.account.weight,
    startMicros: (rebased + start) / ticksPerMicro,
    waitingJobs: guild.queuedJobs,
    waitingPictures: members.flatMap(linedUp).reduce((sum, { pictures }) => sum + pictures, 0),
    queuedMicros: guild.queuedMicros,
    runningJobs: guild.inFlight,
  }
}

/** Places of the jobs that are nearest to their turn, guilds with few of them first. */
function placesIn(queue: FairQueue, guilds: readonly GuildLine[]): Backlog['places'] {
  const places: Backlog['places'] = {}
  const waiting = guilds.filter(({ waitingJobs }) => waitingJobs > 0).slice(0, mostPlaces)
  let left = mostPlaces
  for (const [k, line] of waiting.toSorted((a, b) => a.waitingJobs - b.waitingJobs).entries()) {
    const nearest = nearestJobs(queue, line, Math.floor(left / (waiting.length - k)))
    left -= nearest.length
    for (const { id } of nearest) {
      const { startMicros, jobsAhead, picturesAhead } = placeOf(queue, id)!
      places[id] = { lane: line.lane, startMicros, jobsAhead, picturesAhead }
    }
  }
  return places
}

/** At most so many jobs of a guild, as many of each member. */
function nearestJobs(queue: FairQueue, line: GuildLine, most: number): QueuedJob[] {
  const guild = queue.lanes[line.lane].inner!.flows.get(line.guild)
  const members = [...guild!.inner!.flows.values()].filter(({ queuedJobs }) => queuedJobs > 0)
  const ofEach = line.waitingJobs <= most ? Infinity : Math.ceil(most / members.length)
  return members.flatMap((member) => linedUp(member).slice(0, ofEach)).slice(0, most)
}

function linedUp({ jobs }: Flow): QueuedJob[] {
  return Array.from(jobs ?? [], ({ job }) => job)
}
