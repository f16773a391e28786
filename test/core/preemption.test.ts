/** When a short job may take the place of a long one: each condition by itself. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mayPreempt } from '../../src/core/preemption.ts'

const running = { remainingMicros: 1000, stepsLeft: 5, preemptions: 0, partialsOnDevice: 1 }

describe('mayPreempt', () => {
  it('lets in a job of half of what is left, and none that is longer', () => {
    assert.equal(mayPreempt(500, running), true)
    assert.equal(mayPreempt(501, running), false)
  })

  it('spares a job that was preempted four times', () => {
    assert.equal(mayPreempt(1, { ...running, preemptions: 3 }), true)
    assert.equal(mayPreempt(1, { ...running, preemptions: 4 }), false)
  })

  it('keeps no more than four jobs begun on a device', () => {
    assert.equal(mayPreempt(1, { ...running, partialsOnDevice: 3 }), true)
    assert.equal(mayPreempt(1, { ...running, partialsOnDevice: 4 }), false)
  })

  it('spares a job in its last step', () => {
    assert.equal(mayPreempt(1, { ...running, stepsLeft: 2 }), true)
    assert.equal(mayPreempt(1, { ...running, stepsLeft: 1 }), false)
  })

  it('keeps to other bounds when told', () => {
    const bounds = { largestPart: 1, mostPreemptions: 0, mostPartials: 4 }
    assert.equal(mayPreempt(1, running, bounds), false)
    assert.equal(mayPreempt(1000, running, { ...bounds, mostPreemptions: 1 }), true)
  })
})
