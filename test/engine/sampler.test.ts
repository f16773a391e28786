/**
 * The sampler against the reference's noise levels, and the rules that its arithmetic must keep for
 * any latents. Whole runs are compared where the pipeline is tested.
 * Source of the numbers: `fixtures/zimage/scheduler.json`.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { EngineError } from '../../src/engine/error.ts'
import {
  addNoise,
  cleanEstimate,
  eulerStep,
  guidanceAt,
  guide,
  modelTime,
  sigmas,
  startIndex,
} from '../../src/engine/sampler.ts'
import { readFixture } from '../fixtures/closed-form.ts'

type Levels = { readonly sigmas: readonly number[]; readonly timesteps: readonly number[] }

/** The reference's tables as `[era, shift, steps, levels]`. */
const tables = Object.entries(readFixture<Record<string, Levels>>('scheduler')).map(
  ([name, levels]) => {
    const [, era = '', shift, steps] = /^(\w+) shift=([\d.]+) N=(\d+)$/.exec(name) ?? []
    return { era, shift: Number(shift), steps: Number(steps), levels }
  },
)
const current = tables.filter(({ era }) => era === 'head')
const legacy = tables.filter(({ era, steps }) => era === 'legacy' && steps > 1)

const anyEvaluations = fc.integer({ min: 1, max: 1000 })
const anyShift = fc.double({ min: 0.1, max: 100, noNaN: true })
const anySigma = fc.double({ min: 0, max: 1, noNaN: true })
const anyValue = fc.float({ min: -8, max: 8, noNaN: true })

/** Several latents of one length. */
function latents(count: number): fc.Arbitrary<Float32Array[]> {
  const row = fc.array(anyValue, { minLength: count, maxLength: count })
  return fc
    .array(row, { minLength: 1, maxLength: 24 })
    .map((rows) => Array.from({ length: count }, (_, i) => Float32Array.from(rows, (r) => r[i]!)))
}

function worst(got: ArrayLike<number>, wanted: ArrayLike<number>): number {
  assert.equal(got.length, wanted.length)
  return Math.max(0, ...Array.from(got, (value, i) => Math.abs(value - wanted[i]!)))
}

function norm(values: Float32Array): number {
  return Math.hypot(...values)
}

function isInvalid(field: string): (error: unknown) => boolean {
  return (error) =>
    error instanceof EngineError && error.code === 'spec-invalid' && error.params['field'] === field
}

describe('noise levels', () => {
  it('are those of the reference, as are the model times', () => {
    assert.equal(current.length, 21)
    let deviation = 0
    for (const { shift, steps, levels } of current) {
      const got = sigmas(steps, shift)
      const times = levels.timesteps.map((timestep) => 1 - timestep / 1000)
      deviation = Math.max(
        deviation,
        worst(got, levels.sigmas),
        worst(got.slice(0, -1).map(modelTime), times),
      )
    }
    console.log(
      `measured: scheduler.json worst deviation ${deviation.toExponential(1)}, ${current.length} tables`,
    )
    assert.ok(deviation <= 1e-6)
  })

  it('are the older reference at one step more, less its last', () => {
    assert.equal(legacy.length, 18)
    for (const { shift, steps, levels } of legacy) {
      assert.ok(worst([...sigmas(steps - 1, shift), 0], levels.sigmas) <= 1e-6)
    }
  })

  it('fall from 1 to 0 without a stop', () => {
    fc.assert(
      fc.property(anyEvaluations, anyShift, (evaluations, shift) => {
        const levels = sigmas(evaluations, shift)
        assert.equal(levels.length, evaluations + 1)
        assert.equal(levels[0], 1)
        assert.equal(levels.at(-1), 0)
        assert.ok(levels.every((level, i) => i === 0 || level < levels[i - 1]!))
      }),
    )
  })

  it('need between 1 and 1000 evaluations', () => {
    for (const evaluations of [0, -1, 2.5, Number.NaN, 1001, 1e9]) {
      assert.throws(() => sigmas(evaluations, 3), isInvalid('evaluations'))
    }
  })

  it('need a positive shift', () => {
    for (const shift of [0, -3, Number.NaN, Infinity])
      assert.throws(() => sigmas(8, shift), /internal/)
  })

  it('become model times from 0 for noise to 1 for a picture', () => {
    assert.deepEqual([1, 0.75, 0.5, 0].map(modelTime), [0, 0.25, 0.5, 1])
  })
})

