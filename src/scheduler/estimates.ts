/** What work is expected to take and to cost, by the cost model, which learns from what was drawn. */
import {
  type CostModel,
  estimateMicros,
  inReferenceMicros,
  learnt,
  speedOf,
  type Work,
} from '../core/cost.ts'
import { mostMicros } from '../core/queued-job.ts'

/** The cost model in use. */
export class Estimates {
  #model: CostModel
  /** The class that was given work last: what is not handed out yet will go there, most likely. */
  usualClass = ''

  constructor(model: CostModel) {
    this.#model = model
  }

  /** All that has been learnt; another object after each `learn`. */
  get model(): CostModel {
    return this.#model
  }

  /** In microseconds of the reference device, as it will be charged. */
  charge(work: Work): number {
    const micros = estimateMicros(this.#model, this.usualClass, work)
    return Math.max(1, inReferenceMicros(this.#model, this.usualClass, micros))
  }

  /** In microseconds of a device of this class. */
  onDevice(deviceClass: string, work: Work): number {
    return estimateMicros(this.#model, deviceClass, work)
  }

  /** Whether nothing was drawn on such a device yet. */
  isGuess(deviceClass: string): boolean {
    return this.#model.devices[deviceClass] === undefined
  }

  /** Of one device, the reference device being 1. */
  speedOf(deviceClass: string): number {
    return speedOf(this.#model, deviceClass)
  }

  /** A device of this class took so long. */
  learn(deviceClass: string, work: Work, measuredMicros: number): void {
    const micros = Math.min(Math.max(1, Math.round(measuredMicros)), mostMicros)
    this.#model = learnt(this.#model, deviceClass, work, micros)
  }
}
