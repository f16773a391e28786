/**
 * Devices that look around after every stage of a job, and let a short job take the place of a long
 * one within the bounds of `core/preemption.ts`; or, to compare, that take turns every step. What a
 * preempted job has done is kept, and it goes on when the job that took its place has ended.
 */
import { mayPreempt, type PreemptionBounds } from '../../src/core/preemption.ts'
import type { Fair } from './policy.ts'
import { Agenda, type Outcome, type Served } from './simulation.ts'
import { type SimulatedJob, stagesMicros } from './workload.ts'

type Partial = {
  readonly job: SimulatedJob
  readonly stages: readonly number[]
  readonly startMicros: number
  stage: number
  doneMicros: number
  preemptions: number
}

/** Runs jobs on one device until an end. */
export function simulateSteps(
  fair: Fair,
  jobs: readonly SimulatedJob[],
  endMicros: number,
  bounds?: PreemptionBounds,
): Outcome & { readonly mostPreemptions: number } {
  const agenda = new Agenda()
  const { queue } = fair
  /** Begun and not ended; the last one runs. */
  const partials: Partial[] = []
  const served: Served[] = []
  let busyMicros = 0
  let mostPreemptions = 0

  const begin = (): boolean => {
    const job = fair.next(agenda.nowMicros)
    if (job === undefined) return false
    const stages = stagesMicros(job.side)
    const startMicros = agenda.nowMicros
    partials.push({ job, stages, startMicros, stage: 0, doneMicros: 0, preemptions: 0 })
    return true
  }

  /** Whether a waiting job goes before a partial one, which is charged only for what it has done. */
  const isOvertaken = (partial: Partial): boolean => {
    if (queue.queuedJobs === 0) return false
    const { job, doneMicros, preemptions, stages, stage } = partial
    const stepsLeft = stages.length - 1 - stage
    const remainingMicros = job.trueMicros - doneMicros
    const running = { remainingMicros, stepsLeft, preemptions, partialsOnDevice: partials.length }
    // The cheap half of the rule first.
    if (!mayPreempt(0, running, bounds)) return false
    const rival = queue.rival(job.id, doneMicros, agenda.nowMicros / 1000)
    return rival !== undefined && mayPreempt(rival.estimateMicros, running, bounds)
  }

  const runStage = (): void => {
    const running = partials.at(-1)!
    const takesMicros = running.stages[running.stage]!
    busyMicros += Math.min(takesMicros, endMicros - agenda.nowMicros)
    agenda.plan(agenda.nowMicros + takesMicros, () => {
      running.stage++
      running.doneMicros += takesMicros
      if (running.stage === running.stages.length) {
        partials.pop()
        fair.end(running.job, running.doneMicros)
        const { job, startMicros } = running
        served.push({ job, startMicros, endMicros: agenda.nowMicros })
      }
      goOn(partials.at(-1) === running)
    })
  }

  const goOn = (isRunning: boolean): void => {
    const partial = partials.at(-1)
    if (partial === undefined) {
      if (begin()) runStage()
      return
    }
    if (isOvertaken(partial)) {
      queue.charge(partial.job.id, partial.doneMicros)
      if (isRunning) partial.preemptions++
      mostPreemptions = Math.max(mostPreemptions, partial.preemptions)
      if (!begin()) throw new Error('internal: a rival was named and is not there')
    } else {
      queue.charge(partial.job.id, partial.job.estimateMicros)
    }
    runStage()
  }

  for (const job of jobs) {
    agenda.plan(job.arrivalMicros, () => {
      const isIdle = partials.length === 0
      fair.add(job)
      if (isIdle) goOn(false)
    })
  }
  agenda.runUntil(endMicros)
  const begun = new Map(partials.map(({ job, startMicros }) => [job, startMicros]))
  return { served, begun, busyMicros, mostPreemptions }
}
