/** Quotas: lanes, times to come back, and that no history gets more than its share. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import {
  type Account,
  type Quota,
  type Usage,
  allowance,
  charged,
  decide,
  drained,
  noUsage,
  quotaOf,
  refunded,
  settled,
} from '../../src/core/quota.ts'
import { refusalOf } from './refusal.ts'

const second = 1_000_000
const hourMs = 3_600_000
const quota: Quota = { refillMicros: 60 * second, windowMs: hourMs, hardCapMicros: 120 * second }
const unlimited: Account = { usage: noUsage, quota: undefined }

const used = (seconds: number): Account => ({
  usage: { usedMicros: seconds * second, atMs: 0 },
  quota,
})
const alone = (member: Account) => ({ member, guild: unlimited })

const quotas: fc.Arbitrary<Quota> = fc
  .tuple(
    fc.integer({ min: second, max: 10 ** 6 * second }),
    fc.integer({ min: 60_000, max: 31 * 24 * hourMs }),
    fc.integer({ min: 100, max: 1_000 }),
  )
  .map(([refillMicros, windowMs, percent]) => ({
    refillMicros,
    windowMs,
    hardCapMicros: Math.floor((refillMicros * percent) / 100),
  }))
/** A part of a quota's hard cap, 1 microsecond to all of it. */
const costs = fc.integer({ min: 1, max: 1_000 })
const costOf = (of: Quota, part: number): number => Math.ceil((of.hardCapMicros * part) / 1_000)

describe('drained', () => {
  it('gives back the whole refill in a window, evenly', () => {
    assert.equal(drained(used(90).usage, quota, hourMs / 2).usedMicros, 60 * second)
    assert.equal(drained(used(90).usage, quota, hourMs).usedMicros, 30 * second)
    assert.equal(drained(used(90).usage, quota, 2 * hourMs).usedMicros, 0)
  })

  it('gives back nothing to a clock that goes backwards', () => {
    const usage = { usedMicros: 5, atMs: 1_000 }

    assert.deepEqual(drained(usage, quota, 0), usage)
  })

  it('keeps no usage without a quota, charged or not', () => {
    assert.deepEqual(charged(unlimited, 90 * second, hourMs), noUsage)
    assert.deepEqual(drained(used(90).usage, undefined, 0), noUsage)
  })

  it('comes to the same in one step or several, but for one microsecond each', () => {
    const steps = fc.array(fc.nat(10 * 60_000), { minLength: 1, maxLength: 10 })
    fc.assert(
      fc.property(quotas, costs, steps, (of, part, stepsMs) => {
        const start: Usage = { usedMicros: costOf(of, part), atMs: 0 }
        let usage = start
        let nowMs = 0
        for (const stepMs of stepsMs) usage = drained(usage, of, (nowMs += stepMs))
        const more = usage.usedMicros - drained(start, of, nowMs).usedMicros
        assert.ok(more >= 0 && more <= stepsMs.length, `${more}`)
      }),
    )
  })
})

describe('decide', () => {
  for (const [usedSeconds, cost, lane] of [
    [0, 60, 'fast'],
    [59, 1, 'fast'],
    [60, 1, 'relax'],
    [0, 61, 'relax'],
    [119, 1, 'relax'],
  ] as const) {
    it(`puts ${cost} s after ${usedSeconds} s into the ${lane} lane`, () => {
      assert.equal(decide(alone(used(usedSeconds)), cost * second, 0).lane, lane)
    })
  }

  it('says when the fast lane would be open', () => {
    const { fastInMs } = decide(alone(used(60)), 30 * second, 0)

    assert.equal(fastInMs, hourMs / 2 + 1)
  })

  it('says Infinity when the fast lane never would be', () => {
    assert.equal(decide(alone(used(0)), 61 * second, 0).fastInMs, Infinity)
  })

  it('refuses beyond the hard cap, with the time when it would not', () => {
    const [code, params] = refusalOf(() => decide(alone(used(120)), 30 * second, 0))

    assert.deepEqual(
      [code, params],
      ['quota-used-up', { whose: 'member', waitMs: hourMs / 2 + 1, wait: 31, unit: 'minute' }],
    )
  })

  it('refuses for good what is larger than the hard cap', () => {
    assert.deepEqual(
      refusalOf(() => decide(alone(used(0)), 121 * second, 0)),
      ['quota-too-small', { whose: 'member', most: 120, got: 121 }],
    )
  })

  it('takes the worse of member and guild', () => {
    assert.equal(decide({ member: used(0), guild: used(60) }, second, 0).lane, 'relax')
    const [, params] = refusalOf(() => decide({ member: used(120), guild: used(119.5) }, second, 0))

    assert.equal(params.whose, 'member')
  })

  it('has no limit where there is no quota', () => {
    assert.deepEqual(decide({ member: unlimited, guild: unlimited }, 10 ** 12, 0), {
      lane: 'fast',
      fastInMs: 0,
    })
  })

  it('admits a job at the time that its refusal names', () => {
    fc.assert(
      fc.property(quotas, costs, costs, (of, usedPart, part) => {
        const member = { usage: { usedMicros: costOf(of, usedPart), atMs: 0 }, quota: of }
        const cost = costOf(of, part)
        fc.pre(member.usage.usedMicros + cost > of.hardCapMicros)
        const [, { waitMs }] = refusalOf(() => decide(alone(member), cost, 0))
        decide(alone(member), cost, Number(waitMs))
      }),
    )
  })

  it('names no time at which it would be 2 ms and 2 microseconds too late', () => {
    fc.assert(
      fc.property(quotas, costs, costs, (of, usedPart, part) => {
        const member = { usage: { usedMicros: costOf(of, usedPart), atMs: 0 }, quota: of }
        const cost = costOf(of, part)
        fc.pre(member.usage.usedMicros + cost > of.hardCapMicros)
        const [, { waitMs }] = refusalOf(() => decide(alone(member), cost, 0))
        const earlierMs = Number(waitMs) - 2 - Math.ceil((2 * of.windowMs) / of.refillMicros)
        refusalOf(() => decide(alone(member), cost, Math.max(0, earlierMs)))
      }),
    )
  })

  it('serves fast at the time that it says', () => {
    fc.assert(
      fc.property(quotas, costs, costs, (of, usedPart, part) => {
        const member = { usage: { usedMicros: costOf(of, usedPart), atMs: 0 }, quota: of }
        const cost = costOf(of, part)
        fc.pre(cost <= of.refillMicros && member.usage.usedMicros + cost <= of.hardCapMicros)
        const { fastInMs } = decide(alone(member), cost, 0)
        assert.equal(decide(alone(member), cost, fastInMs).lane, 'fast')
      }),
    )
  })
})

