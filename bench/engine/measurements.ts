/**
 * What is measured. Each measurement runs in a process of its own, so that neither memory nor
 * threads of another are in its figures; arguments and results pass between processes as JSON.
 */
import { Session } from '../../src/engine/onnx/session.ts'
import { type BlockDType, bareProducts, block, blockFeeds, openBlock } from './block.ts'
import { networkCalls, openAndClose, painter } from './built-in.ts'
import { forgetPeak, peakBytes, processMemory, watchOthers } from './machine.ts'
import { inTurn, time } from './rounds.ts'

/** Memory of one process; undefined where the system cannot tell. */
export type MemoryUse = {
  /** Resident before anything was opened: Node, onnxruntime and our code. */
  readonly beforeBytes: number | undefined
  /** Largest resident size until the end of the first run. */
  readonly peakBytes: number
  /** Largest resident size of a second run. */
  readonly laterPeakBytes: number | undefined
}

/** As published, 16-bit weights are widened in every run and never kept. */
const asPublished = { expandsWeights: false }

async function builtInTimes(rounds: number) {
  const first = await time(async () => {
    const { paint, close } = await painter()
    await paint()
    await close()
  })
  const networks = await networkCalls()
  const { paint, close } = await painter()
  const others = watchOthers()
  const timings = await inTurn(rounds, {
    open: openAndClose,
    ...networks,
    picture: () => paint(),
    twoInTurn: async () => {
      await paint()
      await paint()
    },
    twoTogether: () => paint(2),
  })
  const othersShare = others()
  await close()
  return { first, timings, othersShare }
}

async function blockTimes(folder: string, seq: number, rounds: number) {
  const [wide, narrow] = [await openBlock(folder, 'float32'), await openBlock(folder, 'bfloat16')]
  const sessions = {
    bare: await Session.create(bareProducts(wide), asPublished),
    float32: await Session.create(block(wide), asPublished),
    bfloat16: await Session.create(block(narrow), asPublished),
  }
  const feeds = blockFeeds(seq)
  const others = watchOthers()
  const timings = await inTurn(rounds, {
    bare: () => sessions.bare.run({ x: feeds['x']! }),
    float32: () => sessions.float32.run(feeds),
    bfloat16: () => sessions.bfloat16.run(feeds),
  })
  const othersShare = others()
  const [y, narrowY] = [await sessions.float32.run(feeds), await sessions.bfloat16.run(feeds)]
  const difference = relativeDifference(narrowY['y']!.data, y['y']!.data)
  for (const session of Object.values(sessions)) await session.release()
  return { timings, othersShare, difference }
}

async function builtInMemory(): Promise<MemoryUse> {
  return memoryOf(async () => {
    const { paint } = await painter()
    return () => paint()
  })
}

async function blockMemory(folder: string, dtype: BlockDType, seq: number): Promise<MemoryUse> {
  const weights = await openBlock(folder, dtype)
  const feeds = blockFeeds(seq)
  return memoryOf(async () => {
    const session = await Session.create(block(weights), asPublished)
    return () => session.run(feeds)
  })
}

/** Opens something and runs it twice; it is released by the end of the process. */
async function memoryOf(open: () => Promise<() => Promise<unknown>>): Promise<MemoryUse> {
  const beforeBytes = processMemory(process.pid)?.residentBytes
  const run = await open()
  await run()
  const firstPeakBytes = peakBytes()
  const isForgotten = forgetPeak()
  await run()
  return {
    beforeBytes,
    peakBytes: firstPeakBytes,
    laterPeakBytes: isForgotten ? peakBytes() : undefined,
  }
}

/** |a - b| / |b|; throws if either is not finite, for then nothing that was timed is worth a word. */
function relativeDifference(a: Float32Array, b: Float32Array): number {
  let [difference, size] = [0, 0]
  for (const [i, value] of b.entries()) {
    difference += (a[i]! - value) ** 2
    size += value ** 2
  }
  const relative = Math.sqrt(difference / size)
  if (!Number.isFinite(relative)) throw new Error(`expected finite outputs, got ${relative}`)
  return relative
}

/** Every measurement, by the name that `child.ts` is told. */
export const measurements = { builtInTimes, builtInMemory, blockTimes, blockMemory }
