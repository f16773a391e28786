/** Admission on a real Postgres: every refusal, their order, and that nobody overspends. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import type { GuildSettings } from '../../src/core/guild.ts'
import { RateLimit } from '../../src/jobs/rate-limit.ts'
import { type Admission, type Asked, priceMicros, submit } from '../../src/jobs/submit.ts'
import { keptMs } from '../../src/jobs/word-lists.ts'
import { JobEvents } from '../../src/queue/events.ts'
import { ensureGuild, ensureMember, saveSettings } from '../../src/store/guilds.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { setQuota } from '../../src/store/quota.ts'
import { newDatabase } from '../store/database.ts'
import { newAsked, newName, newSpec, refusalOf } from './admission.ts'

const url = await newDatabase()
const database = openDatabase(url)

describe('submit', () => {
  const startMs = Date.UTC(2026, 0, 1)
  const minuteMs = 60_000
  const dayMs = 86_400_000
  const rateLimit = new RateLimit()
  const price = priceMicros(newSpec())

  after(async () => {
    await rateLimit.close()
    await closeDatabase(database)
  })

  const admission = (facts: Partial<Admission> = {}): Admission => ({
    database,
    rateLimit,
    predictWaitMs: () => 0,
    now: () => startMs,
    ...facts,
  })
  const guildOf = (asked: Asked) => ensureGuild(database, { ...asked, platformId: asked.guild })
  const memberOf = async (asked: Asked) =>
    ensureMember(database, await guildOf(asked), { ...asked, id: asked.member })
  const set = async (asked: Asked, settings: Partial<GuildSettings>): Promise<void> => {
    const guild = await guildOf(asked)
    await saveSettings(database, guild, { ...guild.settings, ...settings }, startMs)
  }
  const again = (asked: Asked): Asked => ({ ...asked, invocationId: newName() })
  /** A member's quota of so many small pictures a day, up to twice that in the relaxed lane. */
  const quotaOf = (pictures: number) => ({
    refillMicros: pictures * price,
    windowMs: dayMs,
    hardCapMicros: 2 * pictures * price,
  })

  describe('a job that may enter', () => {
    it('is stored queued, in the fast lane, with where the answer goes', async () => {
      const asked = newAsked()
      const { job } = await submit(admission(), asked, newSpec())
      const { state, lane, guild, member, replyTo } = job
      assert.deepEqual(
        { state, lane, guild, member, replyTo },
        {
          state: 'queued',
          lane: 'fast',
          guild: `discord:${asked.guild}`,
          member: asked.member,
          replyTo: asked.replyTo,
        },
      )
    })

    it('keeps its spec word for word', async () => {
      const spec = newSpec({ prompt: '雪中的狐狸 "quoted" {x}', isPrivate: true, count: 2 })
      assert.deepEqual((await submit(admission(), newAsked(), spec)).job.spec, spec)
    })

    it('is told to every process', async () => {
      const events = await JobEvents.open(url, (error) => assert.fail(String(error)))
      const heard = new Promise((resolve) => events.subscribe(resolve))
      const { job } = await submit(admission(), newAsked(), newSpec())
      assert.deepEqual(await heard, { type: 'queued', jobId: job.id })
      await events.close()
    })

    it('reserves its price', async () => {
      const { job } = await submit(admission(), newAsked(), newSpec())
      const entries = await database.ledgerEntry.findMany({ where: { jobId: job.id } })
      assert.deepEqual(
        entries.map(({ kind, micros }) => [kind, Number(micros)]),
        [['reservation', -price]],
      )
    })
  })

  describe('refuses', () => {
    it('a guild that is not served', async () => {
      const servedGuilds = new Set(['discord:other'])
      const { code } = await refusalOf(submit(admission({ servedGuilds }), newAsked(), newSpec()))
      assert.equal(code, 'guild-not-served')
    })

    it('a guild that has paused, with its reason', async () => {
      const asked = newAsked()
      await set(asked, { isPaused: true, pauseReason: 'moving house' })
      assert.deepEqual(await refusalOf(submit(admission(), asked, newSpec())), {
        code: 'guild-paused',
        params: { reason: 'moving house' },
      })
    })

    it('a channel that is closed', async () => {
      const asked = newAsked()
      await set(asked, { allowedChannels: ['elsewhere'] })
      const { code } = await refusalOf(submit(admission(), asked, newSpec()))
      assert.equal(code, 'channel-closed')
    })

    const block = async (asked: Asked, until: Date | null): Promise<void> => {
      const [{ row: guildId }, { row: memberId }] = [await guildOf(asked), await memberOf(asked)]
      await database.block.create({ data: { guildId, memberId, until } })
    }

    it('a member who is blocked', async () => {
      const asked = newAsked()
      await block(asked, null)
      const { code } = await refusalOf(submit(admission(), asked, newSpec()))
      assert.equal(code, 'member-blocked')
    })

    it('a member who is blocked for a time, with its end', async () => {
      const asked = newAsked()
      await block(asked, new Date(startMs + 10 * minuteMs))
      assert.deepEqual(await refusalOf(submit(admission(), asked, newSpec())), {
        code: 'member-blocked-for',
        params: { waitMs: 10 * minuteMs, wait: 10, unit: 'minute' },
      })
    })

    it('no member whose block is over', async () => {
      const asked = newAsked()
      await block(asked, new Date(startMs))
      assert.equal((await submit(admission(), asked, newSpec())).isDuplicate, false)
    })

    const forbid = async (asked: Asked, word: string): Promise<void> => {
      await database.word.create({ data: { guildId: (await guildOf(asked)).row, word } })
    }

    it('a prompt with a word of the list, which the audit log then has', async () => {
      const asked = newAsked()
      await forbid(asked, 'fox')
      const refusal = await refusalOf(submit(admission(), asked, newSpec({ prompt: 'A ＦＯＸ!' })))
      const entries = await database.auditEntry.findMany({
        where: { guildId: (await guildOf(asked)).row },
      })
      assert.deepEqual(refusal, { code: 'prompt-refused', params: { rule: 'fox' } })
      assert.deepEqual(
        entries.map(({ action, facts }) => [action, facts]),
        [['prompt refused', { rule: 'fox', kind: 'imagine' }]],
      )
    })

    it('no picture that is to keep away from such a word', async () => {
      const asked = newAsked()
      await forbid(asked, 'blood')
      const spec = newSpec({ negativePrompt: 'blood' })
      assert.equal((await submit(admission(), asked, spec)).isDuplicate, false)
    })

    it('a size that the guild does not allow', async () => {
      const asked = newAsked()
      await set(asked, { mostSide: 256 })
      const { code } = await refusalOf(submit(admission(), asked, newSpec()))
      assert.equal(code, 'size-not-allowed')
    })

    it('more pictures than the guild allows', async () => {
      const { code } = await refusalOf(submit(admission(), newAsked(), newSpec({ count: 5 })))
      assert.equal(code, 'job-too-large')
    })

    it('one job more than a member may have, with when to come back', async () => {
      const asked = newAsked()
      await set(asked, { memberInFlight: 1, memberQueued: 1 })
      const busy = admission({ predictWaitMs: () => 2 * minuteMs })
      await submit(busy, asked, newSpec())
      await submit(busy, again(asked), newSpec())
      assert.deepEqual(await refusalOf(submit(busy, again(asked), newSpec())), {
        code: 'member-queue-full',
        params: { most: 2, waitMs: minuteMs, wait: 60, unit: 'second' },
      })
    })

    it('one job more than a guild may have waiting', async () => {
      const asked = newAsked()
      await set(asked, { guildQueued: 1 })
      await submit(admission(), asked, newSpec())
      const other = { ...again(asked), member: newName() }
      const { code } = await refusalOf(submit(admission(), other, newSpec()))
      assert.equal(code, 'guild-queue-full')
    })

    it('a job that would wait too long, with when to come back', async () => {
      const predictWaitMs = (): number => 20 * minuteMs
      assert.deepEqual(
        await refusalOf(submit(admission({ predictWaitMs }), newAsked(), newSpec())),
        {
          code: 'wait-too-long',
          params: { mostMinutes: 15, waitMs: 5 * minuteMs, wait: 5, unit: 'minute' },
        },
      )
    })

    it('a member who asks too often', async () => {
      const asked = newAsked()
      await set(asked, { memberPerMinute: 1 })
      await submit(admission(), asked, newSpec())
      const { code, params } = await refusalOf(submit(admission(), again(asked), newSpec()))
      assert.deepEqual([code, params.wait, params.unit], ['member-rate-limited', 61, 'second'])
    })

    it('a guild that asks too often', async () => {
      const asked = newAsked()
      await set(asked, { guildPerMinute: 1 })
      await submit(admission(), asked, newSpec())
      const other = { ...again(asked), member: newName() }
      const { code } = await refusalOf(submit(admission(), other, newSpec()))
      assert.equal(code, 'guild-rate-limited')
    })

    it('a job at the hard cap, with when to come back', async () => {
      const asked = newAsked()
      await setQuota(database, await guildOf(asked), { scope: 'everyone' }, quotaOf(1))
      await submit(admission(), asked, newSpec())
      await submit(admission(), again(asked), newSpec())
      const { code, params } = await refusalOf(submit(admission(), again(asked), newSpec()))
      assert.deepEqual([code, params.whose, params.unit], ['quota-used-up', 'member', 'hour'])
      const now = (): number => startMs + Number(params.waitMs)
      assert.equal((await submit(admission({ now }), again(asked), newSpec())).job.lane, 'relax')
    })

    it('a job that is larger than the whole quota', async () => {
      const asked = newAsked()
      await setQuota(database, await guildOf(asked), { scope: 'guild' }, quotaOf(1))
      const { code, params } = await refusalOf(submit(admission(), asked, newSpec({ count: 4 })))
      assert.deepEqual([code, params.whose], ['quota-too-small', 'guild'])
    })

    it('for the cheapest reason when there are several', async () => {
      const asked = newAsked()
      await set(asked, { isPaused: true, mostSide: 256 })
      await forbid(asked, 'fox')
      await block(asked, null)
      let clockMs = startMs
      const wrong = admission({
        predictWaitMs: () => 20 * minuteMs,
        now: () => (clockMs += 2 * keptMs),
      })
      const codes: string[] = []
      const attempt = async (): Promise<void> => {
        codes.push((await refusalOf(submit(wrong, asked, newSpec()))).code)
      }
      await attempt()
      await set(asked, { isPaused: false })
      await attempt()
      await database.block.deleteMany({ where: { guildId: (await guildOf(asked)).row } })
      await attempt()
      await database.word.deleteMany({ where: { guildId: (await guildOf(asked)).row } })
      await attempt()
      await set(asked, { mostSide: 2048 })
      await attempt()
      assert.deepEqual(codes, [
        'guild-paused',
        'member-blocked',
        'prompt-refused',
        'size-not-allowed',
        'wait-too-long',
      ])
    })
  })

  describe('the same thing said twice', () => {
    it('is one job', async () => {
      const asked = newAsked()
      const first = await submit(admission(), asked, newSpec())
      const second = await submit(admission(), asked, newSpec({ prompt: 'said otherwise' }))
      assert.deepEqual([second.job.id, second.isDuplicate], [first.job.id, true])
    })

    it('at once is one job, paid once', async () => {
      const asked = newAsked()
      const both = await Promise.all([1, 2, 3].map(() => submit(admission(), asked, newSpec())))
      assert.equal(new Set(both.map(({ job }) => job.id)).size, 1)
      assert.equal(both.filter(({ isDuplicate }) => !isDuplicate).length, 1)
      const { row } = await memberOf(asked)
      assert.equal(await database.ledgerEntry.count({ where: { memberId: row } }), 1)
    })
  })

  describe('quota', () => {
    it('once used up leads to the relaxed lane, and says when it would not', async () => {
      const asked = newAsked()
      await setQuota(database, await guildOf(asked), { scope: 'everyone' }, quotaOf(1))
      const first = await submit(admission(), asked, newSpec())
      const second = await submit(admission(), again(asked), newSpec())
      assert.deepEqual([first.job.lane, first.fastInMs], ['fast', 0])
      assert.equal(second.job.lane, 'relax')
      assert.ok(Math.abs(second.fastInMs - dayMs) < minuteMs, `got ${second.fastInMs}`)
    })

    for (const scope of ['everyone', 'guild'] as const) {
      it(`of ${scope} is not overspent by 20 who ask at once`, async () => {
        const asked = newAsked()
        const roomy = { memberQueued: 100, memberPerMinute: 100, guildPerMinute: 100 }
        await set(asked, roomy)
        await setQuota(database, await guildOf(asked), { scope }, quotaOf(3))
        const tries = Array.from({ length: 20 }, () => submit(admission(), again(asked), newSpec()))
        const results = await Promise.allSettled(tries)
        const lanes = results.map((result) =>
          result.status === 'fulfilled' ? result.value.job.lane : String(result.reason.code),
        )
        const count = (what: string): number => lanes.filter((lane) => lane === what).length
        assert.deepEqual(
          { fast: count('fast'), relax: count('relax'), refused: count('quota-used-up') },
          { fast: 3, relax: 3, refused: 14 },
        )
        const { row } = await memberOf(asked)
        const { _sum } = await database.ledgerEntry.aggregate({
          where: { memberId: row },
          _sum: { micros: true },
        })
        assert.equal(Number(_sum.micros), -6 * price)
      })
    }

    it('caps hold against 20 who ask at once', async () => {
      const asked = newAsked()
      await set(asked, { memberPerMinute: 100, guildPerMinute: 100 })
      const tries = Array.from({ length: 20 }, () => submit(admission(), again(asked), newSpec()))
      const results = await Promise.allSettled(tries)
      assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 6)
    })

    it('that was never set is the default one', async () => {
      const asked = newAsked()
      const { job } = await submit(admission(), asked, newSpec())
      const { row } = await memberOf(asked)
      const balance = await database.balance.findUniqueOrThrow({ where: { memberId: row } })
      assert.equal(Number(balance.micros), -job.estimateMicros)
    })
  })
})

describe('a price', () => {
  const price = priceMicros(newSpec())

  it('is for pictures of one job what it is for as many jobs, but for reading the words once', () => {
    const [two, three] = [2, 3].map((count) => priceMicros(newSpec({ count })))
    assert.ok(two! < 2 * price && Math.abs(three! - two! - (two! - price)) <= 2)
  })

  it('is about double with guidance, which draws each step twice', () => {
    const ratio =
      priceMicros(newSpec({ guidance: 4, evaluations: 100 })) /
      priceMicros(newSpec({ evaluations: 100 }))
    assert.ok(ratio > 1.9 && ratio <= 2, `got ${ratio}`)
  })

  it('is for the steps that are drawn of a picture to start from', () => {
    const edit = { kind: 'edit', image: 'blob', strength: 0.5 } as const
    assert.equal(priceMicros(newSpec({ ...edit, evaluations: 16 })), price)
  })
})
