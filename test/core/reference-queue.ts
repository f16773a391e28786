/**
 * The fair queue again, as its rules are told and with no thought of speed: nothing is forgotten,
 * nothing is in a heap, all standings are looked at after every change, and all flows are sorted
 * for every pick. Tags are exact fractions: a BigInt over 5040.
 */
import type { FairQueueLimits } from '../../src/core/flow-tree.ts'
import type { QueuedJob } from '../../src/core/queued-job.ts'

type Node = {
  readonly id: string
  readonly level: 'root' | 'lane' | 'guild' | 'member'
  readonly parent: Node | undefined
  readonly children: Map<string, Node>
  readonly queue: QueuedJob[]
  start: bigint
  floor: bigint
  virtualTime: bigint
  joined: number
  joins: number
  rank: number
}

type Running = {
  readonly job: QueuedJob
  readonly member: Node
  readonly weights: readonly bigint[]
  readonly isRationed: boolean
  charged: number
}

const one = 5040n
const [waiting, overCap, held, idle] = [0, 1, 2, 3]
const laneWeight: Readonly<Record<string, number>> = { fast: 9, relax: 1, moderator: 1 }

export class ReferenceQueue {
  readonly #limits: FairQueueLimits
  readonly #open = node('open', 'root')
  readonly #strict = node('strict', 'root')
  readonly #weights = new Map<string, number>()
  readonly #running = new Map<string, Running>()
  #tokens: number
  #atMs = 0

  constructor(limits: FairQueueLimits) {
    this.#limits = limits
    this.#tokens = this.#burst
    for (const lane of ['fast', 'relax']) child(this.#open, lane, 'lane')
  }

  enqueue(job: QueuedJob): void {
    const root = job.lane === 'moderator' ? this.#strict : this.#open
    const lane = child(root, job.lane, 'lane')
    child(child(lane, job.guild, 'guild'), job.member, 'member').queue.push(job)
    this.#look()
  }

  setWeight(guild: string, member: string | undefined, weight: number): void {
    this.#weights.set(member === undefined ? guild : `${guild} ${member}`, weight)
  }

  dispatch(nowMs: number, accepts: (job: QueuedJob) => boolean): QueuedJob | undefined {
    const moderator = this.#first(this.#strict, accepts)
    if (moderator !== undefined) {
      this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs)
      this.#atMs = nowMs
      if (this.#tokens > 0) return this.#start(moderator, true)
    }
    const member = this.#first(this.#open, accepts) ?? moderator
    return member && this.#start(member, false)
  }

  dispatchMate(batchKey: string, windowMicros: number): QueuedJob | undefined {
    const isMate = (job: QueuedJob): boolean => job.batchKey === batchKey
    const member = this.#first(this.#open, isMate, BigInt(windowMicros) * one)
    return member && this.#start(member, false)
  }

  settle(id: string, micros: number): void {
    this.charge(id, micros)
    this.#running.delete(id)
    this.#look()
  }

  charge(id: string, micros: number): void {
    const running = this.#running.get(id)!
    for (const [level, each] of path(running.member).entries()) {
      each.start += (BigInt(micros - running.charged) * one) / running.weights[level]!
    }
    if (running.isRationed) this.#tokens -= micros - running.charged
    running.charged = micros
  }

  returnToHead(id: string): void {
    const { job, member } = this.#running.get(id)!
    this.charge(id, 0)
    this.#running.delete(id)
    member.queue.unshift(job)
    this.#look()
  }

  cancel(id: string): void {
    for (const each of this.#all()) {
      const at = each.queue.findIndex((job) => job.id === id)
      if (at >= 0) each.queue.splice(at, 1)
    }
    this.#look()
  }

  get #perMs(): number {
    return 1000 * 0.05 * this.#limits.capacity
  }

  get #burst(): number {
    return this.#perMs * 60_000
  }

  #all(): Node[] {
    return [this.#open, this.#strict].flatMap(descendants)
  }

  #start(member: Node, isRationed: boolean): QueuedJob {
    const job = member.queue.shift()!
    const weights = path(member).map((each) => BigInt(this.#weight(each)))
    for (const [level, each] of path(member).entries()) {
      const server = each.parent!
      if (tag(each) > server.virtualTime) server.virtualTime = tag(each)
      each.start = tag(each) + (BigInt(job.estimateMicros) * one) / weights[level]!
    }
    if (isRationed) this.#tokens -= job.estimateMicros
    this.#running.set(job.id, { job, member, weights, isRationed, charged: job.estimateMicros })
    this.#look()
    return job
  }

  #first(server: Node, accepts: (job: QueuedJob) => boolean, window?: bigint): Node | undefined {
    const inOrder = [...server.children.values()]
      .filter(({ rank }) => rank <= overCap)
      .toSorted((a, b) => a.rank - b.rank || Number(tag(a) - tag(b)) || a.joined - b.joined)
    const least = inOrder[0] === undefined ? 0n : tag(inOrder[0])
    for (const each of inOrder) {
      if (window !== undefined && (each.rank === overCap || tag(each) > least + window)) break
      const [head] = each.queue
      const isFit = head !== undefined && accepts(head)
      const found =
        each.level === 'member' ? (isFit ? each : undefined) : this.#first(each, accepts, window)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Looks at how all stand, from the members up; who begins to wait joins at V. */
  #look(): void {
    for (const each of this.#all()) {
      const rank = this.#rank(each)
      if (rank < each.rank && rank !== held && each.parent !== undefined) {
        each.floor = each.parent.virtualTime
        each.joined = each.parent.joins++
      }
      each.rank = rank
      if (rank !== idle) continue
      for (const inner of each.children.values()) {
        if (tag(inner) > each.virtualTime) each.virtualTime = tag(inner)
      }
    }
  }

  #rank(each: Node): number {
    const { guildInFlight = Infinity, memberInFlight = Infinity } = this.#limits
    const below = descendants(each)
    const inFlight = [...this.#running.values()]
    if (below.every(({ queue }) => queue.length === 0)) {
      return inFlight.some(({ member }) => below.includes(member)) ? held : idle
    }
    const [member, guild] = path(each)
    if (each.level === 'member') {
      const own = inFlight.filter(({ job }) => job.guild === guild!.id && job.member === member!.id)
      return own.length < memberInFlight ? waiting : held
    }
    if ([...each.children.values()].every(({ rank }) => rank > overCap)) return held
    const own = inFlight.filter(({ job }) => job.guild === each.id)
    return each.level === 'guild' && own.length >= guildInFlight ? overCap : waiting
  }

  #weight({ id, level, parent }: Node): number {
    if (level === 'lane') return laneWeight[id]!
    return this.#weights.get(level === 'member' ? `${parent!.id} ${id}` : id) ?? 1
  }
}

function node(id: string, level: Node['level'], parent?: Node): Node {
  const tags = { start: 0n, floor: 0n, virtualTime: 0n, joined: 0, joins: 0, rank: idle }
  return { id, level, parent, children: new Map(), queue: [], ...tags }
}

function child(parent: Node, id: string, level: Node['level']): Node {
  const found = parent.children.get(id) ?? node(id, level, parent)
  parent.children.set(id, found)
  return found
}

function tag({ start, floor }: Node): bigint {
  return start > floor ? start : floor
}

/** A node's flows up to its lane; roots are no flows. */
function path(from: Node): Node[] {
  const nodes: Node[] = []
  for (let at = from; at.parent !== undefined; at = at.parent) nodes.push(at)
  return nodes
}

/** All below, and the node itself last. */
function descendants(from: Node): Node[] {
  return [...[...from.children.values()].flatMap(descendants), from]
}
