/**
 * What jobs cost: time on this device, turned into time on the reference device by what the leader
 * has learnt of devices and keeps in the row `cost-model`. Until it has, no job costs more than was
 * reserved for it: a slow device must not use up somebody's quota with its first pictures.
 */
import { z } from 'zod'
import { type CostModel, inReferenceMicros, isMeasured, newCostModel } from '../core/cost.ts'
import type { Database } from '../store/prisma.ts'
import { readState } from '../store/states.ts'

const ratio = z.object({ ratio: z.number().positive(), samples: z.number() })
const costModel: z.ZodType<CostModel> = z.object({
  devices: z.record(z.string(), ratio),
  kinds: z.record(z.string(), z.record(z.string(), ratio)),
})

/** The leader learns slowly, so nothing is lost by looking now and then. */
const freshMs = 5_000

/** Turns time on one device into what is charged for it. */
export class Charges {
  readonly #database: Database
  readonly #deviceClass: string
  readonly #onError: (error: unknown) => void
  #model = newCostModel
  #readAtMs = -Infinity

  constructor(database: Database, deviceClass: string, onError: (error: unknown) => void) {
    this.#database = database
    this.#deviceClass = deviceClass
    this.#onError = onError
  }

  /**
   * Microseconds of the reference device for a job for which so much was reserved; by the model
   * known before if the newest cannot be read.
   */
  async of(deviceMicros: number, reservedMicros: number): Promise<number> {
    if (performance.now() - this.#readAtMs > freshMs) {
      this.#readAtMs = performance.now()
      const state = await readState(this.#database, 'cost-model', costModel).catch(this.#onError)
      this.#model = state?.value ?? this.#model
    }
    const micros = inReferenceMicros(this.#model, this.#deviceClass, deviceMicros)
    return isMeasured(this.#model, this.#deviceClass) ? micros : Math.min(micros, reservedMicros)
  }
}
