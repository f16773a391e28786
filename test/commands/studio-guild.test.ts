/** `studio` weight, pause, channels and settings: what holds afterwards, what is said, what is audited. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { verbs } from '../../src/core/permission.ts'
import { JobEvents } from '../../src/queue/events.ts'
import type { GuildSettings } from '../../src/core/guild.ts'
import type { Context } from '../../src/chat/command.ts'
import { studio } from '../../commands/studio.ts'
import { refusalOf } from '../jobs/admission.ts'
import { newContext, next, run, url } from './context.ts'
import { auditOf, newGuild } from './moderators.ts'

const settingsOf = async (context: Context): Promise<GuildSettings> =>
  (await next(context)).guild.settings

describe('studio', () => {
  it('is for moderators, and its weight for operators', () => {
    for (const [name, { verb }] of Object.entries(studio.actions)) {
      assert.equal(verbs[verb], name === 'weight' ? 'operator' : 'moderator', name)
    }
  })
})

describe('studio weight', () => {
  it('is set, audited, and told to the leader', async () => {
    const operator = await newContext({ rank: 'operator' })
    const events = await JobEvents.open(url, (error) => assert.fail(String(error)))
    const heard = new Promise((resolve) => events.subscribe(resolve))
    const { text } = await run(operator, 'studio weight', { weight: 4 })
    assert.match(text, /now 4; before, it was 1\. To undo this, set 1 again/)
    assert.deepEqual(await heard, { type: 'guild', guild: String(operator.guild.row) })
    assert.equal((await settingsOf(operator)).weight, 4)
    assert.deepEqual(await auditOf(operator), [['weight set', { was: 1, is: 4 }]])
    await events.close()
  })

  it('out of its range is refused with the nearest', async () => {
    const operator = await newContext({ rank: 'operator' })
    const { params } = await refusalOf(run(operator, 'studio weight', { weight: 12 }))
    assert.equal(params.nearest, 10)
  })
})

describe('studio pause', () => {
  it('refuses new jobs with its reason until it is over', async () => {
    const { moderator, member } = await newGuild()
    const draw = async () => run(await next(member), 'imagine', { prompt: 'a red fox' })
    await run(moderator, 'studio pause', { reason: 'moving house' })
    const refusal = await refusalOf(draw())
    assert.deepEqual([refusal.code, refusal.params.reason], ['guild-paused', 'moving house'])
    await run(moderator, 'studio resume')
    assert.match((await draw()).text, /\S/)
    assert.deepEqual(await auditOf(moderator), [
      ['drawing paused', { reason: 'moving house' }],
      ['drawing resumed', { reason: 'moving house' }],
    ])
  })

  it('that was not on cannot be ended, and says so', async () => {
    const { moderator } = await newGuild()
    assert.match((await run(moderator, 'studio resume')).text, /was not paused/)
    assert.deepEqual(await auditOf(moderator), [])
  })
})

describe('studio channels', () => {
  const lists = async (context: Context) => {
    const { allowedChannels, deniedChannels } = await settingsOf(context)
    return { allowedChannels, deniedChannels }
  }

  it('are allowed, closed and forgotten, the one at hand unless another is named', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio channels deny', { channel: 'lobby' })
    await run(moderator, 'studio channels allow')
    assert.deepEqual(await lists(moderator), {
      allowedChannels: ['pictures'],
      deniedChannels: ['lobby'],
    })
    await run(moderator, 'studio channels reset', { channel: 'lobby' })
    await run(moderator, 'studio channels reset')
    assert.deepEqual(await lists(moderator), { allowedChannels: [], deniedChannels: [] })
    assert.deepEqual(await auditOf(moderator), [
      ['channel set', { channel: 'lobby', was: 'unset', is: 'denied' }],
      ['channel set', { channel: 'pictures', was: 'unset', is: 'allowed' }],
      ['channel set', { channel: 'lobby', was: 'denied', is: 'unset' }],
      ['channels reset', { allowed: 1, denied: 0 }],
    ])
  })

  it('move from one list to the other', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio channels deny', { channel: 'lobby' })
    const { text } = await run(moderator, 'studio channels allow', { channel: 'lobby' })
    assert.match(
      text,
      /can be asked for in channel lobby\..*To undo this: studio channels deny lobby/,
    )
    assert.deepEqual(await lists(moderator), { allowedChannels: ['lobby'], deniedChannels: [] })
  })

  it('are listed', async () => {
    const { moderator } = await newGuild()
    await run(moderator, 'studio channels deny', { channel: 'lobby' })
    const { text, items } = await run(await next(moderator), 'studio channels list')
    assert.match(text, /every channel but these/)
    assert.deepEqual(items, [{ title: 'lobby', text: 'closed' }])
  })
})

describe('studio settings', () => {
  it('are set as they are typed, and audited', async () => {
    const { moderator } = await newGuild()
    for (const [setting, value] of [
      ['mostPictures', '8'],
      ['hasPreviews', 'off'],
      ['locale', '中文'],
    ]) {
      await run(moderator, 'studio settings set', { setting, value })
    }
    const { guild } = await next(moderator)
    const { mostPictures, hasPreviews } = guild.settings
    assert.deepEqual([mostPictures, hasPreviews, guild.locale], [8, false, 'zh-CN'])
    assert.deepEqual(await auditOf(moderator), [
      ['setting set', { setting: 'mostPictures', was: '4', is: '8' }],
      ['setting set', { setting: 'hasPreviews', was: 'yes', is: 'no' }],
      ['setting set', { setting: 'locale', was: 'en-US', is: 'zh-CN' }],
    ])
  })

  it('keep each other when two moderators change them at once', async () => {
    const { moderator } = await newGuild()
    const set = (setting: string, value: string) =>
      run(moderator, 'studio settings set', { setting, value })
    await Promise.all([set('mostPictures', '8'), set('memberQueued', '9')])
    const { mostPictures, memberQueued } = await settingsOf(moderator)
    assert.deepEqual([mostPictures, memberQueued], [8, 9])
  })

  it('out of range are refused with the nearest, and nothing is changed', async () => {
    const { moderator } = await newGuild()
    const options = { setting: 'retentionDays', value: '0' }
    const { code, params } = await refusalOf(run(moderator, 'studio settings set', options))
    assert.deepEqual([code, params.nearest], ['setting-invalid', 1])
    assert.deepEqual(await auditOf(moderator), [])
  })

  it('are shown with their defaults and ranges, in both languages', async () => {
    const { moderator } = await newGuild()
    const zh = await next(moderator, { locale: 'zh-CN' })
    const shown = async (context: Context) =>
      (await run(context, 'studio settings show')).items?.find(({ text }) => text?.startsWith('30'))
    assert.deepEqual(
      [await shown(moderator), await shown(zh)],
      [
        { title: 'Days that pictures are kept', text: '30 (default 30; 1 to 3650)' },
        { title: '图片保留天数', text: '30（默认 30；1 到 3650）' },
      ],
    )
  })
})
