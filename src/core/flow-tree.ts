/**
 * The tree of flows of the fair queue, lane -> guild -> member: who is in it, at what weight, and
 * how each stands with its server. A guild or member may be in several lanes, but has one weight and
 * one count of jobs in flight, which its caps are held against.
 */
import { type Account, FairServer, Flow, ticksAtWeight } from './fair-server.ts'
import type { ServerTags, Standing, WaitingJob } from './fair-server.ts'
import { Fifo } from './fifo.ts'
import type { Lane, QueuedJob } from './queued-job.ts'

/** What the queue has to keep to besides fairness. */
export type FairQueueLimits = {
  /** How many reference devices there are, by speed: two at half speed are one. Above 0. */
  readonly capacity: number
  /** From so many jobs in flight on, a guild is served only when no other of its lane can be. */
  readonly guildInFlight?: number
  /** A member never has more jobs in flight than this. */
  readonly memberInFlight?: number
  /** The same for members of guilds in which it is another number. */
  readonly memberInFlightOf?: ReadonlyMap<string, number>
}

/** A weight other than 1, of a member or (without one) of a guild. */
export type Weight = { readonly guild: string; readonly member?: string; readonly weight: number }

type GuildAccount = Account & { readonly members: Map<string, Account> }

const laneNames: readonly Lane[] = ['fast', 'relax', 'moderator']
const laneWeights: Readonly<Record<Lane, number>> = { fast: 9, relax: 1, moderator: 1 }

/** Who shares the devices. */
export class FlowTree {
  limits: FairQueueLimits
  /** Shared by the lanes that everybody uses. */
  readonly open = new FairServer()
  /** The moderators' lane alone: its jobs go before the open lanes'. */
  readonly strict = new FairServer()
  readonly lanes: Readonly<Record<Lane, Flow>> = {
    fast: new Flow('fast', this.open, account(laneWeights.fast)),
    relax: new Flow('relax', this.open, account(laneWeights.relax)),
    moderator: new Flow('moderator', this.strict, account(laneWeights.moderator)),
  }
  readonly #guilds = new Map<string, GuildAccount>()

  constructor(limits: FairQueueLimits) {
    this.limits = limits
  }

  /** The flow of the member that a job is of, made if there is none; it is not placed yet. */
  flowOf({ lane, guild, member }: QueuedJob): Flow {
    const guildAccount = this.#guildAccount(guild)
    const memberAccount = this.#memberAccount(guildAccount, member)
    const guildFlow = childOf(this.lanes[lane], guild, guildAccount)
    return childOf(guildFlow, member, memberAccount, true)
  }

  /** A job more (or less) of a guild and a member, waiting or in flight. */
  countJob({ guild, member }: QueuedJob, change: 1 | -1): void {
    const guildAccount = this.#guildAccount(guild)
    const memberAccount = this.#memberAccount(guildAccount, member)
    guildAccount.jobs += change
    memberAccount.jobs += change
    if (isForgettable(memberAccount)) guildAccount.members.delete(member)
    if (isForgettable(guildAccount) && guildAccount.members.size === 0) this.#guilds.delete(guild)
  }

  /** Places a member's flow, its guild's and its lane's anew, after anything about them changed. */
  refresh(member: Flow): void {
    for (const flow of path(member)) {
      const standing = this.standingOf(flow)
      flow.server.place(flow, standing)
      if (standing === 'idle') flow.inner?.endBusyPeriod()
    }
    const { fast, relax } = this.lanes
    if (fast.standing === 'idle' && relax.standing === 'idle') this.open.endBusyPeriod()
  }

