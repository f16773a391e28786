/**
 * Measures the engine on this machine: the built-in model as it is used, and one transformer block
 * of the released width beside the bare matrix products in it. Everything of a table was timed in
 * turn in one process, memory in others. Prints figures, judges none; exit code 1 if it failed.
 *   npm run bench:engine -- [--quick] [--json FILE]
 */
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { blockBytes, blockFlops, blockShape, linearFlops, writeBlock } from './engine/block.ts'
import { evaluations, side } from './engine/built-in.ts'
import { machineFacts } from './engine/machine.ts'
import type { MemoryUse } from './engine/measurements.ts'
import { type SampledMemory, measure, measureMemory } from './engine/parent.ts'
import type { Timing } from './engine/rounds.ts'
import { digits, median, ratios, spread, table } from './report.ts'

const { values: options } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
})
/** Image tokens and 32 caption tokens; pictures of 256 and 512 pixels a side. */
const tokenCounts = options.quick ? [288] : [288, 1056]
const builtInRounds = options.quick ? 5 : 20
const blockRounds = options.quick ? 3 : 7
/** Left free on the disk beside our files. */
const spareBytes = 256 * 2 ** 20

type Memory = MemoryUse & { readonly sampled: SampledMemory | undefined }

const seconds = (timings: readonly Timing[]): number[] => timings.map((timing) => timing.seconds)
const processor = (timings: readonly Timing[]): number[] =>
  timings.map((timing) => timing.processorSeconds)
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`
const megabytes = (bytes: number | undefined): string =>
  bytes === undefined ? '?' : (bytes / 1e6).toFixed(0)

/** What is going on, for whoever waits; not part of the report. */
function say(what: string): void {
  console.error(`... ${what}`)
}

async function builtInModel() {
  say('built-in model, times')
  const { first, timings, othersShare } = await measure('builtInTimes', builtInRounds)
  const row = (what: string, timed: readonly Timing[]): string[] => [
    what,
    spread(seconds(timed)),
    digits(median(processor(timed))),
  ]
  console.log(
    `\nBuilt-in model, ${side}x${side}, ${builtInRounds} rounds; others used ${percent(othersShare)} of the processors`,
  )
  console.log(
    table(
      ['', 'seconds', 'processor seconds'],
      [
        row('open', timings.open),
        row('read a prompt', timings.readPrompt),
        row('evaluate the transformer, 1 picture', timings.evaluateOne),
        row('evaluate the transformer, 4 pictures', timings.evaluateFour),
        row('decode', timings.decode),
        row(`picture, all of it, ${evaluations} evaluations`, timings.picture),
        row('two pictures, one after another', timings.twoInTurn),
        row('two pictures, together', timings.twoTogether),
        ['first picture, from opening on', digits(first.seconds), digits(first.processorSeconds)],
      ],
    ),
  )
  const { twoTogether, twoInTurn } = timings
  const wall = spread(ratios(seconds(twoTogether), seconds(twoInTurn)))
  const cpu = digits(median(ratios(processor(twoTogether), processor(twoInTurn))))
  console.log(
    `two ${side}x${side} pictures together to one after another: ${wall} in seconds, ${cpu} in processor seconds`,
  )
  return { first, timings, othersShare }
}

async function transformerBlock(folder: string, seq: number) {
  say(`transformer block, ${seq} tokens, times`)
  const { timings, othersShare, difference } = await measure('blockTimes', folder, seq, blockRounds)
  const row = (what: string, timed: readonly Timing[], flops: number): string[] => [
    what,
    spread(seconds(timed)),
    digits(flops / median(seconds(timed)) / 1e9),
    spread(ratios(seconds(timed), seconds(timings.bare))),
    digits(median(processor(timed))),
    digits(median(ratios(processor(timed), processor(timings.bare)))),
  ]
  console.log(
    `\nTransformer block, ${seq} tokens, ${blockRounds} rounds; others used ${percent(othersShare)} of the processors`,
  )
  console.log(
    table(
      ['', 'seconds', 'GFLOP/s', 'to bare', 'processor seconds', 'to bare'],
      [
        row('bare matrix products, float32', timings.bare, linearFlops(seq)),
        row('block, float32 file', timings.float32, blockFlops(seq)),
        row('block, bfloat16 file by Cast', timings.bfloat16, blockFlops(seq)),
      ],
    ),
  )
  const { float32, bfloat16 } = timings
  const wall = spread(ratios(seconds(bfloat16), seconds(float32)))
  const cpu = digits(median(ratios(processor(bfloat16), processor(float32))))
  console.log(`bfloat16 to float32: ${wall} in seconds, ${cpu} in processor seconds`)
  console.log(`their outputs differ by ${difference.toExponential(1)}, the weights' rounding`)
  return { timings, othersShare, difference }
}

