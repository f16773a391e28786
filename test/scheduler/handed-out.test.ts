/** Who has room, and who may be interrupted. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { classesOf, type Handed, HandedOut } from '../../src/scheduler/handed-out.ts'

const one = { name: 'a', devices: 1, draining: 0, mostPixels: 2 ** 20, mostBatch: 1 }
const two = { ...one, devices: 2 }
const second = 1_000_000

function filled(...all: readonly Partial<Handed>[]): HandedOut {
  const handed = new HandedOut()
  for (const [k, facts] of all.entries()) {
    const id = facts.id ?? String(k)
    handed.add({
      id,
      jobs: new Set([id]),
      deviceClass: 'a',
      expectedMicros: 10 * second,
      isGuess: false,
      handedAtMs: 0,
      ...facts,
    })
  }
  return handed
}

describe('room', () => {
  it('is for one long job a device', () => {
    assert.ok(filled({}).hasRoom(two))
    assert.equal(filled({}).hasRoom(one), false)
    assert.equal(filled({}, {}).hasRoom(two), false)
  })

  it('is for one job more beside a short one, and no more than that', () => {
    const short = { expectedMicros: 0.1 * second }
    assert.ok(filled(short).hasRoom(one))
    assert.equal(filled(short, short).hasRoom(one), false)
    assert.ok(filled(short, {}).hasRoom(two))
    assert.equal(filled(short, {}, {}).hasRoom(two), false)
  })

  it('comes with the last steps of a long job', () => {
    const handed = filled({})
    handed.step('0', { index: 90, evaluations: 100 }, 0)
    assert.equal(handed.hasRoom(one), false)
    handed.step('0', { index: 98, evaluations: 100 }, 0)
    assert.ok(handed.hasRoom(one))
  })

  it('is for the others while a draining device ends its job', () => {
    assert.ok(filled({}).hasRoom({ ...one, draining: 1 }))
    assert.equal(filled({}, {}).hasRoom({ ...one, draining: 1 }), false)
  })

  it('is not made by an estimate that is only a guess', () => {
    assert.equal(filled({ expectedMicros: 1, isGuess: true }).hasRoom(one), false)
  })

  it('is not taken by a rival, until the job whose place it takes has ended', () => {
    const handed = filled({}, { rivalOf: '0' })
    assert.ok(handed.hasRoom(two))
    handed.delete('0')
    assert.equal(handed.hasRoom(one), false)
  })

  it('is made by a batch when all of it has ended', () => {
    const handed = filled({ id: 'x', jobs: new Set(['x', 'y']) })
    handed.delete('x')
    assert.equal(handed.hasRoom(one), false)
    handed.delete('y')
    assert.ok(handed.hasRoom(one))
    assert.deepEqual(handed.jobIds, [])
  })
})

describe('the time until a device is free', () => {
  it('is none for a device without a job', () => {
    assert.equal(filled({}).freeInMs(two, 0), 0)
  })

  it('is what the steps, and then the clock, have left of the first to end', () => {
    const handed = filled({}, { expectedMicros: 4 * second })
    handed.step('1', { index: 1, evaluations: 2 }, 5_000)
    assert.equal(handed.freeInMs(two, 5_500), 1_500)
  })

  it('counts what is in between', () => {
    assert.equal(
      filled({}, { expectedMicros: second, handedAtMs: 4_000 }).freeInMs(one, 4_000),
      7_000,
    )
  })
})

describe('a job that may be interrupted', () => {
  it('is under way and alone', () => {
    const handed = filled(
      { id: 'under way' },
      { id: 'not yet' },
      { id: 'x', jobs: new Set(['x', 'y']) },
    )
    handed.step('under way', { index: 2, evaluations: 8 }, 0)
    handed.step('x', { index: 2, evaluations: 8 }, 0)
    const found = handed.preemptible('a').map(({ id, progress }) => [id, progress.stepsLeft])
    assert.deepEqual(found, [['under way', 6]])
  })

  it('has no other rival, and tells how often it had one', () => {
    const handed = filled({ id: 'long' })
    handed.step('long', { index: 2, evaluations: 8 }, 0)
    handed.add({ ...filledRival, id: 'r', jobs: new Set(['r']) })
    assert.deepEqual(handed.preemptible('a'), [])
    assert.equal(handed.step('r', { index: 1, evaluations: 8 }, 0), 'long')
    assert.equal(handed.step('r', { index: 2, evaluations: 8 }, 0), undefined)
    handed.delete('r')
    assert.equal(handed.preemptible('a')[0]?.preemptions, 1)
  })
})

const filledRival = {
  deviceClass: 'a',
  expectedMicros: second,
  isGuess: false,
  rivalOf: 'long',
  handedAtMs: 0,
}

describe('classes', () => {
  it('are of those that take new jobs, and can do what all of them can', () => {
    const device = { id: '1', deviceClass: 'a', model: 'm', mostPixels: 9, mostBatch: 4 }
    const classes = classesOf([
      { ...device, isDraining: false },
      { ...device, mostPixels: 5, mostBatch: 2, isDraining: false },
      { ...device, mostPixels: 1, isDraining: true },
      { ...device, deviceClass: 'b', isDraining: true },
    ])
    assert.deepEqual(classes, [{ name: 'a', devices: 2, draining: 1, mostPixels: 5, mostBatch: 2 }])
  })
})
