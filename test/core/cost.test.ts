/**
 * The cost model: the shape against published step times, what it learns of other devices, and what
 * it says of work that it has not seen. The errors are held to their targets: at most 10 % after 50
 * samples of a kind, at most 30 % without any.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { Random } from '../../bench/fairness/random.ts'
import { type Side, costMicros } from '../../bench/fairness/workload.ts'
import {
  type CostModel,
  type Work,
  estimateMicros,
  inReferenceMicros,
  learnt,
  newCostModel,
  shapeMicros,
  speedOf,
} from '../../src/core/cost.ts'

const sides: readonly Side[] = [256, 512, 768, 1024, 1536, 2048]

const work = (side: number, more: Partial<Work> = {}): Work => ({
  width: side,
  height: side,
  evaluations: 8,
  pictures: 1,
  batch: 1,
  captionTokens: 30,
  referencePixels: [],
  isPromptCached: false,
  ...more,
})

/** A device ten times slower than the bench's, more so for large pictures, and noisy. */
function slowDevice(random: Random): (side: Side) => number {
  return (side) =>
    Math.round(costMicros(side) * 10 * (side / 1024) ** 0.3 * Math.exp(0.05 * random.normal()))
}

function taught(known: readonly Side[], samples: number): CostModel {
  const measure = slowDevice(new Random(1))
  let model = newCostModel
  for (let sample = 0; sample < samples; sample++) {
    for (const side of known) model = learnt(model, 'slow', work(side), measure(side))
  }
  return model
}

/** Mean of the relative errors of estimates, over a hundred jobs. */
function meanError(model: CostModel, side: Side): number {
  const measure = slowDevice(new Random(2))
  const errors = Array.from({ length: 100 }, () => {
    const actual = measure(side)
    return Math.abs(estimateMicros(model, 'slow', work(side)) - actual) / actual
  })
  return errors.reduce((sum, error) => sum + error, 0) / errors.length
}

describe('shapeMicros', () => {
  for (const side of sides) {
    it(`is within 15 % of the published time at ${side} x ${side}`, () => {
      const published = costMicros(side)
      assert.ok(Math.abs(shapeMicros(work(side)) - published) <= 0.15 * published)
    })
  }

  it('counts a cached prompt as nothing and references as work', () => {
    const plain = shapeMicros(work(512))
    assert.equal(Math.round(plain - shapeMicros(work(512, { isPromptCached: true }))), 60_000)
    assert.ok(shapeMicros(work(512, { referencePixels: [512 * 512] })) > 1.5 * plain)
  })

  it('shares only the launches among the pictures of a batch', () => {
    const four = { pictures: 4, evaluations: 8 }
    const apart = shapeMicros(work(512, four))
    const together = shapeMicros(work(512, { ...four, batch: 4 }))
    assert.equal(Math.round(apart - together), 8 * 3 * 10_000)
  })
})

