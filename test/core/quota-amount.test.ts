/** Quotas as people set them: what is set is what is kept, shown and written down. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import {
  amountRange,
  printQuota,
  quotaOfAmount,
  type QuotaWindow,
  readQuota,
  windowOf,
  windowsMs,
} from '../../src/core/quota-amount.ts'
import { refusalOf } from './refusal.ts'

const amounts = fc.record({
  seconds: fc.integer({ min: amountRange.least, max: amountRange.most }),
  window: fc.constantFrom<QuotaWindow>('hour', 'day', 'week'),
  times: fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
})

describe('an amount', () => {
  it('is the same after it was kept, shown and written down', () => {
    fc.assert(
      fc.property(amounts, ({ seconds, window, times = 3 }) => {
        const quota = quotaOfAmount({ seconds, window, capSeconds: times * seconds })
        const read = readQuota(printQuota(quota))
        assert.deepEqual(read, quota)
        assert.deepEqual(
          [quota.refillMicros / 1e6, windowOf(quota), quota.hardCapMicros / 1e6],
          [seconds, window, times * seconds],
        )
      }),
    )
  })

  it('is whole microseconds that can be counted exactly', () => {
    fc.assert(
      fc.property(amounts, ({ seconds, window, times = 3 }) => {
        const quota = quotaOfAmount({ seconds, window, capSeconds: times * seconds })
        return Object.values(quota).every((number) => Number.isSafeInteger(number) && number > 0)
      }),
    )
  })

  it('has a hard cap of three times itself unless one is said', () => {
    assert.deepEqual(quotaOfAmount({ seconds: 40, window: 'day' }), {
      refillMicros: 40_000_000,
      windowMs: windowsMs.day,
      hardCapMicros: 120_000_000,
    })
  })

  for (const [seconds, capSeconds, field, nearest] of [
    [0, undefined, 'amount', 1],
    [2_000_000, undefined, 'amount', 1_000_000],
    [1.5, undefined, 'amount', 2],
    [10, 9, 'cap', 10],
    [10, 1_001, 'cap', 1_000],
  ] as const) {
    it(`of ${seconds} s up to ${capSeconds ?? 'the usual'} is refused, ${nearest} offered`, () => {
      const amount = { seconds, window: 'hour', capSeconds } as const
      const [code, params] = refusalOf(() => quotaOfAmount(amount))
      assert.deepEqual([code, params.field, params.nearest], ['quota-invalid', field, nearest])
    })
  }
})

describe('what is written down', () => {
  it('tells no limit and no rule apart', () => {
    assert.deepEqual([null, undefined].map(printQuota).map(readQuota), [null, undefined])
  })

  it('is no rule where it is none of ours', () => {
    fc.assert(fc.property(fc.string(), (text) => text === 'none' || readQuota(text) === undefined))
  })
})
