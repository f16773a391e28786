/**
 * The cost model as a row in `states`: learnt and written by the leader, read by workers, who turn
 * the time of their device into that of the reference device with it.
 */
import { z } from 'zod'
import { type CostModel, newCostModel } from '../core/cost.ts'
import type { Database, Transaction } from './prisma.ts'
import { readState, writeState } from './states.ts'

const name = 'cost-model'

const ratios = z.record(
  z.string(),
  z.object({ ratio: z.number().positive(), samples: z.int().nonnegative() }),
)
const schema: z.ZodType<CostModel> = z.object({
  devices: ratios,
  kinds: z.record(z.string(), ratios),
})

/** What has been learnt so far; of a house that has drawn nothing, nothing. */
export async function readCostModel(database: Database | Transaction): Promise<CostModel> {
  return (await readState(database, name, schema))?.value ?? newCostModel
}

/** Keeps what has been learnt. */
export async function saveCostModel(
  database: Database | Transaction,
  { devices, kinds }: CostModel,
): Promise<void> {
  await writeState(database, name, { devices, kinds })
}
