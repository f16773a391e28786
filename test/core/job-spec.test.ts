/** Limits of one job. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type JobSpec, checkSpecLimits } from '../../src/core/job-spec.ts'
import { refusalOf } from './refusal.ts'

const spec: JobSpec = {
  kind: 'imagine',
  prompt: 'a fox',
  width: 512,
  height: 512,
  seed: 7,
  count: 4,
  evaluations: 8,
  guidance: 0,
  isRaw: false,
  isPrivate: false,
}
const limits = {
  leastSide: 64,
  mostSide: 1024,
  mostPixels: 512 * 512,
  mostPictures: 4,
  mostEvaluations: 8,
}

describe('checkSpecLimits', () => {
  it('allows what is on the limits', () => {
    assert.equal(checkSpecLimits(spec, limits), undefined)
  })

  for (const [field, most, got] of [
    ['count', 4, 5],
    ['evaluations', 8, 9],
  ] as const) {
    it(`refuses more ${field}`, () => {
      assert.deepEqual(
        refusalOf(() => checkSpecLimits({ ...spec, [field]: got }, limits)),
        ['job-too-large', { field, most, got }],
      )
    })
  }

  it('refuses a larger picture', () => {
    const [code] = refusalOf(() => checkSpecLimits({ ...spec, width: 528 }, limits))

    assert.equal(code, 'size-not-allowed')
  })
})
