/**
 * What the fair queue promises whatever is done to it, in plays of random moves: P1, P2, P3, P6, P7,
 * P9, P10, P13, P17 and P18. The bounds on shares (P4, P5, P8, P11, P12, P19) are tested on the
 * simulator in `fair-queue-bounds.test.ts`, P14, P16 and P20 in `fair-queue-reference.test.ts`, P15 in
 * `token-bucket.test.ts`. Two promises are not the queue's to keep: that a finished job is delivered
 * once (P1) is the row's, which names the attempt that may deliver, and that quota is debited (P15)
 * is admission's.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { batchShares } from '../../src/core/cost.ts'
import { FairQueue } from '../../src/core/fair-queue.ts'
import { type FairServer, ticksPerMicro } from '../../src/core/fair-server.ts'
import type { QueuedJob } from '../../src/core/queued-job.ts'
import { type Move, Play, limits, make, moves } from './fair-queue-play.ts'

const number = (id: string): number => Number(id.slice(id.indexOf('-') + 1))
const line = ({ lane, guild, member }: QueuedJob): string => `${lane} ${guild} ${member}`
const isOfMember = (one: QueuedJob, other: QueuedJob): boolean =>
  one.guild === other.guild && one.member === other.member

/** All that a play dispatched, in order. */
function dispatched(queue: FairQueue, played: readonly Move[], play = new Play()): string[] {
  return played.flatMap((move) => make(move, play, queue))
}

fc.configureGlobal({ numRuns: 300 })

