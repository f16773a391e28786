/** Waits as people would say them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { rangeFacts, waitFacts } from '../../src/core/wait.ts'

const msOfUnit = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 }

describe('waitFacts', () => {
  for (const [waitMs, wait, unit] of [
    [0, 1, 'second'],
    [1, 1, 'second'],
    [89_001, 90, 'second'],
    [90_001, 2, 'minute'],
    [90 * 60_000, 90, 'minute'],
    [91 * 60_000, 2, 'hour'],
    [37 * 3_600_000, 2, 'day'],
  ] as const) {
    it(`says ${waitMs} ms as ${wait} ${unit}s`, () => {
      assert.deepEqual(waitFacts(waitMs), { waitMs, wait, unit })
    })
  }

  it('never says less than the wait, nor a whole unit more', () => {
    fc.assert(
      fc.property(fc.nat(10 ** 10), (waitMs) => {
        const { wait, unit } = waitFacts(waitMs)
        const saidMs = wait * msOfUnit[unit]
        assert.ok(saidMs >= waitMs && saidMs - waitMs <= msOfUnit[unit])
      }),
    )
  })
})

describe('rangeFacts', () => {
  it('has one unit, that of its end', () => {
    assert.deepEqual(rangeFacts(50_000, 120_000), { from: 1, to: 2, unit: 'minute' })
    assert.deepEqual(rangeFacts(5_400, 18_000), { from: 5, to: 18, unit: 'second' })
  })

  it('never begins after its end', () => {
    assert.deepEqual(rangeFacts(0, 0), { from: 1, to: 1, unit: 'second' })
  })
})
