/**
 * The generator against numbers that torch drew on a CPU: whole latents, lengths with a tail, short
 * draws, and draws that follow on from one another.
 * Source of the numbers: `fixtures/zimage/rng.json`, and torch 2.13 for the sequences given here.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { Generator } from '../../src/engine/random.ts'
import { readFixture } from '../fixtures/closed-form.ts'

type Draws = {
  readonly torch_cpu_randn: {
    readonly seed42_shape_1_16_128_128_first8: readonly number[]
    readonly last4: readonly number[]
    readonly sum: number
  }
  readonly seed7_n37: readonly number[]
  readonly seed42_n32: readonly number[]
  readonly seed42_n10: readonly number[]
}

const fixture = readFixture<Draws>('rng')
const tolerance = 2e-6

function worst(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  assert.equal(got.length, wanted.length)
  return Math.max(...Array.from(got, (value, i) => Math.abs(value - wanted[i]!)))
}

function assertDrawn(got: ArrayLike<number>, wanted: ArrayLike<number>): void {
  const deviation = worst(got, wanted)
  assert.ok(deviation <= tolerance, `deviates by ${deviation}`)
}

describe('normals', () => {
  it('of a 1024 px latent are those of the reference', () => {
    const drawn = new Generator(42).normal(16 * 128 * 128)
    const wanted = fixture.torch_cpu_randn
    const first = worst(drawn.subarray(0, 8), wanted.seed42_shape_1_16_128_128_first8)
    const last = worst(drawn.subarray(-4), wanted.last4)
    const sum = drawn.reduce((total, value) => total + value, 0)
    console.log(
      `measured: rng.json worst deviation ${Math.max(first, last).toExponential(1)}, sum ${sum.toFixed(4)}`,
    )
    assert.ok(first <= tolerance && last <= tolerance)
    assert.ok(Math.abs(sum - wanted.sum) <= 1e-3)
  })

  it('of whole blocks are those of the reference', () => {
    assertDrawn(new Generator(42).normal(32), fixture.seed42_n32)
  })

  it('of a length with a tail draw the last sixteen anew', () => {
    assertDrawn(new Generator(7).normal(37), fixture.seed7_n37)
  })

  it('of fewer than sixteen come from pairs in double precision', () => {
    assertDrawn(new Generator(42).normal(10), fixture.seed42_n10)
  })

  it('that follow a tail go on from it', () => {
    const generator = new Generator(123456789012345)
    generator.normal(100)
    assertDrawn(generator.normal(3), [-2.211309, -0.412856, 0.034123])
  })

  it('that follow an odd short draw begin with its spare, unless there are sixteen or more', () => {
    const generator = new Generator(42)
    assertDrawn(generator.normal(9), fixture.seed42_n10.slice(0, 9))
    assertDrawn(generator.normal(20).subarray(0, 4), [-0.758131, 1.078318, 0.800801, 1.680621])
    assertDrawn(generator.normal(3), [fixture.seed42_n10[9]!, -0.049903, 0.526337])
    assertDrawn(generator.normal(17).subarray(0, 4), [0.367249, -1.144136, 0.338323, 1.69917])
  })

  it('come in the number asked for, none included, and all finite', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat(200), (seed, count) => {
        const drawn = new Generator(seed).normal(count)
        assert.equal(drawn.length, count)
        assert.ok(drawn.every(Number.isFinite))
      }),
    )
  })

  it('have mean 0 and variance 1', () => {
    const drawn = new Generator(1).normal(100_000)
    const mean = drawn.reduce((sum, value) => sum + value, 0) / drawn.length
    const variance = drawn.reduce((sum, value) => sum + (value - mean) ** 2, 0) / drawn.length
    assert.ok(Math.abs(mean) < 0.02 && Math.abs(variance - 1) < 0.02)
  })

  it('cannot be a fraction of one, or fewer than none', () => {
    for (const count of [-1, 1.5, Number.NaN]) {
      assert.throws(() => new Generator(0).normal(count), /internal/)
    }
  })
})

describe('a seed', () => {
  it('may be the largest exact integer', () => {
    const drawn = new Generator(Number.MAX_SAFE_INTEGER).normal(16)
    assertDrawn(drawn.subarray(0, 4), [-2.664298, -1.091049, 0.451447, 0.228361])
  })

  it('counts by its low 32 bits', () => {
    assert.deepEqual(new Generator(7 + 2 ** 32).normal(32), new Generator(7).normal(32))
  })

  it('draws the same each time, and another draws something else', () => {
    assert.deepEqual(new Generator(5).normal(40), new Generator(5).normal(40))
    assert.notDeepEqual(new Generator(5).normal(40), new Generator(6).normal(40))
  })

  it('is a non-negative integer', () => {
    for (const seed of [-1, 0.5, 2 ** 53, Number.NaN, Infinity]) {
      assert.throws(() => new Generator(seed), /internal/)
    }
  })
})