describe('FairQueue, whatever is done to it', () => {
  it('ends each job once: settled, or cancelled while it waited (P1)', () => {
    fc.assert(
      fc.property(limits, moves, (some, played) => {
        const [queue, play] = [new FairQueue(some), new Play()]
        for (const move of played) make(move, play, queue)
        while (play.waiting.size + play.running.size > 0) {
          make({ kind: 'dispatch', largest: 12, laterMs: 0 }, play, queue)
          assert.ok(play.running.size > 0, 'something runs or can be dispatched')
          make({ kind: 'settle', which: 0, micros: 1 }, play, queue)
        }

        queue.check()
        assert.equal(queue.queuedJobs + queue.runningJobs, 0)
        assert.equal(queue.dispatch(play.nowMs), undefined)
        for (const id of play.ended) {
          assert.equal(queue.settle(id, 1), false)
          assert.equal(queue.cancel(id), undefined)
        }
        assert.equal(new Set(play.ended).size, play.ended.length)
        const { fast, relax, moderator } = queue.lanes
        for (const lane of [fast, relax, moderator]) assert.equal(lane.inner?.flows.size, 0)
      }),
    )
  })

  it('refuses a device only when no head of a line is fit and below its cap (P2)', () => {
    fc.assert(
      fc.property(limits, moves, (some, played) => {
        const [queue, play] = [new FairQueue(some), new Play()]
        for (const move of played) {
          const heads = new Map<string, QueuedJob>()
          if (move.kind === 'return') continue
          for (const job of play.waiting.values()) {
            if (!heads.has(line(job))) heads.set(line(job), job)
          }
          const ids = make(move, play, queue)
          if (move.kind !== 'dispatch' || ids.length > 0) continue
          for (const head of heads.values()) {
            const own = [...play.running.values()].filter((job) => isOfMember(job, head)).length
            const isCapped = own >= (some.memberInFlight ?? Infinity)
            assert.ok(isCapped || head.estimateMicros > move.largest)
          }
        }
      }),
    )
  })

  it('never lets virtual time go back, at any node (P3)', () => {
    fc.assert(
      fc.property(limits, moves, (some, played) => {
        const [queue, play] = [new FairQueue(some), new Play()]
        const seen = new Map<FairServer, number>()
        for (const move of played) {
          make(move, play, queue)
          const lanes = Object.values(queue.lanes)
          const guilds = lanes.flatMap(({ inner }) => [...inner!.flows.values()])
          const servers = [...lanes, ...guilds].flatMap(({ server, inner }) => [server, inner!])
          for (const server of servers) {
            const now = server.virtualTime + server.rebased
            assert.ok(now >= (seen.get(server) ?? 0))
            seen.set(server, now)
          }
        }
      }),
    )
  })

  it('keeps the order of each member, but for jobs that were given back (P6)', () => {
    fc.assert(
      fc.property(limits, moves, (some, played) => {
        const [queue, play] = [new FairQueue(some), new Play()]
        const last = new Map<string, number>()
        for (const move of played) {
          if (move.kind === 'return') continue
          for (const id of make(move, play, queue)) {
            const of = line(play.running.get(id)!)
            assert.ok(number(id) > (last.get(of) ?? -1))
            last.set(of, number(id))
          }
        }
      }),
    )
  })

  it('moves tags by exactly the true costs for the weights, once all is settled (P7)', () => {
    const job = fc.record({ micros: fc.integer({ min: 1, max: 9 }), actual: fc.nat(30) })
    const step = fc.record({ job, guild: fc.nat(2), weight: fc.constantFrom(1, 2, 3, 4, 7, 9) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat(5), (steps, devices) => {
        const queue = new FairQueue({ capacity: 1 })
        const add = (id: string, guild: string, estimateMicros: number): void =>
          queue.enqueue({ id, lane: 'fast', guild, member: 'm', estimateMicros, pictures: 1 })
        const actuals = new Map(steps.map(({ job: { actual } }, k) => [`j-${k}`, actual]))
        for (const [k, { job: each, guild }] of steps.entries()) {
          add(`j-${k}`, `guild ${guild}`, each.micros)
        }
        // One job of each stays, so that no tag is forgotten.
        for (const guild of [0, 1, 2]) add(`last-${guild}`, `guild ${guild}`, 1)

        const expected = new Map<string, number>()
        const weights = new Map<string, number>()
        const running: string[] = []
        const settle = (): void => {
          const id = running.shift()
          if (id !== undefined) queue.settle(id, actuals.get(id)!)
        }
        for (const { guild, weight } of steps) {
          queue.setWeight({ guild: `guild ${guild}`, weight })
          weights.set(`guild ${guild}`, weight)
          const next = queue.dispatch(0, ({ id }) => id.startsWith('j'))
          if (next === undefined) continue
          running.push(next.id)
          const ticks = (actuals.get(next.id)! * ticksPerMicro) / (weights.get(next.guild) ?? 1)
          expected.set(next.guild, (expected.get(next.guild) ?? 0) + ticks)
          if (running.length > devices) settle()
        }
        while (running.length > 0) settle()

        for (const [guild, ticks] of expected) {
          assert.equal(queue.lanes.fast.inner?.flows.get(guild)?.start, ticks)
        }
      }),
    )
  })

  it('is blind to names (P9)', () => {
    const renamed = (name: string): string => ({ a: 'zz', b: 'c', c: 'b', d: 'a' })[name] ?? name
    fc.assert(
      fc.property(limits, moves, (some, played) => {
        const others = played.map((move): Move => {
          if (move.kind === 'enqueue') {
            return { ...move, job: { ...move.job, guild: renamed(move.job.guild) } }
          }
          return move.kind === 'weight' ? { ...move, guild: renamed(move.guild) } : move
        })

        const ids = dispatched(new FairQueue(some), played)
        assert.deepEqual(dispatched(new FairQueue(some), others), ids)
      }),
    )
  })

  it('is blind to the unit of cost (P10)', () => {
    fc.assert(
      fc.property(limits, moves, fc.integer({ min: 2, max: 1000 }), (some, played, factor) => {
        const scaled = played.map((move): Move => {
          switch (move.kind) {
            case 'enqueue': {
              const estimateMicros = move.job.estimateMicros * factor
              return { ...move, job: { ...move.job, estimateMicros } }
            }
            case 'settle':
            case 'charge':
              return { ...move, micros: move.micros * factor }
            case 'mates':
              return { ...move, windowMicros: move.windowMicros * factor }
            case 'dispatch':
              return { ...move, largest: move.largest * factor }
            default:
              return move
          }
        })

        const ids = dispatched(new FairQueue(some), played)
        const larger = { ...some, capacity: some.capacity * factor }
        assert.deepEqual(dispatched(new FairQueue(larger), scaled), ids)
      }),
    )
  })

  it('goes on after a cancellation as if the job had never been (P13)', () => {
    const ghost = fc.record({
      at: fc.nat(79),
      guild: fc.constantFrom('a', 'b', 'e'),
      member: fc.constantFrom('x', 'w'),
    })
    fc.assert(
      fc.property(limits, moves, fc.array(ghost, { maxLength: 5 }), (some, played, ghosts) => {
        const ids = dispatched(new FairQueue(some), played)
        const [queue, play] = [new FairQueue(some), new Play()]
        const haunted = played.flatMap((move, step) => {
          const now = ghosts.filter(({ at }) => at === step)
          for (const [k, { guild, member }] of now.entries()) {
            const job = { lane: 'fast', guild, member, estimateMicros: 9, pictures: 1 } as const
            queue.enqueue({ ...job, id: `ghost ${k}` })
          }
          // What runs may end while the ghost waits; nothing else may be decided.
          const made = move.kind === 'settle' || move.kind === 'charge'
          if (made) make(move, play, queue)
          for (const k of now.keys()) assert.equal(queue.cancel(`ghost ${k}`), 'queued')
          queue.check()
          return made ? [] : make(move, play, queue)
        })
        assert.deepEqual(haunted, ids)
      }),
    )
  })

  it('never has more jobs of a member in flight than its cap (P17)', () => {
    fc.assert(
      fc.property(limits, moves, (some, played) => {
        const [queue, play] = [new FairQueue(some), new Play()]
        for (const move of played) {
          for (const id of make(move, play, queue)) {
            const started = play.running.get(id)!
            const running = [...play.running.values()]
            const own = running.filter((job) => isOfMember(job, started)).length
            assert.ok(own <= (some.memberInFlight ?? Infinity))
          }
        }
      }),
    )
  })

  it('batches only jobs of one key, and charges none more than alone (P18)', () => {
    fc.assert(
      fc.property(limits, moves, (some, played) => {
        const [queue, play] = [new FairQueue(some), new Play()]
        for (const move of played) {
          const ids = make(move, play, queue)
          if (move.kind !== 'mates') continue
          for (const id of ids) assert.equal(play.running.get(id)?.batchKey, move.batchKey)
        }
      }),
    )
    const singles = fc.array(fc.integer({ min: 1, max: 2 ** 36 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(singles, fc.nat(2 ** 38), (alone, batch) => {
        const shares = batchShares(batch, alone)
        const sum = (all: readonly number[]): number => all.reduce((total, each) => total + each, 0)
        assert.ok(shares.every((share, k) => share >= 0 && share <= alone[k]!))
        assert.equal(sum(shares), Math.min(batch, sum(alone)))
      }),
    )
  })
})
