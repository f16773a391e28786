/**
 * The fair queue against a brute-force reference, step by step (P20): whatever is enqueued,
 * dispatched, settled, cancelled, given back or weighed anew, both pick the same jobs, and the heaps
 * stay in order (P16). The same plays with a queue that is saved and restored half-way (P14).
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { FairQueue, type FairQueueSnapshot } from '../../src/core/fair-queue.ts'
import { type Move, Play, type Player, limits, make, moves } from './fair-queue-play.ts'
import { ReferenceQueue } from './reference-queue.ts'

/** The reference in the clothes of the queue. */
function dressed(reference: ReferenceQueue): Player {
  return {
    enqueue: (job) => reference.enqueue(job),
    dispatch: (nowMs, accepts) => reference.dispatch(nowMs, accepts ?? (() => true)),
    dispatchMates: (batchKey, windowMicros, most) =>
      Array.from({ length: most }, () => reference.dispatchMate(batchKey, windowMicros)).filter(
        (job) => job !== undefined,
      ),
    settle: (id, micros) => (reference.settle(id, micros), true),
    charge: (id, micros) => (reference.charge(id, micros), true),
    returnToHead: (id) => (reference.returnToHead(id), true),
    cancel: (id) => (reference.cancel(id), 'queued'),
    setWeight: ({ guild, member, weight }) => reference.setWeight(guild, member, weight),
  }
}

/** Ten dispatches after a play, so that every order that is left becomes visible. */
const rest: Move[] = Array.from({ length: 10 }, () => ({
  kind: 'dispatch',
  largest: 12,
  laterMs: 0,
}))

describe('FairQueue', () => {
  it('picks the same job as sorting all flows does (P20, P16)', () => {
    fc.assert(
      fc.property(limits, moves, (some, played) => {
        const [play, shadow] = [new Play(), new Play()]
        const queue = new FairQueue(some)
        const reference = dressed(new ReferenceQueue(some))
        for (const move of [...played, ...rest]) {
          assert.deepEqual(make(move, play, queue), make(move, shadow, reference))
          queue.check()
        }
      }),
      { numRuns: 1500 },
    )
  })

  it('goes on in the same order after it was saved and restored (P14)', () => {
    fc.assert(
      fc.property(limits, moves, fc.nat(79), (some, played, at) => {
        const [play, shadow] = [new Play(), new Play()]
        const queue = new FairQueue(some)
        let restored = new FairQueue(some)
        for (const [step, move] of [...played, ...rest].entries()) {
          if (step === at) {
            const text = JSON.stringify(restored.snapshot())
            restored = FairQueue.restore(JSON.parse(text) as FairQueueSnapshot, some)
            restored.check()
          }
          assert.deepEqual(make(move, play, restored), make(move, shadow, queue))
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('is the same when it is restored in parts', () => {
    fc.assert(
      fc.property(limits, moves, (some, played) => {
        const play = new Play()
        const queue = new FairQueue(some)
        for (const move of played) make(move, play, queue)
        const snapshot = queue.snapshot()
        const parts = FairQueue.restoring(snapshot, some, 2)
        let pauses = 0
        let part = parts.next()
        for (; part.done !== true; part = parts.next()) pauses++
        assert.equal(pauses, Math.ceil(snapshot.queued.length / 2) + 1)
        assert.deepEqual(part.value.snapshot(), FairQueue.restore(snapshot, some).snapshot())
      }),
    )
  })
})
