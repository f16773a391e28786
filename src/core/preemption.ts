/**
 * When a short job may take a device from a long one, between two steps: bounded, so that it never
 * becomes taking turns, which makes everybody's picture late. The rule is asked after every step,
 * and again for the preempted job when the job that took its place has ended: it goes on unless
 * another job may go before it. Only being interrupted while it runs counts as a preemption.
 */

/** A running job as the rule sees it. */
export type Preemptible = {
  readonly remainingMicros: number
  readonly stepsLeft: number
  /** How often it has been preempted. */
  readonly preemptions: number
  /** Jobs begun and not ended on its device, itself included. */
  readonly partialsOnDevice: number
}

/** How far preemption goes. */
export type PreemptionBounds = {
  /** Largest estimate of a newcomer, as a part of what is left of the running job. */
  readonly largestPart: number
  readonly mostPreemptions: number
  /** Jobs that a device may have begun at once: each keeps its latents and its encoded prompt. */
  readonly mostPartials: number
}

/** Interrupted at most 4 times, only by jobs that are at most half as long as what is left. */
export const preemptionBounds: PreemptionBounds = {
  largestPart: 0.5,
  mostPreemptions: 4,
  mostPartials: 4,
}

/**
 * Whether a newcomer may take the place of a running job, both in microseconds of the same device.
 * The newcomer is one that `FairQueue.rival` names: its turn would be first, and it has not begun.
 */
export function mayPreempt(
  newcomerMicros: number,
  running: Preemptible,
  bounds: PreemptionBounds = preemptionBounds,
): boolean {
  return (
    newcomerMicros <= bounds.largestPart * running.remainingMicros &&
    running.preemptions < bounds.mostPreemptions &&
    running.partialsOnDevice < bounds.mostPartials &&
    running.stepsLeft > 1
  )
}
