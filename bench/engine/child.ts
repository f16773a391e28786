/**
 * The process of one measurement: is told which, with its arguments, and sends back the result.
 * Ends by itself; it has nothing to clean up.
 */
import { measurements } from './measurements.ts'

const told: unknown = JSON.parse(process.argv[2] ?? '[]')
const [name, ...args]: unknown[] = Array.isArray(told) ? told : []
const measurement = Object.entries<(...args: never[]) => Promise<unknown>>(measurements).find(
  ([known]) => known === name,
)?.[1]
if (!measurement) throw new Error(`internal: no measurement named ${String(name)}`)
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the parent's types are the same
const result = await measurement(...(args as never[]))
process.send?.(result, () => process.disconnect())
