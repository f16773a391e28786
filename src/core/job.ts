/**
 * The life of a job: its states, and the only moves between them.
 *
 *     queued ----dispatch----> dispatched ----start----> running ----finish----> done
 *       ^                          |                        |
 *       +--------hand-back---------+------------------------+   the worker stops and gives it back
 *       +----------lose------------+------------------------+   the worker is gone; 3 times: failed
 *
 * `refuse` leads from each of these three to failed (the device says why, and would say it again),
 * `cancel` to cancelled. done, failed and cancelled are the end.
 *
 * A running job that is to be cancelled is running until its device has stopped. A job that waits
 * between two steps while a shorter one is drawn is running as well.
 */
import type { JobSpec } from './job-spec.ts'

/** Where a job is. */
export type JobState = 'queued' | 'dispatched' | 'running' | 'done' | 'failed' | 'cancelled'

/** What happens to a job. */
export type JobMove = 'dispatch' | 'start' | 'finish' | 'refuse' | 'lose' | 'hand-back' | 'cancel'

/** How far a job is. */
export type JobProgress = {
  readonly state: JobState
  /** Dispatches so far: the fence that keeps a device, once given up, from having its say. */
  readonly attempt: number
  /** Attempts whose device was lost; the third is the end. */
  readonly losses: number
}

/** A stored job. */
export type Job = JobProgress & {
  readonly id: string
  readonly guild: string
  readonly member: string
  readonly spec: JobSpec
}

/** How often a device may be lost under a job; then the job is the likely culprit. */
export const mostLosses = 3

/** A job that has just been admitted. */
export const newProgress: JobProgress = { state: 'queued', attempt: 0, losses: 0 }

const atDevice = { refuse: 'failed', lose: 'queued', 'hand-back': 'queued' } as const
const nextStates: Readonly<Record<JobState, { readonly [move in JobMove]?: JobState }>> = {
  queued: { dispatch: 'dispatched', refuse: 'failed', cancel: 'cancelled' },
  dispatched: { start: 'running', ...atDevice, cancel: 'cancelled' },
  running: { finish: 'done', ...atDevice, cancel: 'cancelled' },
  done: {},
  failed: {},
  cancelled: {},
}

/** Whether a job in this state can make this move; two that race find out here who was first. */
export function canMove(state: JobState, move: JobMove): boolean {
  return nextStates[state][move] !== undefined
}

/** Whether this is the end. */
export function isTerminal(state: JobState): boolean {
  return Object.keys(nextStates[state]).length === 0
}

/** The progress after a move that `canMove` allows. */
export function moved(progress: JobProgress, move: JobMove): JobProgress {
  const { state, attempt, losses } = progress
  const next = nextStates[state][move]
  if (next === undefined) throw new Error(`internal: expected a move from ${state}, got ${move}`)
  if (move === 'dispatch') return { state: next, attempt: attempt + 1, losses }
  if (move !== 'lose') return { state: next, attempt, losses }
  return { state: losses + 1 < mostLosses ? next : 'failed', attempt, losses: losses + 1 }
}