describe('a history of jobs', () => {
  const events = fc.array(
    fc.record({
      afterMs: fc.nat(20 * 60_000),
      part: costs,
      fate: fc.constantFrom('settled', 'refunded', 'open'),
    }),
    { maxLength: 60 },
  )

  it('never pays for more than the hard cap and what has drained', () => {
    fc.assert(
      fc.property(quotas, events, (of, history) => {
        let account: Account = { usage: noUsage, quota: of }
        let nowMs = 0
        let paidMicros = 0
        for (const { afterMs, part, fate } of history) {
          nowMs += afterMs
          const estimateMicros = costOf(of, part)
          try {
            decide(alone(account), estimateMicros, nowMs)
          } catch {
            continue
          }
          account = { ...account, usage: charged(account, estimateMicros, nowMs) }
          if (fate === 'refunded') {
            account = { ...account, usage: refunded(account, estimateMicros, nowMs) }
          } else {
            paidMicros += estimateMicros
          }
          const drainedMicros = (nowMs / of.windowMs) * of.refillMicros
          assert.ok(paidMicros <= of.hardCapMicros + drainedMicros + 1)
        }
      }),
    )
  })

  it('is in use as if every true cost had been known from the start', () => {
    fc.assert(
      fc.property(quotas, costs, costs, costs, (of, other, estimate, truth) => {
        const account = { usage: { usedMicros: costOf(of, other), atMs: 0 }, quota: of }
        const [estimateMicros, trueMicros] = [costOf(of, estimate), costOf(of, truth)]
        const usage = charged(account, estimateMicros, 0)
        assert.deepEqual(
          settled({ usage, quota: of }, { estimateMicros, trueMicros }, 0),
          charged(account, trueMicros, 0),
        )
      }),
    )
  })

  it('stays in whole microseconds, never below none', () => {
    fc.assert(
      fc.property(quotas, events, (of, history) => {
        let usage = noUsage
        let nowMs = 0
        for (const { afterMs, part, fate } of history) {
          nowMs += afterMs
          const estimateMicros = costOf(of, part)
          usage = charged({ usage, quota: of }, estimateMicros, nowMs)
          const costMicros = { estimateMicros, trueMicros: Math.floor(estimateMicros / 3) }
          if (fate === 'settled') usage = settled({ usage, quota: of }, costMicros, nowMs + 1_000)
          if (fate === 'refunded') {
            usage = refunded({ usage, quota: of }, estimateMicros, nowMs + hourMs)
          }
          assert.ok(Number.isSafeInteger(usage.usedMicros) && usage.usedMicros >= 0)
        }
      }),
    )
  })
})

describe('allowance', () => {
  it('says what is left, and when all is back', () => {
    assert.deepEqual(allowance(used(90).usage, quota, hourMs / 2), {
      usedMicros: 60 * second,
      fastMicros: 0,
      mostMicros: 60 * second,
      fullInMs: hourMs + 1,
    })
  })

  it('is whole again at the time it says', () => {
    fc.assert(
      fc.property(quotas, costs, (of, part) => {
        const usage = { usedMicros: costOf(of, part), atMs: 0 }
        const { fullInMs } = allowance(usage, of, 0)
        assert.equal(allowance(usage, of, fullInMs).usedMicros, 0)
      }),
    )
  })
})

describe('quotaOf', () => {
  const larger = { ...quota, refillMicros: 90 * second }
  const slower = { ...larger, windowMs: 10 * hourMs }

  for (const [name, rules, applies] of [
    ["the member's own before all", { member: quota, roles: [larger], everyone: null }, quota],
    ["the member's own freedom", { member: null, roles: [quota], everyone: quota }, undefined],
    ['the most generous role', { roles: [slower, larger, quota], everyone: null }, larger],
    ['the role before everyone', { roles: [slower], everyone: larger }, slower],
    ['a role without limit', { roles: [quota, null], everyone: quota }, undefined],
    ["everyone's last", { roles: [], everyone: quota }, quota],
    ['no limit if nothing is set', { roles: [], everyone: null }, undefined],
  ] as const) {
    it(`takes ${name}`, () => {
      assert.deepEqual(quotaOf(rules), applies)
    })
  }

  it('takes the higher cap of roles that refill alike', () => {
    const higher = { ...quota, hardCapMicros: 200 * second }

    assert.deepEqual(quotaOf({ roles: [quota, higher, quota], everyone: null }), higher)
  })
})
