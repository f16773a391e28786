/** The leader at work on real rows and a real queue, with devices that do as they are told. */
import assert from 'node:assert/strict'
import { after, afterEach, describe, it } from 'node:test'
import { FairQueue } from '../../src/core/fair-queue.ts'
import type { StoredGuild } from '../../src/store/guilds.ts'
import { TestClient } from '../queue/client.ts'
import { newDatabase } from '../store/database.ts'
import { House, until } from './house.ts'

const url = await newDatabase()
const house = await House.open(url)
after(() => house.close())

afterEach(() => house.clear())

const countOf = async (ids: readonly string[], guild: StoredGuild): Promise<number> => {
  const jobs = await Promise.all(ids.map((id) => house.job(id)))
  return jobs.filter((job) => job.guild === guild.id).length
}

describe('the order of dispatches', () => {
  it('is that of the fair queue', async () => {
    house.lead()
    const reference = new FairQueue({ capacity: 1 })
    const asked: string[] = []
    const guilds = [await house.guild(1), await house.guild(2), await house.guild(3)]
    for (const guild of guilds) {
      reference.setWeight({ guild: guild.id, weight: guilds.indexOf(guild) + 1 })
    }
    for (let k = 0; k < 30; k++) {
      const guild = guilds[(k * 7) % 3]!
      const member = `m${k % 4}`
      const lane = k % 5 === 0 ? 'relax' : 'fast'
      const id = await house.ask(guild, { member, lane })
      asked.push(id)
      const { estimateMicros } = await house.job(id)
      reference.enqueue({ id, lane, guild: guild.id, member, estimateMicros, pictures: 1 })
    }
    const expected = asked.map(() => {
      const next = reference.dispatch(0)!
      reference.settle(next.id, 2 * next.estimateMicros)
      return next.id
    })
    const device = await house.device()
    const got: string[] = []
    for (const id of expected) {
      const lease = await device.take()
      got.push(lease.jobId)
      await device.finish(lease, { costMicros: 2 * (await house.job(id)).estimateMicros })
    }
    assert.deepEqual(got, expected)
  })

  it('gives guilds of weights 1, 2 and 4 that part of the devices', async () => {
    const guilds = [await house.guild(1), await house.guild(2), await house.guild(4)]
    for (const guild of guilds) await house.askOften(guild, 22)
    const device = await house.device()
    house.lead()
    const drawn = await device.draw(35)
    const counts = await Promise.all(guilds.map((guild) => countOf(drawn, guild)))
    console.log(`measured: shares of 1:2:4 over 35 jobs, ${counts.join(':')}`)
    assert.deepEqual(counts, [5, 10, 20])
  })

  it('follows a weight that is changed while jobs wait', async () => {
    const [one, other] = [await house.guild(1), await house.guild(1)]
    for (const guild of [one, other]) await house.askOften(guild, 20)
    const device = await house.device()
    house.lead()
    const before = await device.draw(8)
    await house.setWeight(one, 3)
    await device.draw(2) // Meanwhile the leader hears of it.
    const later = await countOf(await device.draw(12), one)
    assert.equal(await countOf(before, one), 4)
    assert.ok(later >= 8 && later <= 10, `expected 9 of 12, got ${later}`)
  })

  it('goes on under another leader, nothing drawn twice', async () => {
    const guilds = [await house.guild(1), await house.guild(3)]
    const asked: string[] = []
    for (const guild of guilds) asked.push(...(await house.askOften(guild, 12)))
    const device = await house.device()
    house.lead()
    const drawn = await device.draw(8)
    const lease = await device.take()
    await house.resign()
    house.lead()
    await device.finish(lease)
    drawn.push(lease.jobId, ...(await device.draw(7)))
    // Four times one to three, whoever led.
    assert.equal(await countOf(drawn, guilds[0]!), 4)
    drawn.push(...(await device.draw(8)))
    assert.deepEqual(drawn.toSorted(), asked.toSorted())
  })

  it('remembers under another leader what a guild has had too much', async () => {
    const guilds = [await house.guild(), await house.guild()]
    for (const guild of guilds) await house.askOften(guild, 8)
    const device = await house.device()
    house.lead()
    const dear = await device.take()
    const { guild: had, estimateMicros } = await house.job(dear.jobId)
    await device.finish(dear, { costMicros: 6 * estimateMicros })
    const [second] = await device.draw(1)
    await house.resign()
    house.lead()
    const next = await device.draw(4)
    const other = guilds.find(({ id }) => id !== had)!
    assert.equal((await house.job(second!)).guild, other.id)
    assert.equal(await countOf(next, other), 4)
  })

  it('goes on when events were missed, nothing drawn twice', async () => {
    const guilds = [await house.guild(1), await house.guild(3)]
    const asked: string[] = []
    for (const guild of guilds) asked.push(...(await house.askOften(guild, 6)))
    const device = await house.device()
    house.lead()
    const drawn = await device.draw(4)
    const lease = await device.take()
    await new TestClient(url).terminate('zimagine-listener')
    asked.push(await house.ask(guilds[0]!, { isTold: false }))
    await device.finish(lease)
    drawn.push(lease.jobId, ...(await device.draw(8)))
    assert.deepEqual(drawn.toSorted(), asked.toSorted())
  })

  it('has jobs of which no event ever told', async () => {
    const device = await house.device()
    house.lead()
    const guild = await house.guild()
    const first = await house.ask(guild)
    assert.deepEqual(await device.draw(1), [first])
    const silent = await house.ask(guild, { isTold: false })
    assert.deepEqual(await device.draw(1), [silent])
  })
})

