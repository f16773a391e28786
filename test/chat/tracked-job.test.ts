/** When a job's message is shown again: the rules, on a clock that the test turns. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { humanPace as pace, TrackedJob } from '../../src/chat/tracked-job.ts'
import type { JobState } from '../../src/core/job.ts'
import type { Delivery } from '../../src/store/deliveries.ts'
import { newJobId, newSpec } from '../jobs/admission.ts'

const newDelivery = (state: JobState): Delivery => ({
  job: {
    id: newJobId(),
    guild: 'discord:42',
    member: 'bob',
    state,
    attempt: 1,
    spec: newSpec(),
    invocationId: undefined,
    lane: 'fast',
    estimateMicros: 1,
    costMicros: undefined,
    replyTo: { channel: 'pictures' },
    resultKeys: [],
    createdAtMs: 0,
    cancelledAtMs: undefined,
  },
  platform: 'discord',
  shown: undefined,
  attempts: 0,
  isDelivered: false,
  error: undefined,
  isCancelledByModerator: false,
})
/** A job that was shown at this time, in this state. */
const newShown = (state: JobState, atMs: number): TrackedJob => {
  const job = new TrackedJob(newJobId())
  job.begun(atMs)
  job.read(newDelivery(state))
  job.succeeded({ message: 1 }, 'text')
  return job
}

describe('a tracked job', () => {
  it('is due at once, and then when it has changed and people have had time to read', () => {
    assert.equal(new TrackedJob(newJobId()).isDue(0, pace), true)
    const job = newShown('queued', 0)
    assert.equal(job.isDue(pace.editMs, pace), false)
    job.changed(false)
    assert.deepEqual(
      [pace.editMs - 1, pace.editMs].map((nowMs) => job.isDue(nowMs, pace)),
      [false, true],
    )
  })

  it('is due at its end, whenever it was shown last', () => {
    const job = newShown('running', 0)
    job.changed(true)
    assert.equal(job.isDue(1, pace), true)
  })

  it('remembers an end that is heard while its row is read', () => {
    const job = newShown('running', 0)
    job.begun(5_000)
    job.changed(true)
    job.read(newDelivery('running'))
    assert.deepEqual([job.isDue(5_001, pace), job.delivery], [true, undefined])
  })

  it('does not believe in an end that its row does not know', () => {
    const job = newShown('running', 0)
    job.changed(true)
    job.begun(1)
    job.read(newDelivery('running'))
    assert.equal(job.isEnding, false)
  })

  it('is left alone when the steps that are left take less than it takes to read', () => {
    const job = newShown('running', 0)
    job.stepped({ done: 0, of: 8 }, 10_000)
    assert.equal(job.isDue(10_000, pace), true)
    job.stepped({ done: 4, of: 8 }, 13_900)
    assert.equal(job.isDue(13_900, pace), false)
    job.stepped({ done: 4, of: 8 }, 18_000)
    assert.equal(job.isDue(18_000, pace), true)
    job.stepped({ done: 7, of: 8 }, 60_000)
    assert.equal(job.isDue(60_000, pace), false)
  })

  it('is tried again later each time, and never before the platform says', () => {
    const job = newShown('done', 0)
    const dueAfter = (retryAfterMs: number): number | undefined => {
      job.failed(0, retryAfterMs, pace)
      job.read(newDelivery('done'))
      return [999, 1_000, 2_000, 4_000, 60_000].find((nowMs) => job.isDue(nowMs, pace))
    }
    assert.deepEqual([0, 0, 0, 60_000].map(dueAfter), [1_000, 2_000, 4_000, 60_000])
  })

  it('has its wait estimated anew, and sooner when there is no device', () => {
    const job = newShown('queued', 0)
    assert.deepEqual(
      [pace.estimateMs - 1, pace.estimateMs].map((nowMs) => job.isStale(nowMs, pace, 1)),
      [false, true],
    )
    assert.equal(job.isStale(pace.estimateMs, pace, 2), false)
    job.hadDevice = false
    assert.equal(job.isStale(pace.deviceMs, pace, 2), true)
  })

  it('whose place is gone is shown its end only', () => {
    const job = newShown('running', 0)
    job.isPlaceGone = true
    job.changed(false)
    assert.equal(job.isDue(60_000, pace), false)
    job.changed(true)
    assert.equal(job.isDue(60_000, pace), true)
  })
})