  /** The same in every lane: jobs in flight count for the caps in all of them. */
  refreshLanes({ flow, job }: WaitingJob): void {
    const { guildInFlight, memberInFlight, memberInFlightOf } = this.limits
    if ((guildInFlight ?? memberInFlight ?? memberInFlightOf) === undefined) {
      this.refresh(flow)
      return
    }
    for (const lane of laneNames) {
      const guild = this.lanes[lane].inner!.flows.get(job.guild)
      const members = guild?.inner?.flows
      // Any member will do to have its guild placed anew.
      const member = members?.get(job.member) ?? members?.values().next().value
      if (member !== undefined) this.refresh(member)
    }
  }

  /** Places every flow anew. O(n log n): for the rare change that concerns all. */
  refreshEverything(): void {
    for (const lane of laneNames) {
      for (const member of this.membersOf(this.lanes[lane])) this.refresh(member)
    }
  }

  /** The flows of all members in a lane. */
  membersOf(lane: Flow): Flow[] {
    return children(lane).flatMap(children)
  }

  /** How a flow stands with its server, judged from its jobs, its own flows and the caps. */
  standingOf(flow: Flow): Standing {
    const { guildInFlight = Infinity, memberInFlight = Infinity, memberInFlightOf } = this.limits
    if (flow.queuedJobs === 0) return flow.inFlight === 0 ? 'idle' : 'held'
    if (flow.inner === undefined) {
      const most = memberInFlightOf?.get(flow.parent!.id) ?? memberInFlight
      return flow.account.inFlight < most ? 'waiting' : 'held'
    }
    if (flow.inner.waiting.size === 0) return 'held'
    const isLane = flow.parent === undefined
    return isLane || flow.account.inFlight < guildInFlight ? 'waiting' : 'over-cap'
  }

  /** Sets a guild's weight, or a member's within its guild; for what is charged from now on. */
  setWeight({ guild, member, weight }: Weight): void {
    ticksAtWeight(weight)
    const guildAccount = this.#guildAccount(guild)
    const changed = member === undefined ? guildAccount : this.#memberAccount(guildAccount, member)
    changed.weight = weight
    if (member !== undefined && isForgettable(changed)) guildAccount.members.delete(member)
    if (isForgettable(guildAccount) && guildAccount.members.size === 0) this.#guilds.delete(guild)
  }

  /** All weights other than 1. */
  weights(): Weight[] {
    return [...this.#guilds].flatMap(([guild, { weight, members }]) => [
      ...(weight === 1 ? [] : [{ guild, weight }]),
      ...[...members]
        .filter(([, { weight: ofMember }]) => ofMember !== 1)
        .map(([member, { weight: ofMember }]) => ({ guild, member, weight: ofMember })),
    ])
  }

  /** Makes the flows of a snapshot, with its tags, still without jobs and places. */
  adopt({ open, strict }: { open: ServerTags; strict: ServerTags }): ReadonlySet<Flow> {
    const known = new Set<Flow>()
    const adoptServer = (server: FairServer, tags: ServerTags): void => {
      server.adopt(tags)
      for (const { id, start, floor, sequence, flows } of tags.flows) {
        const flow =
          server.owner === undefined
            ? Object.values(this.lanes).find((lane) => lane.id === id)
            : childOf(server.owner, id, account(1), flows === undefined)
        if (flow === undefined) throw new Error(`internal: a snapshot has an unknown lane ${id}`)
        Object.assign(flow, { start, floor, sequence })
        known.add(flow)
        if (flows !== undefined) adoptServer(flow.inner!, flows)
      }
    }
    adoptServer(this.open, open)
    adoptServer(this.strict, strict)
    return known
  }

  /** Places all flows once their jobs are there; the known ones with the tags that they have. */
  resume(known: ReadonlySet<Flow>): void {
    const resumeFlow = (flow: Flow): void => {
      for (const child of children(flow)) resumeFlow(child)
      const standing = this.standingOf(flow)
      if (known.has(flow)) flow.server.resume(flow, standing)
      else flow.server.place(flow, standing)
      if (standing === 'idle') flow.inner?.endBusyPeriod()
    }
    for (const lane of laneNames) resumeFlow(this.lanes[lane])
  }

  /** Throws unless every flow is where it belongs and its counts are its children's; for tests. */
  check(): void {
    this.open.check()
    this.strict.check()
    const checkFlow = (flow: Flow): void => {
      const inner = children(flow)
      const queuedJobs = inner.reduce((sum, child) => sum + child.queuedJobs, 0)
      const inFlight = inner.reduce((sum, child) => sum + child.inFlight, 0)
      const agrees = queuedJobs === flow.queuedJobs && inFlight === flow.inFlight
      if (flow.standing !== this.standingOf(flow) || (flow.inner !== undefined && !agrees)) {
        throw new Error(`internal: flow ${flow.id} does not agree with what is in it`)
      }
      for (const child of inner) checkFlow(child)
    }
    for (const lane of laneNames) checkFlow(this.lanes[lane])
    for (const guild of this.#guilds.values()) {
      const isKept = !isForgettable(guild) || guild.members.size > 0
      if (!isKept || [...guild.members.values()].some(isForgettable)) {
        throw new Error('internal: an account is kept of which nothing is to be remembered')
      }
    }
  }

  #guildAccount(id: string): GuildAccount {
    let found = this.#guilds.get(id)
    if (found === undefined) {
      found = { ...account(1), members: new Map() }
      this.#guilds.set(id, found)
    }
    return found
  }

  #memberAccount({ members }: GuildAccount, id: string): Account {
    let found = members.get(id)
    if (found === undefined) {
      found = account(1)
      members.set(id, found)
    }
    return found
  }
}