describe('a device', () => {
  it('is given one long job at a time', async () => {
    const guild = await house.guild()
    await house.askOften(guild, 2)
    const device = await house.device()
    house.lead()
    await device.take()
    assert.ok(await device.getsNothing())
  })

  it('is given the next job while it draws a short one', async () => {
    const guild = await house.guild()
    await house.askOften(guild, 3)
    const device = await house.device()
    house.lead()
    // From this on the leader knows that the device takes 0.1 s over such a job.
    await device.draw(1, { deviceMicros: 100_000 })
    await device.take()
    await device.take()
    assert.ok(await device.getsNothing())
  })

  it('that is gone loses what it has not begun, and another draws it', async () => {
    const guild = await house.guild()
    const dying = await house.device({ deviceClass: 'old' })
    house.lead()
    const id = await house.ask(guild)
    await house.reaches(id, 'dispatched')
    await dying.retire()
    await house.reaches(id, 'queued')
    const device = await house.device({ deviceClass: 'new' })
    assert.deepEqual(await device.draw(1), [id])
    assert.equal((await house.job(id)).attempt, 2)
  })

  it('that has not been heard of for ten seconds is as one that is gone', async () => {
    let offsetMs = 0
    const guild = await house.guild()
    const device = await house.device()
    house.lead(() => Date.now() + offsetMs)
    const id = await house.ask(guild)
    await house.reaches(id, 'dispatched')
    device.die()
    offsetMs = 11_000
    await house.reaches(id, 'queued')
  })

  it('is given what is too large for all, to be told why', async () => {
    const guild = await house.guild()
    const small = await house.device({ mostPixels: 512 * 512 })
    house.lead()
    const id = await house.ask(guild)
    assert.equal((await small.take()).jobId, id)
  })
})

describe('a job that was handed out', () => {
  it('and is nowhere waits again when a leader begins', async () => {
    const guild = await house.guild()
    const id = await house.ask(guild)
    await house.database.job.update({ where: { id }, data: { state: 'dispatched', attempt: 1 } })
    const device = await house.device()
    house.lead()
    assert.deepEqual(await device.draw(1), [id])
    assert.equal((await house.job(id)).attempt, 2)
  })

  it('is not handed out again by a leader that thinks it waits', async () => {
    const guild = await house.guild()
    const device = await house.device()
    house.lead()
    const [first, second] = await house.askOften(guild, 2)
    const lease = await device.take()
    // Another leader was faster.
    await house.database.job.update({
      where: { id: second! },
      data: { state: 'running', attempt: 1 },
    })
    await house.queue.dispatch({ jobId: second!, attempt: 1, deviceClass: 'elsewhere' })
    await device.finish(lease)
    assert.equal(lease.jobId, first)
    assert.ok(await device.getsNothing())
    assert.equal((await house.job(second!)).attempt, 1)
  })

  it('is in the way of nobody when a stale dispatch of it is left', async () => {
    const guild = await house.guild()
    const id = await house.ask(guild, { isTold: false })
    await house.queue.dispatch({ jobId: id, attempt: 1, deviceClass: 'test' })
    const device = await house.device({ deviceClass: 'test' })
    house.lead()
    await until('the stale dispatch to be replaced', async () => (await house.job(id)).attempt > 1)
    assert.deepEqual(await device.draw(1), [id])
  })
})
