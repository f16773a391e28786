/**
 * The notifier on a real database and its events, and a platform in memory: what people see of a
 * job from its beginning to its end.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { cancel } from '../../src/jobs/cancel.ts'
import { ensureGuild, ensureMember } from '../../src/store/guilds.ts'
import { newName } from '../jobs/admission.ts'
import { until } from '../worker/processes.ts'
import { MemoryPlatform } from './memory-platform.ts'
import { unknownOutlook } from './services.ts'

import {
  dispatch,
  database,
  draw,
  fail,
  finish,
  future,
  isDelivered,
  labels,
  newWish,
  posted,
  says,
  seen,
  services,
  startOn,
  step,
  tell,
} from './notifying.ts'
describe('the notifier', () => {
  it('shows a job at once, with its place in line and a way out', async () => {
    const platform = new MemoryPlatform()
    future.outlook = {
      position: 3,
      estimate: {
        likelyMs: 30_000,
        fromMs: 18_000,
        toMs: 60_000,
        ownPicturesAhead: 3,
        otherGuildsWaiting: 2,
      },
      hasDevice: true,
    }
    startOn(platform)
    const wish = await newWish()
    await says(platform, wish, /^Number 3 in line\.\n.*18 to 60 seconds.*\n3 pictures.*\n2 other/)
    assert.deepEqual(
      [seen(platform, wish)?.quote, labels(seen(platform, wish))],
      [wish.job.spec.prompt, ['Cancel']],
    )
  })

  it('speaks the language of the one who asked', async () => {
    const platform = new MemoryPlatform()
    startOn(platform)
    const wish = await newWish({}, { channel: newName(), locale: 'zh-CN' })
    await says(platform, wish, /^\u4e0b\u4e00\u4e2a/)
  })

  it('edits that one message through steps to the picture, and counts it delivered', async () => {
    const platform = new MemoryPlatform()
    startOn(platform)
    const wish = await newWish({ seed: 42 })
    await says(platform, wish, /in line/)
    await dispatch(wish)
    await step(wish, 0)
    await step(wish, 3, wish.job.id)
    await says(platform, wish, /^Drawing/)
    await until('step 3', () => seen(platform, wish)?.progress?.done === 3)
    assert.equal(seen(platform, wish)?.previewId, wish.job.id)
    await finish(wish)
    await says(platform, wish, /^Here is your picture/)
    const message = seen(platform, wish)!
    assert.match(message.facts!, /^AI-generated · seed 42 · 512x512 · 8 steps · 3\.1\s?s.* · job /)
    assert.match(message.pictures![0]!.altText, /red fox/)
    assert.deepEqual(labels(message), ['Again', 'Edit …', 'Keep', 'Info', 'Report', 'Delete'])
    assert.equal(await isDelivered(wish), true)
    assert.equal(platform.channel(wish.place).messages.length, 1)
  })

  it('offers to edit and keep each of several pictures', async () => {
    const platform = new MemoryPlatform()
    startOn(platform)
    const wish = await newWish({ count: 4 })
    await draw(wish)
    await says(platform, wish, /^Here are your 4 pictures/)
    assert.equal(seen(platform, wish)?.pictures?.length, 4)
    assert.deepEqual(
      seen(platform, wish)?.buttons?.map((row) => row.length),
      [4, 4, 4],
    )
  })

  it('apologises for a failure, says why, and that nothing was charged', async () => {
    const platform = new MemoryPlatform()
    startOn(platform)
    const wish = await newWish()
    await fail(wish)
    await says(platform, wish, /sorry.*not enough memory.*quota was given back/)
    assert.deepEqual(labels(seen(platform, wish)), ['Again'])
  })

  for (const [who, rank, pattern] of [
    ['its member', 'member', /^You cancelled/],
    ['a moderator', 'moderator', /^A moderator cancelled/],
  ] as const) {
    it(`says that ${who} cancelled a job`, async () => {
      const platform = new MemoryPlatform()
      startOn(platform)
      const wish = await newWish()
      const guild = await ensureGuild(database, {
        platform: 'discord',
        platformId: wish.job.guild.slice('discord:'.length),
      })
      const id = rank === 'member' ? wish.job.member : newName()
      const member = await ensureMember(database, guild, { id, roleIds: [] })
      await cancel(services.cancelling, { guild, member, rank }, wish.job.id)
      await says(platform, wish, pattern)
      assert.equal(await isDelivered(wish), true)
    })
  }

  it('says that there is no device, and when there is one again', async () => {
    const platform = new MemoryPlatform()
    future.outlook = { ...unknownOutlook, hasDevice: false }
    startOn(platform)
    const wish = await newWish()
    await says(platform, wish, /^No device is there/)
    future.outlook = unknownOutlook
    await tell({ type: 'device', device: 'test:0', state: 'up' })
    await says(platform, wish, /^A device is there again\.\nNext in line/)
  })

  it('estimates a wait anew now and then', async () => {
    const platform = new MemoryPlatform()
    future.outlook = { ...unknownOutlook, position: 2 }
    startOn(platform)
    const wish = await newWish()
    await says(platform, wish, /^Number 2/)
    future.outlook = unknownOutlook
    await says(platform, wish, /^Next in line/)
  })

  it('shows a private job to its member alone', async () => {
    const platform = new MemoryPlatform()
    startOn(platform)
    const wish = await newWish({ isPrivate: true })
    await says(platform, wish, /in line/)
    assert.equal(posted(platform, wish)?.visibleTo, wish.job.member)
  })

  it('edits no more often than its pace, and not when nothing has changed', async () => {
    const platform = new MemoryPlatform()
    startOn(platform, { editMs: 60_000 })
    const wish = await newWish()
    await says(platform, wish, /in line/)
    await dispatch(wish)
    for (let index = 0; index <= 8; index += 1) await step(wish, index)
    await finish(wish)
    await says(platform, wish, /^Here is/)
    assert.deepEqual(posted(platform, wish)?.history.length, 2)
  })

  it('leaves a job alone that is done in a moment', async () => {
    const platform = new MemoryPlatform()
    startOn(platform, { nearlyDoneMs: 60_000 })
    const wish = await newWish()
    await says(platform, wish, /in line/)
    await dispatch(wish)
    await step(wish, 0)
    await says(platform, wish, /^Drawing|^Your turn/)
    for (const index of [3, 5, 7]) await step(wish, index)
    await finish(wish)
    await says(platform, wish, /^Here is/)
    assert.doesNotMatch(JSON.stringify(posted(platform, wish)?.history), /Step [357]/)
  })
})
