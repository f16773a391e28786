/** Scenario N: what one job costs the queue itself, on this machine's clock; told, not judged. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { FairQueue } from '../../src/core/fair-queue.ts'
import { percentile } from './measure.ts'
import { Random } from './random.ts'
import { type Scenario, atMost } from './scenario.ts'

const sizes = [
  { jobs: 10_000, guilds: 1_000 },
  { jobs: 1_000_000, guilds: 100_000 },
] as const
const rounds = 20_000
const running = 8

function heapBytes(): number {
  setFlagsFromString('--expose_gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') collect()
  return process.memoryUsage().heapUsed
}

/** Microseconds of dispatch + settle + enqueue at a steady depth, p50 and p99, and bytes a job. */
export function overhead(
  seed: number,
  { jobs, guilds }: { readonly jobs: number; readonly guilds: number },
): number[] {
  const random = new Random(seed)
  const queue = new FairQueue({ capacity: running })
  let made = 0
  const enqueue = (): void => {
    const id = String(made++).padStart(10, '0')
    const guild = `guild-${Math.floor(random.next() * guilds)}`
    const estimateMicros = 1 + Math.floor(random.next() * 1e6)
    queue.enqueue({ id, lane: 'fast', guild, member: 'only', estimateMicros, pictures: 1 })
  }
  const before = heapBytes()
  for (let k = 0; k < jobs; k++) enqueue()
  const bytes = (heapBytes() - before) / jobs

  const inFlight = Array.from({ length: running }, () => queue.dispatch(0)!)
  const micros = Array.from({ length: rounds }, (_, round) => {
    const startMs = performance.now()
    const job = inFlight[round % running]!
    queue.settle(job.id, job.estimateMicros)
    inFlight[round % running] = queue.dispatch(0)!
    enqueue()
    return (performance.now() - startMs) * 1000
  })
  return [percentile(micros, 0.5), percentile(micros, 0.99), bytes]
}

export const ownCost: Scenario = {
  name: 'N',
  what: 'dispatch + settle + enqueue on this machine, random guilds',
  figures: [
    atMost('10 000 jobs of 1000 guilds, p50, us', 5, 'nothing'),
    atMost('10 000 jobs of 1000 guilds, p99, us', 100, 'nothing'),
    atMost('10 000 jobs of 1000 guilds, bytes a job', 300, 'nothing'),
    atMost('1 000 000 jobs of 100 000 guilds, p50, us', 20, 'nothing'),
    atMost('1 000 000 jobs of 100 000 guilds, p99, us', 100, 'nothing'),
    atMost('1 000 000 jobs of 100 000 guilds, bytes a job', 300, 'nothing'),
  ],
  run: (seed) => sizes.flatMap((size) => overhead(seed, size)),
  mostSeeds: 1,
}
