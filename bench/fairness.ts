/**
 * Plays the fairness scenarios over the queue that the house runs on, in simulated time, and prints
 * each figure beside its target. `--seeds N` (20), `--only A,C`. Ends with 1 if a target is missed.
 */
import { parseArgs } from 'node:util'
import { batches } from './fairness/batches.ts'
import { crashes } from './fairness/crashes.ts'
import { equalJobs } from './fairness/equal-jobs.ts'
import { besideHogOf1024, besideHogOf2048, zipfGuilds } from './fairness/light-guilds.ts'
import { greedyMember } from './fairness/members.ts'
import { ownCost } from './fairness/overhead.ts'
import { type Result, play } from './fairness/scenario.ts'
import {
  manyDevices,
  manyMembers,
  onAndOff,
  smallAgainstLarge,
  weightedGuilds,
  wrongEstimates,
} from './fairness/shares.ts'
import { waitingTimes } from './fairness/waiting-times.ts'
import { digits, table } from './report.ts'

const scenarios = [
  besideHogOf1024,
  besideHogOf2048,
  zipfGuilds,
  weightedGuilds,
  smallAgainstLarge,
  wrongEstimates,
  manyMembers,
  greedyMember,
  manyDevices,
  onAndOff,
  crashes,
  equalJobs,
  batches,
  waitingTimes,
  ownCost,
]

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '20' }, only: { type: 'string' } },
})
const seeds = Number(values.seeds)
const chosen = values.only?.toUpperCase().split(',')
const played = scenarios.filter(({ name }) => chosen?.includes(name) ?? true)
if (!Number.isInteger(seeds) || seeds < 1 || played.length === 0) {
  const names = scenarios.map(({ name }) => name).join(',')
  console.error(`expected --seeds N, a whole number of 1 or more, and --only some of ${names}`)
  process.exit(2)
}

const rows: Result[] = []
for (const scenario of played) {
  console.log(`${scenario.name.padEnd(3)} ${scenario.what}`)
  rows.push(...play(scenario, seeds))
}
const cells = rows.map(({ name, what, target, median, worst, verdict }) => [
  `${name.padEnd(3)} ${what}`,
  target,
  digits(median),
  digits(worst),
  verdict,
])
console.log(`\n${table(['', 'target', 'median', 'worst', ''], cells)}`)
const missed = rows.filter(({ verdict }) => verdict === 'missed').length
console.log(missed === 0 ? '\nall judged targets are met' : `\n${missed} targets are missed`)
process.exitCode = missed === 0 ? 0 : 1
