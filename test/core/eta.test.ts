/** Waiting times and places: what is ahead of a job, and how long that will take. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { laneBacklog, placeOf, placeOfNext } from '../../src/core/backlog.ts'
import { type SpeedHistory, recorded, virtualSpeed, waitEstimate } from '../../src/core/eta.ts'
import { FairQueue } from '../../src/core/fair-queue.ts'
import type { QueuedJob } from '../../src/core/queued-job.ts'

const second = 1_000_000

const jobOf = (id: string, guild: string, more: Partial<QueuedJob> = {}): QueuedJob => ({
  id,
  lane: 'fast',
  guild,
  member: 'm',
  estimateMicros: second,
  pictures: 1,
  ...more,
})

function filled(...jobs: readonly QueuedJob[]): FairQueue {
  const queue = new FairQueue({ capacity: 1 })
  for (const job of jobs) queue.enqueue(job)
  return queue
}

/** A lane whose virtual time has gone a second in each second, for so long. */
function steadyHistory(forMs: number): SpeedHistory {
  const lane = {
    virtualMicros: 0,
    share: 1,
    guilds: [{ startMicros: 0, weight: 1, queuedMicros: 1 }],
  }
  let history: SpeedHistory = []
  for (let atMs = 0; atMs <= forMs; atMs += 1000) {
    history = recorded(history, { ...lane, virtualMicros: atMs * 1000 }, atMs)
  }
  return history
}

describe('placeOf', () => {
  it('counts the own guild before a job, by the order of its members', () => {
    const queue = filled(
      jobOf('x1', 'a', { member: 'x', pictures: 4 }),
      jobOf('x2', 'a', { member: 'x' }),
      jobOf('y1', 'a', { member: 'y' }),
      jobOf('b1', 'b'),
    )
    const { jobsAhead, picturesAhead, microsAhead, otherGuilds } = placeOf(queue, 'x2')!

    assert.deepEqual([jobsAhead, picturesAhead, microsAhead], [2, 5, 2 * second])
    assert.equal(otherGuilds, 1)
    assert.equal(placeOf(queue, 'y1')?.jobsAhead, 1)
    assert.equal(placeOf(queue, 'unknown'), undefined)
  })

  it('tells the virtual time of the start, by weight', () => {
    const queue = filled(jobOf('a1', 'a'), jobOf('a2', 'a'), jobOf('a3', 'a'))
    queue.setWeight({ guild: 'a', weight: 2 })

    assert.equal(placeOf(queue, 'a3')?.startMicros, second)
  })

  it('tells the place of the next job of a member as that job will find it', () => {
    const guild = fc.constantFrom('a', 'b', 'c')
    const member = fc.constantFrom('x', 'y')
    const job = fc.record({ guild, member, estimateMicros: fc.integer({ min: 1, max: 9 }) })
    fc.assert(
      fc.property(fc.array(job, { maxLength: 30 }), fc.nat(9), job, (jobs, started, next) => {
        const queue = filled(...jobs.map((each, k) => jobOf(String(k), each.guild, each)))
        for (let k = 0; k < started; k++) queue.dispatch(0)
        const foretold = placeOfNext(queue, { lane: 'fast', ...next })
        queue.enqueue(jobOf('next', next.guild, next))

        assert.deepEqual(placeOf(queue, 'next'), foretold)
      }),
    )
  })

  it('foretells who of a guild goes first, when estimates are true and no one comes', () => {
    const member = fc.constantFrom('x', 'y', 'z')
    const job = fc.record({ member, estimateMicros: fc.integer({ min: 1, max: 9 }) })
    fc.assert(
      fc.property(fc.array(job, { minLength: 1, maxLength: 20 }), (jobs) => {
        const queue = filled(...jobs.map((each, k) => jobOf(String(k), 'a', each)))
        const foretold = jobs.map((_, k) => placeOf(queue, String(k))!.jobsAhead)
        const order: number[] = []
        for (let next = queue.dispatch(0); next !== undefined; next = queue.dispatch(0)) {
          queue.settle(next.id, next.estimateMicros)
          order.push(Number(next.id))
        }

        assert.deepEqual(
          foretold,
          jobs.map((_, k) => order.indexOf(k)),
        )
      }),
    )
  })
})