/** A member's flow, its guild's and its lane's. */
export function path(member: Flow): Flow[] {
  const flows: Flow[] = []
  for (let flow: Flow | undefined = member; flow !== undefined; flow = flow.parent) flows.push(flow)
  return flows
}

/**
 * The member's flow that is first in order, level by level, and whose next job `isWanted`. With a
 * window, only flows below their cap are looked at, no more than `window` ticks after the least tag,
 * and no more than `most` of them at a level.
 */
export function firstMember(
  server: FairServer,
  isWanted: (job: QueuedJob) => boolean,
  window = Infinity,
  most = Infinity,
): Flow | undefined {
  let found: Flow | undefined
  const last = (server.waiting.first?.tag ?? 0) + window
  const isBeyond = (flow: Flow): boolean => flow.standing === 'over-cap' || flow.tag > last
  const leadsToWanted = (flow: Flow): boolean => {
    if (flow.inner !== undefined) found = firstMember(flow.inner, isWanted, window, most)
    else found = isWanted(flow.jobs!.first!.job) ? flow : undefined
    return found !== undefined
  }
  server.waiting.firstWhere(leadsToWanted, window === Infinity ? undefined : isBeyond, most)
  return found
}

/** Whether the first of two waiting or running members' flows would be served before the other. */
export function isServedBefore(one: Flow, other: Flow): boolean {
  const [path1, path2] = [path(one).toReversed(), path(other).toReversed()]
  const parting = path1.findIndex((flow, level) => flow !== path2[level])
  const [flow1, flow2] = [path1[parting], path2[parting]]
  if (flow1 === undefined || flow2 === undefined || flow1.server !== flow2.server) return false
  return flow1.tag <= flow2.tag
}

function account(weight: number): Account {
  return { weight, inFlight: 0, jobs: 0 }
}

function isForgettable({ jobs, weight }: Account): boolean {
  return jobs === 0 && weight === 1
}

function children(flow: Flow): Flow[] {
  return [...(flow.inner?.flows.values() ?? [])]
}

function childOf(parent: Flow, id: string, ofChild: Account, isMember = false): Flow {
  const server = parent.inner!
  const found = server.flows.get(id)
  if (found === undefined) {
    const made = new Flow(id, server, ofChild, isMember ? new Fifo() : undefined)
    server.admit(made)
    return made
  }
  found.account = ofChild
  return found
}
