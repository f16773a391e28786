/** Token buckets: how much they let in (P15), and when they let in again. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { type TokenBucket, refilled, taken, waitMs } from '../../src/core/token-bucket.ts'

const rate = { perMs: 3, burst: 500 }
const wishes = fc.array(fc.record({ gapMs: fc.nat(200), cost: fc.integer({ min: 1, max: 400 }) }), {
  maxLength: 60,
})

/** What a full bucket lets in of some wishes, with the times at which it did. */
function admitted(
  some: readonly { readonly gapMs: number; readonly cost: number }[],
): { readonly atMs: number; readonly cost: number }[] {
  let bucket: TokenBucket = { tokens: rate.burst, atMs: 0 }
  let nowMs = 0
  return some.flatMap(({ gapMs, cost }) => {
    nowMs += gapMs
    bucket = refilled(bucket, rate, nowMs)
    if (bucket.tokens <= 0) return []
    bucket = taken(bucket, cost)
    return [{ atMs: nowMs, cost }]
  })
}

describe('TokenBucket', () => {
  it('admits in any window at most burst + rate x time + one cost (P15)', () => {
    fc.assert(
      fc.property(wishes, (some) => {
        const all = admitted(some)
        for (const [from, { atMs }] of all.entries()) {
          let sum = 0
          for (const later of all.slice(from)) {
            sum += later.cost
            assert.ok(sum <= rate.burst + rate.perMs * (later.atMs - atMs) + 400)
          }
        }
      }),
    )
  })

  it('admits after the wait that it tells, and not a millisecond before', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1000, max: 10 }), (tokens) => {
        const bucket = { tokens, atMs: 100 }
        const wait = waitMs(bucket, rate, 100)

        assert.ok(refilled(bucket, rate, 100 + wait).tokens > 0)
        assert.ok(wait === 0 || refilled(bucket, rate, 99 + wait).tokens <= 0)
      }),
    )
  })

  it('is not filled by a clock that goes backwards', () => {
    assert.deepEqual(refilled({ tokens: 1, atMs: 50 }, rate, 20), { tokens: 1, atMs: 50 })
  })
})