describe('estimateMicros', () => {
  it('is the shape while nothing was learnt', () => {
    assert.equal(
      estimateMicros(newCostModel, 'any', work(1024)),
      Math.round(shapeMicros(work(1024))),
    )
  })

  it('is within 10 % after 50 samples of every size', () => {
    const model = taught(sides, 50)
    const errors = sides.map((side) => meanError(model, side))
    console.log(
      `measured: cost after 50 samples, error ${(100 * Math.max(...errors)).toFixed(1)} %`,
    )
    assert.ok(Math.max(...errors) <= 0.1)
  })

  it('is within 30 % for sizes between, below and above those it has seen', () => {
    const errors = sides.map((side) => {
      const others = sides.filter((other) => other !== side)
      return meanError(taught(others, 20), side)
    })
    console.log(`measured: cost of unseen sizes, error ${(100 * Math.max(...errors)).toFixed(1)} %`)
    assert.ok(Math.max(...errors) <= 0.3)
  })

  it("takes a new device's first word, however slow it is", () => {
    const slow = learnt(newCostModel, 'cpu', work(1024), 300 * costMicros(1024))
    const expected = 300 * costMicros(512)
    assert.ok(Math.abs(estimateMicros(slow, 'cpu', work(512)) - expected) <= 0.2 * expected)
  })

  it('comes within 10 % of a kind that is twice as slow as thought in 12 samples', () => {
    const shape = Math.round(shapeMicros(work(1024)))
    let model = learnt(newCostModel, 'd', work(1024), shape)
    const edit = work(1024, { referencePixels: [1024 * 1024] })
    const actual = 2 * Math.round(shapeMicros(edit))
    for (let sample = 0; sample < 12; sample++) model = learnt(model, 'd', edit, actual)

    assert.ok(Math.abs(estimateMicros(model, 'd', edit) - actual) <= 0.1 * actual)
    assert.equal(estimateMicros(model, 'd', work(1024)), shape)
  })

  it('lies between the nearest sizes of its kind, not of others', () => {
    const model: CostModel = {
      devices: { d: { ratio: 1, samples: 1 } },
      kinds: {
        d: {
          '20 0 1': { ratio: 1, samples: 1 },
          '28 0 1': { ratio: 2, samples: 1 },
          '24 1 1': { ratio: 9, samples: 1 },
        },
      },
    }
    const expected = Math.round(1.5 * shapeMicros(work(1024)))
    assert.equal(estimateMicros(model, 'd', work(1024)), expected)
  })

  it('is moved by one wild sample by no more than a quarter', () => {
    const model = taught([1024], 30)
    const before = estimateMicros(model, 'slow', work(1024))
    for (const wild of [1, 1e10]) {
      const after = estimateMicros(learnt(model, 'slow', work(1024), wild), 'slow', work(1024))
      assert.ok(Math.abs(after - before) <= 0.2501 * before)
    }
  })

  it('keeps what it learnt through JSON', () => {
    const model = taught(sides, 3)
    const copy = JSON.parse(JSON.stringify(model)) as CostModel
    for (const side of sides) {
      const expected = estimateMicros(model, 'slow', work(side))
      assert.equal(estimateMicros(copy, 'slow', work(side)), expected)
    }
  })

  it('is a whole number that the queue can count with, for any work', () => {
    const anyWork = fc.record({
      width: fc.integer({ min: 16, max: 4096 }),
      height: fc.integer({ min: 16, max: 4096 }),
      evaluations: fc.integer({ min: 1, max: 200 }),
      pictures: fc.integer({ min: 1, max: 8 }),
      batch: fc.constant(1),
      captionTokens: fc.nat(2000),
      referencePixels: fc.array(fc.integer({ min: 1, max: 2 ** 24 }), { maxLength: 4 }),
      isPromptCached: fc.boolean(),
    })
    const samples = fc.array(fc.tuple(anyWork, fc.integer({ min: 1, max: 2 ** 36 })), {
      maxLength: 8,
    })
    fc.assert(
      fc.property(samples, anyWork, (seen, asked) => {
        const model = seen.reduce((known, [of, took]) => learnt(known, 'd', of, took), newCostModel)
        const estimate = estimateMicros(model, 'd', asked)
        assert.ok(Number.isInteger(estimate) && estimate >= 1 && estimate <= 2 ** 36)
      }),
    )
  })
})

describe('inReferenceMicros', () => {
  it('charges the same for the same work on a slow and on a fast device', () => {
    const measure = slowDevice(new Random(3))
    let model = newCostModel
    for (let sample = 0; sample < 200; sample++) {
      model = learnt(model, 'slow', work(1024), measure(1024))
      model = learnt(model, 'fast', work(1024), costMicros(1024))
    }
    const onSlow = inReferenceMicros(model, 'slow', costMicros(1024) * 10)
    const onFast = inReferenceMicros(model, 'fast', costMicros(1024))

    assert.ok(Math.abs(onSlow - onFast) <= 0.03 * onFast)
    assert.ok(speedOf(model, 'slow') < 0.12 * speedOf(model, 'fast'))
  })
})
