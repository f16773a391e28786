/** Waiting times as every process tells them, from the row of a leader at work. */
import assert from 'node:assert/strict'
import { after, afterEach, beforeEach, describe, it } from 'node:test'
import { saveSettings } from '../../src/store/guilds.ts'
import { writeState } from '../../src/store/states.ts'
import { backlogName } from '../../src/scheduler/backlog-row.ts'
import { Outlooks } from '../../src/scheduler/eta.ts'
import { newDatabase } from '../store/database.ts'
import { House, until } from './house.ts'

const house = await House.open(await newDatabase())
const { database } = house
after(() => house.close())

const second = 1_000_000
let outlooks: Outlooks
let nowMs = 0

/** Reads at once what a process would read within a second. */
const reread = async (): Promise<Outlooks> => {
  outlooks.close()
  const onError = (error: unknown): void => assert.ifError(error)
  outlooks = await Outlooks.open({ database, onError, now: () => nowMs || Date.now() })
  return outlooks
}

beforeEach(async () => {
  const onError = (error: unknown): void => assert.ifError(error)
  nowMs = 0
  outlooks = await Outlooks.open({ database, onError, now: () => nowMs || Date.now() })
})
afterEach(async () => {
  outlooks.close()
  await house.clear()
})

describe('outlooks', () => {
  it('tell no number and no device before anybody leads', async () => {
    assert.deepEqual(outlooks.ofNext('discord:1', 'fast'), {
      position: 1,
      estimate: undefined,
      hasDevice: false,
    })
    assert.equal(outlooks.predictWaitMs('discord:1'), 0)
    assert.deepEqual(outlooks.servedNow(), [])
  })

  it('tell places, pictures ahead and other guilds of jobs that wait', async () => {
    const [one, other] = [await house.guild(), await house.guild()]
    const device = await house.device()
    house.lead()
    const ids = await house.askOften(one, 4)
    await house.ask(other)
    const lease = await device.take()
    assert.equal(lease.jobId, ids[0])
    await until('the backlog to be told', async () => {
      await reread()
      return outlooks.servedNow().reduce((sum, { waitingJobs }) => sum + waitingJobs, 0) === 4
    })
    const { position, estimate, hasDevice } = outlooks.ofJob(ids[2]!, one.id)
    assert.equal(position, 2)
    assert.equal(hasDevice, true)
    assert.equal(estimate?.ownPicturesAhead, 1)
    assert.equal(estimate?.otherGuildsWaiting, 1)
    assert.equal(outlooks.ofNext(one.id, 'fast').position, 4)
  })

  it('tell who is served, first whose turn is next', async () => {
    const [served, waiting] = [await house.guild(1), await house.guild(2)]
    const device = await house.device()
    house.lead()
    await house.askOften(served, 2)
    await device.take()
    await house.ask(waiting)
    await until('both to be told', async () => {
      await reread()
      return outlooks.servedNow().length === 2
    })
    const lines = outlooks.servedNow().map(({ guild, weight, waitingJobs, runningJobs }) => ({
      guild,
      weight,
      waitingJobs,
      runningJobs,
    }))
    assert.deepEqual(lines, [
      { guild: waiting.id, weight: 2, waitingJobs: 1, runningJobs: 0 },
      { guild: served.id, weight: 1, waitingJobs: 1, runningJobs: 1 },
    ])
  })

  it('tell at once that no device is there, and when one is', async () => {
    house.lead()
    const guild = await house.guild()
    const id = await house.ask(guild)
    await until('the job to be told', async () => (await reread()).servedNow().length === 1)
    assert.equal(outlooks.ofJob(id, guild.id).hasDevice, false)
    assert.equal(outlooks.ofJob(id, guild.id).estimate, undefined)
    await house.device()
    await until('the device to be told', async () => (await reread()).hasDevice)
  })

  it('tell of a device before the leader has written of it', async () => {
    const { id } = await house.guild()
    await house.device()

    assert.equal((await reread()).ofNext(id, 'fast').hasDevice, true)
    nowMs = Date.now() + 20_000
    assert.equal(outlooks.ofNext(id, 'fast').hasDevice, false)
  })

  it('foretell about as long as the work before a job takes', async () => {
    const guild = await house.guild()
    const device = await house.device()
    house.lead()
    // The leader learns that the device takes 2 s, and charges what the reference device would.
    await house.ask(guild)
    await device.draw(1, { deviceMicros: 2 * second })
    const ids = await house.askOften(guild, 6)
    await device.take()
    await until('the backlog to be told', async () => {
      await reread()
      return outlooks.servedNow()[0]?.waitingJobs === 5
    })
    const { estimate } = outlooks.ofJob(ids[5]!, guild.id)
    assert.ok(estimate)
    const { fromMs, toMs, likelyMs } = estimate
    // Four before it and the one that is drawn: eight to ten seconds.
    assert.ok(fromMs < 8_000 && toMs > 10_000, `expected 8 to 10 s within ${fromMs} to ${toMs}`)
    assert.ok(Math.abs(likelyMs - outlooks.predictWaitMs(guild.id)) < 4_000)
  })

  it('are of the end of the line for a job whose place is not told', async () => {
    const guild = await house.guild()
    await house.device()
    house.lead()
    await house.askOften(guild, 3)
    await until('the backlog to be told', async () => {
      await reread()
      return outlooks.servedNow()[0]?.waitingJobs === 2
    })
    assert.equal(outlooks.ofJob('0000000000', guild.id).position, 3)
  })

  it('mean nothing when nobody has led for a while', async () => {
    await house.device()
    house.lead()
    await until('the device to be told', async () => (await reread()).hasDevice)
    await house.resign()
    nowMs = Date.now() + 20_000
    assert.equal(outlooks.hasDevice, false)
    assert.equal(outlooks.capacity, 0)
  })

  it('mean nothing when the row is not one that we know', async () => {
    await writeState(database, backlogName, { devices: 'many' })
    assert.equal((await reread()).hasDevice, false)
  })
})

describe("a member's cap", () => {
  it('holds as their guild has set it', async () => {
    const guild = await house.guild()
    const settings = { ...guild.settings, memberInFlight: 1 }
    await saveSettings(database, guild, settings, Date.now())
    for (let k = 0; k < 2; k++) await house.ask(guild, { member: 'greedy' })
    await house.ask(guild, { member: 'other' })
    const device = await house.device()
    await house.device()
    house.lead()
    const members = new Set<string>()
    for (let k = 0; k < 2; k++) members.add((await house.job((await device.take()).jobId)).member)
    assert.deepEqual(members, new Set(['greedy', 'other']))
    assert.ok(await device.getsNothing())
  })
})
