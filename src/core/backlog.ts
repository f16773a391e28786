/**
 * Pictures of the fair queue as plain data: the whole backlog for whoever tells waiting times, and
 * what is ahead of one job. Virtual times are in microseconds at weight 1.
 */
import type { FairQueue } from './fair-queue.ts'
import { type Flow, ticksAtWeight, ticksPerMicro } from './fair-server.ts'
import type { Lane, QueuedJob } from './queued-job.ts'

/** A guild that waits, in one lane. */
export type GuildBacklog = {
  /** The virtual time at which its next job starts. */
  readonly startMicros: number
  readonly weight: number
  readonly queuedMicros: number
}

/** A lane: how far it is, how much of the devices it has, and which guilds wait in it. */
export type LaneBacklog = {
  /** Never decreases while anybody is in the lane. */
  readonly virtualMicros: number
  /** Part of the devices that the lane has as things are now: 0 to 1. */
  readonly share: number
  readonly guilds: readonly GuildBacklog[]
}

/** What a job has ahead of it. */
export type Place = {
  readonly lane: Lane
  /** The virtual time of the lane at which the job would start. */
  readonly startMicros: number
  /** Of its own guild, before it in the order of now. */
  readonly jobsAhead: number
  readonly picturesAhead: number
  readonly microsAhead: number
  /** Other guilds that wait in its lane. */
  readonly otherGuilds: number
}

/** How a lane is. */
export function laneBacklog(queue: FairQueue, lane: Lane): LaneBacklog {
  const flow = queue.lanes[lane]
  const server = flow.inner!
  const waiting = [...server.waiting]
  const rivals = [...flow.server.waiting].filter((each) => each !== flow)
  const rivalWeight = rivals.reduce((sum, { account }) => sum + account.weight, 0)
  const { weight } = flow.account
  return {
    virtualMicros: micros(server.rebased + server.virtualTime),
    share: weight / (weight + rivalWeight),
    guilds: waiting.map((guild) => ({
      startMicros: micros(server.rebased + guild.tag),
      weight: guild.account.weight,
      queuedMicros: guild.queuedMicros,
    })),
  }
}

/** The place of a waiting job; none: it does not wait. O(jobs of its guild that are ahead). */
export function placeOf(queue: FairQueue, id: string): Place | undefined {
  const waiting = queue.waiting(id)
  return waiting && place(queue, waiting.job, waiting.flow)
}

/** The place that a new job of a member would get. */
export function placeOfNext(
  queue: FairQueue,
  job: Pick<QueuedJob, 'lane' | 'guild' | 'member'>,
): Place {
  const guild = queue.lanes[job.lane].inner!.flows.get(job.guild)
  return place(queue, job, guild?.inner?.flows.get(job.member))
}

function place(
  queue: FairQueue,
  { lane, guild: guildId, id }: Pick<QueuedJob, 'lane' | 'guild'> & { readonly id?: string },
  member: Flow | undefined,
): Place {
  const { inner } = queue.lanes[lane]
  const guild = inner!.flows.get(guildId)
  const ahead = { jobsAhead: 0, picturesAhead: 0, microsAhead: 0 }
  const pass = (job: QueuedJob): void => {
    ahead.jobsAhead++
    ahead.picturesAhead += job.pictures
    ahead.microsAhead += job.estimateMicros
  }

  for (const { job } of member?.jobs ?? []) {
    if (job.id === id) break
    pass(job)
  }
  const ownStart = member
    ? startOf(member) + ahead.microsAhead * rateOf(member)
    : (guild?.inner?.virtualTime ?? 0)
  // Of equal tags, who waits already comes before who does not, and who waits longer before others.
  const ownSequence = member && isWaiting(member) ? member.sequence : Infinity
  for (const other of guild?.inner?.flows.values() ?? []) {
    if (other === member) continue
    let tag = startOf(other)
    for (const { job } of other.jobs ?? []) {
      if (tag > ownStart || (tag === ownStart && other.sequence > ownSequence)) break
      pass(job)
      tag += job.estimateMicros * rateOf(other)
    }
  }

  const guildStart = guild ? startOf(guild) : inner!.virtualTime
  const guildRate = guild ? rateOf(guild) : ticksPerMicro
  const isGuildWaiting = guild !== undefined && inner!.waiting.has(guild)
  return {
    lane,
    startMicros: micros(inner!.rebased + guildStart + ahead.microsAhead * guildRate),
    ...ahead,
    otherGuilds: inner!.waiting.size - (isGuildWaiting ? 1 : 0),
  }
}

function isWaiting({ standing }: Flow): boolean {
  return standing === 'waiting' || standing === 'over-cap'
}

/** The tag that a flow has, or would have if it began to wait now. */
function startOf(flow: Flow): number {
  return isWaiting(flow) ? flow.tag : Math.max(flow.tag, flow.server.virtualTime)
}

function rateOf({ account }: Flow): number {
  return ticksAtWeight(account.weight)
}

function micros(ticks: number): number {
  return ticks / ticksPerMicro
}
