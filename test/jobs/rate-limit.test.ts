/** The rate limit, on a clock of the test's own. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type Asking, RateLimit } from '../../src/jobs/rate-limit.ts'
import { refusalOf } from './admission.ts'

describe('the rate limit', () => {
  let rateLimit: RateLimit

  beforeEach(() => {
    mock.timers.enable({ apis: ['Date', 'setInterval'], now: 1_000_000 })
    rateLimit = new RateLimit()
  })
  afterEach(async () => {
    await rateLimit.close()
    mock.timers.reset()
  })

  const asking = (facts: Partial<Asking> = {}): Asking => ({
    guild: 'discord:1',
    member: 'ann',
    memberPerMinute: 10,
    guildPerMinute: 60,
    ...facts,
  })
  /** How many of so many who ask at once get in. */
  const admitted = async (count: number, facts: Partial<Asking> = {}): Promise<number> => {
    const tries = Array.from({ length: count }, () => rateLimit.take(asking(facts)))
    const results = await Promise.allSettled(tries)
    return results.filter(({ status }) => status === 'fulfilled').length
  }
  const pass = async (ms: number): Promise<void> => {
    for (let passedMs = 0; passedMs < ms; passedMs += 1_000) {
      // In one go all intervals would be called at the last moment.
      mock.timers.tick(1_000)
    }
    await turn()
  }

  it("admits a minute's worth at once and no more", async () => {
    assert.equal(await admitted(30), 10)
  })

  it('admits again when it said it would', async () => {
    await admitted(10)
    const { code, params } = await refusalOf(rateLimit.take(asking()))
    assert.deepEqual([code, params.most], ['member-rate-limited', 10])
    await pass(Number(params.waitMs))
    assert.equal(await admitted(30), 1)
  })

  it('admits a whole minute again after a minute, and no more after ten', async () => {
    await admitted(10)
    await pass(61_000)
    assert.equal(await admitted(30), 10)
    await pass(600_000)
    assert.equal(await admitted(30), 10)
  })

  it('counts each member alone, and members of the same name in two guilds', async () => {
    await admitted(10)
    assert.equal(await admitted(1, { member: 'bob' }), 1)
    assert.equal(await admitted(1, { guild: 'slack:1' }), 1)
  })

  it('counts a guild as a whole', async () => {
    const counts = await Promise.all(
      ['a', 'b', 'c'].map((member) => admitted(4, { member, guildPerMinute: 6 })),
    )
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      6,
    )
  })

  it('takes nothing from a member whose guild is refused', async () => {
    await admitted(1, { guildPerMinute: 1, member: 'bob' })
    const { code } = await refusalOf(rateLimit.take(asking({ guildPerMinute: 1 })))
    assert.equal(code, 'guild-rate-limited')
    assert.equal(await admitted(30), 10)
  })

  it('keeps to rates that do not divide a minute', async () => {
    assert.equal(await admitted(30, { memberPerMinute: 7 }), 7)
    await pass(600_000)
    assert.equal(await admitted(30, { memberPerMinute: 7 }), 7)
  })
})
