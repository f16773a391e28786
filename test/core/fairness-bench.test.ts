/**
 * A short round of the fairness bench: one seed of each scenario that takes no time. Figures of
 * chance are judged by the bench over its twenty seeds; here only what must hold in every one.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { batches } from '../../bench/fairness/batches.ts'
import { crashes } from '../../bench/fairness/crashes.ts'
import { equalJobs } from '../../bench/fairness/equal-jobs.ts'
import { besideHogOf1024, besideHogOf2048 } from '../../bench/fairness/light-guilds.ts'
import { greedyMember } from '../../bench/fairness/members.ts'
import { Random } from '../../bench/fairness/random.ts'
import { atMost, play, within } from '../../bench/fairness/scenario.ts'
import {
  manyMembers,
  onAndOff,
  smallAgainstLarge,
  weightedGuilds,
  wrongEstimates,
} from '../../bench/fairness/shares.ts'
import { costMicros } from '../../bench/fairness/workload.ts'

const scenarios = [
  besideHogOf1024,
  besideHogOf2048,
  weightedGuilds,
  smallAgainstLarge,
  wrongEstimates,
  manyMembers,
  greedyMember,
  onAndOff,
  crashes,
  equalJobs,
  batches,
]

describe('a short round of the fairness bench', () => {
  for (const scenario of scenarios) {
    it(`keeps the bounds of ${scenario.name}: ${scenario.what}`, () => {
      const results = play(scenario, 1)
      const shown = results.map(({ what, median }) => `${what} ${Number(median.toPrecision(4))}`)
      console.log(`measured: fairness ${scenario.name}: ${shown.join('; ')}`)
      const missed = results.filter(
        ({ verdict }, at) =>
          verdict === 'missed' && scenario.figures[at]!.judgedBy === 'every seed',
      )
      assert.deepEqual(missed, [])
    })
  }
})

describe('a scenario', () => {
  const draws = [3, 1, 2]
  const scenario = {
    name: 'X',
    what: 'draws',
    figures: [
      atMost('strict', 2, 'every seed'),
      atMost('lenient', 2, 'median'),
      within('far off', 0, 0.5, 'median'),
    ],
    run: (seed: number) => [draws[seed]!, draws[seed]!, -draws[seed]!],
  }

  it('is judged by every seed or by the middle one, and shown with the worst', () => {
    const results = play(scenario, 3)
    assert.deepEqual(
      results.map(({ median, worst, verdict }) => [median, worst, verdict]),
      [
        [2, 3, 'missed'],
        [2, 3, 'ok'],
        [-2, -3, 'missed'],
      ],
    )
  })
})

describe('the simulated costs', () => {
  it('are those of the reference device', () => {
    assert.deepEqual(
      [256, 1024, 2048].map((side) => costMicros(side as 256)),
      [193e3, 777e3, 4160e3],
    )
  })

  it('come by chances that are the same for the same seed', () => {
    const draws = (seed: number): number[] => {
      const random = new Random(seed)
      return Array.from({ length: 1000 }, () => random.next())
    }
    assert.deepEqual(draws(7), draws(7))
    assert.notDeepEqual(draws(7), draws(8))
    const mean = draws(7).reduce((sum, draw) => sum + draw, 0) / 1000
    assert.ok(Math.abs(mean - 0.5) < 0.05)
  })
})
