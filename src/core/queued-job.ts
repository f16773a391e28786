/** A job as the fair queue sees it: who asked, in which lane, and what it is thought to cost. */

/**
 * `fast` and `relax` share the devices 9 : 1; `relax` is for whoever is over quota. `moderator` goes
 * first, but has at most a twentieth of the devices while anyone else waits.
 */
export type Lane = 'fast' | 'relax' | 'moderator'

/** What the fair queue keeps of a job; plain data. */
export type QueuedJob = {
  readonly id: string
  readonly lane: Lane
  readonly guild: string
  readonly member: string
  /** Estimated cost in whole microseconds of the reference device, at least 1. */
  readonly estimateMicros: number
  /** How many pictures were asked for; only for telling people what is ahead of them. */
  readonly pictures: number
  /** Jobs of equal keys may run as one batch: same model, size, evaluations, references. */
  readonly batchKey?: string
}

/** Largest cost of one job, in microseconds (19 hours): keeps every tag a safe integer. */
export const mostMicros = 2 ** 36

/** Gives back a cost that the queue can count with; anything else is a broken promise of ours. */
export function checkedMicros(micros: number, least: 0 | 1): number {
  if (Number.isInteger(micros) && micros >= least && micros <= mostMicros) return micros
  throw new Error(`internal: expected whole microseconds of ${least} to 2^36, got ${micros}`)
}
