/**
 * Who is next, as the simulation asks it: the fair queue that the house runs on, and the two that
 * it is compared with, first come first served and guilds in turn.
 */
import { FairQueue } from '../../src/core/fair-queue.ts'
import type { FairQueueLimits } from '../../src/core/flow-tree.ts'
import type { QueuedJob } from '../../src/core/queued-job.ts'
import type { SimulatedJob } from './workload.ts'

/** What a simulation needs of a queue. */
export interface Policy {
  add(job: SimulatedJob): void
  /** The next job, to run now. */
  next(nowMicros: number, accepts?: (job: SimulatedJob) => boolean): SimulatedJob | undefined
  /** A job has ended and took so long. */
  end(job: SimulatedJob, actualMicros: number): void
}

/** What the queue is told of a simulated job: not what is true of it. */
export function queuedJob(job: SimulatedJob): QueuedJob {
  const { id, lane, guild, member, estimateMicros, pictures, batchKey } = job
  const known = { id, lane, guild, member, estimateMicros, pictures }
  return batchKey === undefined ? known : { ...known, batchKey }
}

/** The fair queue, with the jobs that belong to its ids. */
export class Fair implements Policy {
  queue: FairQueue
  readonly #jobs = new Map<string, SimulatedJob>()

  constructor(limits: FairQueueLimits) {
    this.queue = new FairQueue(limits)
  }

  job(id: string): SimulatedJob {
    return this.#jobs.get(id)!
  }

  add(job: SimulatedJob): void {
    this.#jobs.set(job.id, job)
    this.queue.enqueue(queuedJob(job))
  }

  next(nowMicros: number, accepts?: (job: SimulatedJob) => boolean): SimulatedJob | undefined {
    const next = this.queue.dispatch(
      nowMicros / 1000,
      accepts && (({ id }) => accepts(this.job(id))),
    )
    return next && this.job(next.id)
  }

  end(job: SimulatedJob, actualMicros: number): void {
    this.queue.settle(job.id, actualMicros)
    this.#jobs.delete(job.id)
  }
}

/** First come, first served. */
export class FirstCome implements Policy {
  readonly #jobs: SimulatedJob[] = []
  #head = 0

  add(job: SimulatedJob): void {
    this.#jobs.push(job)
  }

  next(): SimulatedJob | undefined {
    return this.#jobs[this.#head++] ?? (this.#head--, undefined)
  }

  end(): void {
    // Nothing is remembered.
  }
}

/** Guilds in turn, one job each. */
export class RoundRobin implements Policy {
  readonly #lines = new Map<string, SimulatedJob[]>()

  add(job: SimulatedJob): void {
    const line = this.#lines.get(job.guild)
    if (line === undefined) this.#lines.set(job.guild, [job])
    else line.push(job)
  }

  next(): SimulatedJob | undefined {
    const [guild, line] = this.#lines.entries().next().value ?? []
    if (guild === undefined || line === undefined) return undefined
    const job = line.shift()
    this.#lines.delete(guild)
    if (line.length > 0) this.#lines.set(guild, line)
    return job
  }

  end(): void {
    // The turn is all that counts.
  }
}
