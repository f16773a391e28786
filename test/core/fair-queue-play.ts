/**
 * Plays with a fair queue that tests draw at random: small whole costs, few guilds and members, so
 * that ties, caps, refunds and cancellations meet each other often.
 */
import * as fc from 'fast-check'
import type { FairQueue } from '../../src/core/fair-queue.ts'
import type { FairQueueLimits } from '../../src/core/flow-tree.ts'
import type { QueuedJob } from '../../src/core/queued-job.ts'

/** One thing that happens; `which` chooses among the jobs that it can happen to. */
export type Move =
  | { readonly kind: 'enqueue'; readonly job: Omit<QueuedJob, 'id'> }
  | { readonly kind: 'dispatch'; readonly largest: number; readonly laterMs: number }
  | { readonly kind: 'mates'; readonly batchKey: string; readonly windowMicros: number }
  | { readonly kind: 'settle' | 'charge'; readonly which: number; readonly micros: number }
  | { readonly kind: 'return' | 'cancel'; readonly which: number }
  | { readonly kind: 'weight'; readonly guild: string; readonly member?: string; weight: number }

const guild = fc.constantFrom('a', 'b', 'c', 'd')
const member = fc.constantFrom('x', 'y', 'z')
const micros = fc.integer({ min: 1, max: 12 })
const which = fc.nat(99)
const batchKey = fc.constantFrom('small', 'large')

const lane = fc.oneof(
  { weight: 8, arbitrary: fc.constant('fast' as const) },
  { weight: 2, arbitrary: fc.constant('relax' as const) },
  { weight: 1, arbitrary: fc.constant('moderator' as const) },
)

const job = fc.record({
  lane,
  guild,
  member,
  estimateMicros: micros,
  pictures: fc.constant(1),
  batchKey,
})

const move: fc.Arbitrary<Move> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ kind: fc.constant('enqueue' as const), job }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('dispatch' as const),
      // Devices that take everything, or only what is small.
      largest: fc.constantFrom(12, 12, 12, 5),
      laterMs: fc.nat(3),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('mates' as const),
      batchKey,
      windowMicros: fc.nat(8),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('settle' as const), which, micros: fc.nat(20) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('charge' as const), which, micros: fc.nat(12) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('return' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), which }) },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        kind: fc.constant('weight' as const),
        guild,
        member,
        weight: fc.constantFrom(1, 2, 3, 4),
      },
      { requiredKeys: ['kind', 'guild', 'weight'] },
    ),
  },
)

/** Up to 80 moves. */
export const moves: fc.Arbitrary<Move[]> = fc.array(move, { maxLength: 80, size: 'max' })

/** With caps and without. */
export const limits: fc.Arbitrary<FairQueueLimits> = fc.record(
  {
    // At the smaller, the moderators' share is worth a few jobs.
    capacity: fc.constantFrom(0.00001, 1),
    guildInFlight: fc.integer({ min: 1, max: 3 }),
    memberInFlight: fc.integer({ min: 1, max: 3 }),
  },
  { requiredKeys: ['capacity'] },
)

/** Where a play is: what waits and runs, by id, and what time it is. */
export class Play {
  readonly waiting = new Map<string, QueuedJob>()
  readonly running = new Map<string, QueuedJob>()
  readonly ended: string[] = []
  nowMs = 0
  #made = 0

  newJob(of: Omit<QueuedJob, 'id'>): QueuedJob {
    const made = { ...of, id: `job-${this.#made++}` }
    this.waiting.set(made.id, made)
    return made
  }

  /** The running job that a move is about. */
  runningAt(at: number): string | undefined {
    return [...this.running.keys()][at % this.running.size]
  }

  waitingAt(at: number): string | undefined {
    return [...this.waiting.keys()][at % this.waiting.size]
  }

  dispatched(started: QueuedJob): void {
    this.waiting.delete(started.id)
    this.running.set(started.id, started)
  }
}

/** What a play needs of a queue, so that it can play with two at once. */
export type Player = Pick<
  FairQueue,
  | 'enqueue'
  | 'dispatch'
  | 'dispatchMates'
  | 'settle'
  | 'charge'
  | 'returnToHead'
  | 'cancel'
  | 'setWeight'
>

/** Makes a move; gives back what the queue answered. */
export function make(move: Move, play: Play, queue: Player): readonly string[] {
  switch (move.kind) {
    case 'enqueue': {
      queue.enqueue(play.newJob(move.job))
      return []
    }
    case 'dispatch': {
      play.nowMs += move.laterMs
      const job = queue.dispatch(play.nowMs, ({ estimateMicros }) => estimateMicros <= move.largest)
      if (job !== undefined) play.dispatched(job)
      return job === undefined ? [] : [job.id]
    }
    case 'mates': {
      const mates = queue.dispatchMates(move.batchKey, move.windowMicros, 2)
      for (const job of mates) play.dispatched(job)
      return mates.map(({ id }) => id)
    }
    case 'settle':
    case 'charge': {
      const id = play.runningAt(move.which)
      if (id === undefined) return []
      if (move.kind === 'charge') {
        queue.charge(id, move.micros)
        return []
      }
      queue.settle(id, move.micros)
      play.running.delete(id)
      play.ended.push(id)
      return []
    }
    case 'return': {
      const id = play.runningAt(move.which)
      if (id === undefined) return []
      queue.returnToHead(id)
      play.waiting.set(id, play.running.get(id)!)
      play.running.delete(id)
      return []
    }
    case 'cancel': {
      const id = play.waitingAt(move.which)
      if (id === undefined) return []
      queue.cancel(id)
      play.waiting.delete(id)
      play.ended.push(id)
      return []
    }
    default: {
      const { guild, member, weight } = move
      queue.setWeight({ guild, weight, ...(member !== undefined && { member }) })
      return []
    }
  }
}
