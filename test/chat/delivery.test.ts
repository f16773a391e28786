/** The ends of jobs, told once, whatever their platform does meanwhile. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DeliveryError } from '../../src/chat/adapter.ts'
import { submit } from '../../src/jobs/submit.ts'
import { findDelivery, keptJobs, mostDeliveryAttempts } from '../../src/store/deliveries.ts'
import { ensureGuild, ensureMember } from '../../src/store/guilds.ts'
import { newAsked, newName, newSpec } from '../jobs/admission.ts'
import { until } from '../worker/processes.ts'
import { MemoryPlatform } from './memory-platform.ts'

import {
  database,
  draw,
  errors,
  isDelivered,
  key,
  labels,
  newWish,
  says,
  seen,
  services,
  startOn,
  tell,
  type Wish,
} from './notifying.ts'
describe('an end', () => {
  it('that comes while a message is on its way is told after it', async () => {
    const platform = new MemoryPlatform()
    const place = { channel: newName() }
    platform.channel(place).delayMs = 100
    startOn(platform)
    const wish = await newWish({}, place)
    await until('it is being shown', () => platform.calls === 1)
    await draw(wish)
    await says(platform, wish, /^Here is/)
    assert.equal(await isDelivered(wish), true)
    assert.equal(platform.channel(place).messages.length, 1)
  })

  it('is told of every job that was there before the notifier', async () => {
    const platform = new MemoryPlatform()
    const wishes = await Promise.all(Array.from({ length: 60 }, () => newWish()))
    for (const wish of wishes) await draw(wish)
    startOn(platform)
    for (const wish of wishes) assert.equal(await isDelivered(wish), true)
  })

  it('is told anew when its pictures are deleted', async () => {
    const platform = new MemoryPlatform()
    startOn(platform)
    const wish = await newWish({ count: 2 })
    await draw(wish)
    assert.equal(await isDelivered(wish), true)
    const { id } = wish.job
    const deleteFirst = (...resultKeys: string[]) =>
      tell({ type: 'done', jobId: id }, (transaction) =>
        transaction.job.update({ where: { id }, data: { resultKeys } }),
      )
    await deleteFirst('', key)
    await says(platform, wish, /^Here is your picture\. One picture of these was removed/)
    assert.deepEqual(
      labels(seen(platform, wish)).filter((label) => /2/.test(label)),
      ['Edit 2 …', 'Keep 2'],
    )
    await deleteFirst('', '')
    await says(platform, wish, /^These pictures were removed/)
    assert.equal(seen(platform, wish)?.pictures, undefined)
  })
})

describe('a delivery', () => {
  it('that is refused for now is tried again', async () => {
    const platform = new MemoryPlatform()
    const wish = await newWish()
    await draw(wish)
    platform
      .channel(wish.place)
      .refusals.push(new DeliveryError('later', 30), new DeliveryError('later'))
    startOn(platform)
    assert.equal(await isDelivered(wish), true)
    assert.equal((await findDelivery(database, wish.job.id))?.attempts, 2)
  })

  it('that breaks in a way of its own is told to us, and tried again', async () => {
    const platform = new MemoryPlatform()
    const wish = await newWish()
    await draw(wish)
    const broken = new TypeError('broken')
    platform.channel(wish.place).refusals.push(broken as DeliveryError)
    startOn(platform)
    assert.equal(await isDelivered(wish), true)
    assert.deepEqual(errors.splice(0), [broken])
  })

  for (const [what, spoil] of [
    [
      'to a place that is gone',
      (platform: MemoryPlatform, wish: Wish) => {
        platform.channel(wish.place).isClosed = true
      },
    ],
    [
      'that is refused too often',
      (platform: MemoryPlatform, wish: Wish) => {
        const refusals = Array.from(
          { length: mostDeliveryAttempts },
          () => new DeliveryError('later'),
        )
        platform.channel(wish.place).refusals.push(...refusals)
      },
    ],
  ] as const) {
    it(`${what} is kept for the next contact`, async () => {
      const platform = new MemoryPlatform()
      const wish = await newWish()
      await draw(wish)
      spoil(platform, wish)
      startOn(platform)
      await until('it has given up', () => platform.calls > 0)
      const row = await database.job.findUniqueOrThrow({ where: { id: wish.job.id } })
      const member = await ensureMember(
        database,
        await ensureGuild(database, { platform: 'discord', platformId: wish.job.guild.slice(8) }),
        { id: wish.job.member, roleIds: [] },
      )
      assert.equal(member.row, row.memberId)
      let kept: string[] = []
      for (let look = 0; look < 300 && kept.length === 0; look += 1) {
        kept = await keptJobs(database, member)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      assert.deepEqual(kept, [wish.job.id])
      assert.equal(platform.channel(wish.place).messages.length, 0)
    })
  }

  it('goes on after a restart, in the same message', async () => {
    const platform = new MemoryPlatform()
    const stop = startOn(platform)
    const wish = await newWish()
    await says(platform, wish, /in line/)
    await stop()
    await draw(wish)
    startOn(platform)
    assert.equal(await isDelivered(wish), true)
    assert.deepEqual(
      platform.channel(wish.place).messages.map(({ message }) => message.text),
      ['Here is your picture.'],
    )
  })

  it('is made once by two that overlap', async () => {
    const platform = new MemoryPlatform()
    const wish = await newWish()
    await draw(wish)
    startOn(platform)
    startOn(platform)
    assert.equal(await isDelivered(wish), true)
    assert.equal(platform.channel(wish.place).messages.length, 1)
  })

  it('is not made again once it was', async () => {
    const platform = new MemoryPlatform()
    const wish = await newWish()
    await draw(wish)
    const stop = startOn(platform)
    assert.equal(await isDelivered(wish), true)
    await stop()
    const other = new MemoryPlatform()
    const later = await newWish()
    startOn(other)
    await says(other, later, /in line/)
    assert.equal(other.channel(wish.place).messages.length, 0)
  })

  it('waits for no other channel that hangs', async () => {
    const platform = new MemoryPlatform()
    const slow = { channel: newName() }
    platform.channel(slow).delayMs = 3_000
    startOn(platform)
    const hung = await Promise.all([1, 2, 3].map(() => newWish({}, slow)))
    const wish = await newWish()
    await draw(wish)
    assert.equal(await isDelivered(wish), true)
    assert.deepEqual([platform.channel(slow).messages.length, hung.length], [0, 3])
  })

  it('of a platform that is not here is left to whoever has it', async () => {
    const platform = new MemoryPlatform()
    const asked = newAsked({ platform: 'slack', replyTo: { channel: newName() } })
    const { job } = await submit(services.admission, asked, newSpec())
    await draw({ job, place: { channel: 'x' } })
    startOn(platform)
    const wish = await newWish()
    await says(platform, wish, /in line/)
    const delivery = await findDelivery(database, job.id)
    assert.deepEqual([delivery?.attempts, delivery?.isDelivered], [0, false])
  })
})
