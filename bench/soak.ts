/**
 * What needs real minutes: the whole house on a real database with the built-in model, started,
 * loaded and killed, each figure beside its target. `--only start,kills`, `--rounds N` of killing
 * (100), `--quick` for a look whether everything works. Ends with 1 if a target is missed.
 */
import { parseArgs } from 'node:util'
import { table } from './report.ts'
import { failover } from './soak/failover.ts'
import { hog } from './soak/hog.ts'
import { kills } from './soak/kills.ts'
import { type Figure, type Part } from './soak/part.ts'
import { shares } from './soak/shares.ts'
import { start } from './soak/start.ts'
import { storm } from './soak/storm.ts'

const parts: readonly Part[] = [start, shares, hog, kills, failover, storm]

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
})
const chosen = values.only?.toLowerCase().split(',')
const played = parts.filter(({ name }) => chosen?.includes(name) ?? true)
const rounds = Number(values.rounds ?? (values.quick ? 12 : 100))
if (!Number.isInteger(rounds) || rounds < 1 || played.length === 0) {
  const names = parts.map(({ name }) => name).join(',')
  console.error(`expected --rounds N, a whole number of 1 or more, and --only some of ${names}`)
  process.exit(2)
}
if (process.platform !== 'linux') {
  console.error('the soak reads processes from /proc, which only Linux has')
  process.exit(2)
}

const rows: (Figure & { readonly part: string })[] = []
for (const { name, what, run } of played) {
  const startMs = performance.now()
  console.log(`${name}: ${what}`)
  const figures = await run({ rounds, isQuick: values.quick }, (line) => console.log(`  ${line}`))
  const tookSeconds = Math.round((performance.now() - startMs) / 1000)
  console.log(`  took ${tookSeconds} s`)
  rows.push(...figures.map((figure) => ({ part: name, ...figure })))
}
const cells = rows.map(({ part, what, target, value, verdict }) => [
  `${part.padEnd(8)} ${what}`,
  target,
  value,
  verdict === 'told' ? '' : verdict,
])
console.log(`\n${table(['', 'target', 'measured', ''], cells)}`)
const missed = rows.filter(({ verdict }) => verdict === 'missed').length
console.log(missed === 0 ? '\nall targets are met' : `\n${missed} targets are missed`)
process.exit(missed === 0 ? 0 : 1)