describe('laneBacklog', () => {
  it('is plain data, with the part of the devices that the lane has now', () => {
    const queue = filled(jobOf('a1', 'a'), jobOf('a2', 'a'))
    assert.equal(laneBacklog(queue, 'fast').share, 1)
    queue.enqueue(jobOf('r1', 'b', { lane: 'relax' }))
    const lane = laneBacklog(queue, 'fast')

    assert.equal(lane.share, 0.9)
    assert.equal(laneBacklog(queue, 'relax').share, 0.1)
    assert.deepEqual(lane.guilds, [{ startMicros: 0, weight: 1, queuedMicros: 2 * second }])
    assert.deepEqual(JSON.parse(JSON.stringify(lane)), lane)
  })
})

describe('virtualSpeed', () => {
  it('is not known before five seconds', () => {
    assert.equal(virtualSpeed([]), undefined)
    assert.equal(virtualSpeed(steadyHistory(4000)), undefined)
    assert.equal(virtualSpeed(steadyHistory(5000)), 1000)
  })

  it('forgets what is older than four minutes, and all when nobody waits', () => {
    const history = steadyHistory(600_000)
    assert.ok(history.length <= 242)
    assert.deepEqual(recorded(history, { virtualMicros: 0, share: 1, guilds: [] }, 601_000), [])
  })
})

describe('waitEstimate', () => {
  const queue = filled(
    ...Array.from({ length: 10 }, (_, k) => jobOf(`a${k}`, 'a')),
    ...Array.from({ length: 10 }, (_, k) => jobOf(`b${k}`, 'b')),
  )
  const facts = {
    place: placeOf(queue, 'a9')!,
    lane: laneBacklog(queue, 'fast'),
    capacity: 2,
    residualMs: 0,
    speed: undefined,
  }

  it('is at least the work that goes first over the capacity', () => {
    // Nine seconds of each guild on two devices.
    assert.equal(waitEstimate(facts)?.likelyMs, 9000)
    assert.equal(waitEstimate({ ...facts, speed: 1e9 })?.likelyMs, 9000)
  })

  it('counts of another guild no more than it has, and only the devices of its lane', () => {
    const few = filled(
      ...Array.from({ length: 10 }, (_, k) => jobOf(`a${k}`, 'a')),
      jobOf('b0', 'b'),
    )
    const place = placeOf(few, 'a9')!
    const lane = laneBacklog(few, 'fast')

    assert.equal(waitEstimate({ ...facts, place, lane })?.likelyMs, 5000)
    const part = { ...lane, share: 0.1 }
    assert.equal(waitEstimate({ ...facts, place, lane: part })?.likelyMs, 50_000)
  })

  it('follows the speed of virtual time when that is slower', () => {
    assert.equal(waitEstimate({ ...facts, speed: 500 })?.likelyMs, 18_000)
  })

  it('adds the time until a device is free, and is a range with its reasons', () => {
    assert.deepEqual(waitEstimate({ ...facts, residualMs: 1000 }), {
      likelyMs: 10_000,
      fromMs: 6_000,
      toMs: 20_000,
      ownPicturesAhead: 9,
      otherGuildsWaiting: 1,
    })
  })

  it('is the time until a device is free for the first of a lane that has most devices', () => {
    const place = placeOf(queue, 'a0')!
    assert.equal(waitEstimate({ ...facts, place })?.likelyMs, 0)
    assert.equal(waitEstimate({ ...facts, place, residualMs: 1000 })?.likelyMs, 1000)
  })

  it('says nothing of the first of another lane while nothing else is known', () => {
    const [place, lane] = [placeOf(queue, 'a0')!, { ...facts.lane, share: 0.1 }]
    assert.equal(waitEstimate({ ...facts, place, lane }), undefined)
  })
})