describe('a starting picture', () => {
  it('is taken up where its strength says', () => {
    assert.deepEqual(
      [1, 0.6, 0.3, 0.1].map((strength) => startIndex(8, strength)),
      [0, 3, 5, 7],
    )
  })

  it('leaves at least one evaluation, and more for more strength', () => {
    const anyStrength = fc.double({ min: 0.001, max: 1, noNaN: true })
    fc.assert(
      fc.property(anyEvaluations, anyStrength, anyStrength, (evaluations, a, b) => {
        const [less, more] = [Math.min(a, b), Math.max(a, b)]
        const start = startIndex(evaluations, less)
        assert.ok(start >= 0 && start < evaluations)
        assert.ok(startIndex(evaluations, more) <= start)
      }),
    )
  })

  it('is refused when its strength leaves no evaluation', () => {
    for (const strength of [0, 1e-20, -0.5, 1.01, Number.NaN]) {
      assert.throws(() => startIndex(8, strength), isInvalid('strength'))
    }
  })

  it('is itself under no noise, and nothing but noise under all of it', () => {
    fc.assert(
      fc.property(latents(2), ([clean, noise]) => {
        assert.equal(worst(addNoise(clean!, noise!, 0), clean!), 0)
        assert.equal(worst(addNoise(clean!, noise!, 1), noise!), 0)
      }),
    )
  })

  it('is what the model can tell from a noisy one by the true velocity', () => {
    fc.assert(
      fc.property(latents(2), anySigma, ([clean, noise], sigma) => {
        const velocity = clean!.map((value, i) => value - noise![i]!)
        const estimate = cleanEstimate(addNoise(clean!, noise!, sigma), velocity, sigma)
        assert.ok(worst(estimate, clean!) <= 1e-5)
      }),
    )
  })
})

describe('an Euler step', () => {
  it('by the true velocity lands on the same picture with less noise', () => {
    fc.assert(
      fc.property(latents(2), anySigma, anySigma, ([clean, noise], a, b) => {
        const [sigma, nextSigma] = [Math.max(a, b), Math.min(a, b)]
        const velocity = clean!.map((value, i) => value - noise![i]!)
        const stepped = eulerStep(addNoise(clean!, noise!, sigma), velocity, sigma, nextSigma)
        assert.ok(worst(stepped, addNoise(clean!, noise!, nextSigma)) <= 1e-5)
      }),
    )
  })

  it('to 0 gives the clean estimate', () => {
    fc.assert(
      fc.property(latents(2), anySigma, ([x, velocity], sigma) => {
        assert.deepEqual(eulerStep(x!, velocity!, sigma, 0), cleanEstimate(x!, velocity!, sigma))
      }),
    )
  })

  it('leaves its latents as they were', () => {
    const x = Float32Array.of(1, 2)
    eulerStep(x, Float32Array.of(3, 4), 1, 0.5)
    assert.deepEqual([...x], [1, 2])
  })

  it('refuses a velocity of another size', () => {
    assert.throws(() => eulerStep(new Float32Array(2), new Float32Array(3), 1, 0), /internal/)
  })
})

describe('guidance', () => {
  it('of 0 is the velocity of the prompt, in an array of its own', () => {
    fc.assert(
      fc.property(latents(2), fc.double({ min: 0, max: 2, noNaN: true }), ([own, other], bound) => {
        const guided = guide(own!, other!, 0, bound)
        assert.deepEqual(guided, own)
        assert.notEqual(guided, own)
      }),
    )
  })

  it('goes on from the negative prompt through the prompt', () => {
    const guided = guide(Float32Array.of(1, -1, 0), Float32Array.of(0.5, -1, 2), 4, 0)
    assert.deepEqual([...guided], [3, -1, -8])
  })

  it('under normalization keeps the direction and is no longer than the bound', () => {
    const anyGuidance = fc.double({ min: 0.1, max: 10, noNaN: true })
    const anyBound = fc.double({ min: 0.1, max: 2, noNaN: true })
    fc.assert(
      fc.property(latents(2), anyGuidance, anyBound, ([own, other], guidance, bound) => {
        const free = guide(own!, other!, guidance, 0)
        const bounded = guide(own!, other!, guidance, bound)
        const limit = bound * norm(own!)
        assert.ok(norm(bounded) <= limit * (1 + 1e-6) + 1e-30)
        const shrink = Math.min(1, norm(free) === 0 ? 1 : limit / norm(free))
        assert.ok(
          worst(
            bounded,
            free.map((value) => value * shrink),
          ) <= 1e-4,
        )
      }),
    )
  })

  it('under a bound that it does not reach is as it would be without', () => {
    const [own, other] = [Float32Array.of(3, 4), Float32Array.of(3, 3)]
    assert.deepEqual(guide(own, other, 1, 1.2), guide(own, other, 1, 0))
  })

  it('stops past its truncation', () => {
    assert.deepEqual(
      [0, 0.1, 0.100001, 0.9].map((time) => guidanceAt(4, 0.1, time)),
      [4, 4, 0, 0],
    )
  })

  it('with truncation 1 never stops', () => {
    assert.ok(sigmas(50, 6).every((sigma) => guidanceAt(4, 1, modelTime(sigma)) === 4))
  })
})