async function memory(folder: string): Promise<Record<string, Memory>> {
  say('memory')
  const uses: Record<string, Memory> = {
    'built-in model, pictures': await measureMemory('builtInMemory'),
  }
  for (const seq of tokenCounts) {
    for (const dtype of ['float32', 'bfloat16'] as const) {
      const use = await measureMemory('blockMemory', folder, dtype, seq)
      uses[`block, ${dtype} file, ${seq} tokens`] = use
    }
  }
  const rows = Object.entries(uses).map(([what, use]) => [
    what,
    megabytes(use.beforeBytes),
    megabytes(use.peakBytes),
    megabytes(use.laterPeakBytes),
    megabytes(use.sampled?.anonymousBytes),
    megabytes(use.sampled?.fileBytes),
  ])
  console.log('\nLargest resident memory in MB, each in a process of its own')
  console.log(
    table(['', 'before', 'opening and first run', 'second run', 'own pages', 'file pages'], rows),
  )
  console.log(
    'own and file pages: the most seen from outside every 5 ms, not always at the same moment',
  )
  if (rows.some((row) => row.includes('?'))) console.log('?: this system does not say')
  return uses
}

/** Removed however this process ends, except by force. */
function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'zimagine-bench-'))
  process.on('exit', () => {
    // Windows cannot remove what a dying child still has mapped.
    rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  })
  for (const [signal, exitCode] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
    process.on(signal, () => process.exit(exitCode))
  }
  return path
}

function checkFreeSpace(folder: string, neededBytes: number): void {
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize < neededBytes + spareBytes) {
    throw new Error(
      `expected ${megabytes(neededBytes + spareBytes)} MB free in ${folder}, got ${megabytes(bavail * bsize)} MB; TMPDIR may name another folder`,
    )
  }
}

const startMs = performance.now()
const folder = temporaryFolder()
const facts = { ...machineFacts(), date: new Date().toISOString() }
const fileBytes = { float32: blockBytes(4), bfloat16: blockBytes(2) }
checkFreeSpace(folder, fileBytes.float32 + fileBytes.bfloat16)

console.log('Engine benchmark')
for (const [what, fact] of Object.entries(facts)) console.log(`${what.padEnd(12)} ${fact}`)
console.log(`
Times are medians (smallest to largest) of rounds in which everything of a table is timed once, in
turn, with as many threads as cores, after one round that does not count. Processor seconds are all
threads' together; others on the machine lengthen them less.
Block: ${blockShape}, as the released one; random weights in files of
${megabytes(fileBytes.float32)} and ${megabytes(fileBytes.bfloat16)} MB, in the page cache. FLOP of S tokens: linears 2*S*(4*D*D + 3*D*K) with D 3840,
K 10240, and for the block attention 4*S*S*D. "to bare" divides by the bare products of the same
round: the block's seven linear layers alone, float32.`)

const builtIn = await builtInModel()
say('writing random weights')
await writeBlock(folder, 'float32')
await writeBlock(folder, 'bfloat16')
const blocks: Record<number, Awaited<ReturnType<typeof transformerBlock>>> = {}
for (const seq of tokenCounts) blocks[seq] = await transformerBlock(folder, seq)
const uses = await memory(folder)
const tookSeconds = (performance.now() - startMs) / 1000
console.log(`\nTook ${tookSeconds.toFixed(0)} seconds`)
if (options.json !== undefined) {
  const results = { facts, builtIn, blocks, memory: uses, tookSeconds }
  writeFileSync(options.json, `${JSON.stringify(results, undefined, 2)}\n`)
}
