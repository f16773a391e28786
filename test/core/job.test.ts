/** The life of a job: legal moves, attempts, and that it ends. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import {
  type JobMove,
  type JobProgress,
  type JobState,
  canMove,
  isTerminal,
  mostLosses,
  moved,
  newProgress,
} from '../../src/core/job.ts'

const states: JobState[] = ['queued', 'dispatched', 'running', 'done', 'failed', 'cancelled']
const moves: JobMove[] = ['dispatch', 'start', 'finish', 'refuse', 'lose', 'hand-back', 'cancel']

/** Each state with the states that some move leads to from it, told apart from the code. */
const legal: Record<JobState, JobState[]> = {
  queued: ['dispatched', 'failed', 'cancelled'],
  dispatched: ['running', 'queued', 'failed', 'cancelled'],
  running: ['done', 'queued', 'failed', 'cancelled'],
  done: [],
  failed: [],
  cancelled: [],
}

/** Walks from the start, at each place taking a legal move by its number, until the end. */
function walk(choices: readonly number[], without: readonly JobMove[] = []): JobProgress[] {
  const path = [newProgress]
  for (const choice of choices) {
    const progress = path.at(-1)!
    const possible = moves.filter((move) => canMove(progress.state, move))
    const open = possible.filter((move) => !without.includes(move))
    if (open.length === 0) break
    path.push(moved(progress, open[choice % open.length]!))
  }
  return path
}

const choices = fc.array(fc.nat(1_000), { minLength: 40, maxLength: 40 })

describe('moved', () => {
  it('makes legal moves only', () => {
    fc.assert(
      fc.property(choices, (path) => {
        const walked = walk(path)
        for (const [index, { state }] of walked.slice(1).entries()) {
          assert.ok(legal[walked[index]!.state].includes(state))
        }
      }),
    )
  })

  it('refuses every move that canMove does not allow', () => {
    for (const state of states) {
      for (const move of moves.filter((each) => !canMove(state, each))) {
        assert.throws(() => moved({ ...newProgress, state }, move), /^Error: internal: /)
      }
    }
  })

  it('can reach every legal state', () => {
    for (const state of states) {
      const reached = moves.flatMap((move) =>
        [0, mostLosses - 1]
          .filter(() => canMove(state, move))
          .map((losses) => moved({ state, attempt: 1, losses }, move).state),
      )
      assert.deepEqual([...new Set(reached)].toSorted(), legal[state].toSorted())
    }
  })

  it('counts an attempt at each dispatch, and only there', () => {
    fc.assert(
      fc.property(choices, (path) => {
        const walked = walk(path)
        const dispatches = walked.filter(({ state }) => state === 'dispatched').length
        assert.equal(walked.at(-1)!.attempt, dispatches)
      }),
    )
  })

  it('ends every path within ten moves unless jobs are handed back', () => {
    fc.assert(
      fc.property(choices, (path) => {
        const walked = walk(path, ['hand-back'])
        assert.ok(isTerminal(walked.at(-1)!.state) && walked.length - 1 <= 3 * mostLosses)
      }),
    )
  })

  it('allows at most three moves to an attempt, handed back or not', () => {
    fc.assert(
      fc.property(choices, (path) => {
        const walked = walk(path)
        assert.ok(walked.length - 1 <= 3 * walked.at(-1)!.attempt + 1)
      }),
    )
  })

  it('tries three times when devices are lost', () => {
    let progress = newProgress
    for (let attempt = 1; attempt <= 3; attempt++) {
      assert.equal(progress.state, 'queued')
      progress = moved(moved(progress, 'dispatch'), 'lose')
    }

    assert.deepEqual(progress, { state: 'failed', attempt: 3, losses: 3 })
  })

  it('does not hold it against a job that its worker stopped', () => {
    let progress = newProgress
    for (let attempt = 1; attempt <= 9; attempt++) {
      progress = moved(moved(moved(progress, 'dispatch'), 'start'), 'hand-back')
    }

    assert.deepEqual(progress, { state: 'queued', attempt: 9, losses: 0 })
  })
})

describe('isTerminal', () => {
  it('is so for done, failed and cancelled', () => {
    assert.deepEqual(states.filter(isTerminal), ['done', 'failed', 'cancelled'])
  })
})
