/** What becomes of jobs that are lost, cancelled, drawn together or interrupted, under a leader. */
import assert from 'node:assert/strict'
import { after, afterEach, describe, it } from 'node:test'
import { cancel } from '../../src/jobs/cancel.ts'
import { LeaseEnded } from '../../src/queue/lease.ts'
import { ensureMember, type StoredGuild } from '../../src/store/guilds.ts'
import { settleCancelled } from '../../src/store/jobs.ts'
import { inTransaction } from '../../src/store/prisma.ts'
import { newSpec } from '../jobs/admission.ts'
import { newDatabase } from '../store/database.ts'
import { House, until } from './house.ts'

const house = await House.open(await newDatabase())
const { database, queue } = house
after(() => house.close())
afterEach(() => house.clear())

/** So much of a device's time, to the leader's knowledge, for each job. */
const known = (seconds: number): { deviceMicros: number } => ({ deviceMicros: seconds * 1_000_000 })

const chargedFor = async (jobId: string): Promise<number> => {
  const entries = await database.ledgerEntry.findMany({ where: { jobId } })
  return entries.reduce((sum, { micros }) => sum - Number(micros), 0)
}

const cancelJob = async (guild: StoredGuild, id: string): Promise<string> => {
  const member = await ensureMember(database, guild, { id: 'somebody', roleIds: [] })
  const cancelling = {
    database,
    cancelDispatch: queue.cancel.bind(queue),
    now: Date.now,
  }
  return cancel(cancelling, { guild, member, rank: 'member' }, id)
}

describe('a job whose device is lost three times', () => {
  it('fails, is refunded, and makes room for the next', async () => {
    const guild = await house.guild()
    const [first, second] = await house.askOften(guild, 2)
    const device = await house.device()
    house.lead()
    for (let k = 0; k < 3; k++) {
      const lease = await device.take()
      assert.equal(lease.jobId, first)
      await queue.retry(lease, 'runner-crashed')
    }
    await house.reaches(first!, 'failed')
    const row = await database.job.findUniqueOrThrow({ where: { id: first! } })
    assert.deepEqual(row.error, { code: 'device-lost', params: {} })
    assert.equal(await chargedFor(first!), 0)
    assert.deepEqual(await device.draw(1), [second])
    assert.deepEqual(await queue.lost(), [])
  })
})

describe('a job that is cancelled', () => {
  it('while it waits is never handed out', async () => {
    const guild = await house.guild()
    const [first, second, third] = await house.askOften(guild, 3)
    const device = await house.device()
    house.lead()
    const lease = await device.take()
    assert.equal(lease.jobId, first)
    assert.equal(await cancelJob(guild, second!), 'cancelled')
    await device.finish(lease)
    assert.deepEqual(await device.draw(1), [third])
  })

  it('on its way to a device makes room for the next', async () => {
    const guild = await house.guild()
    const device = await house.device()
    house.lead()
    const [first, second] = await house.askOften(guild, 2)
    await house.reaches(first!, 'dispatched')
    assert.equal(await cancelJob(guild, first!), 'cancelled')
    assert.equal(await chargedFor(first!), 0)
    assert.deepEqual(await device.draw(1), [second])
  })

  it('at a device makes room when the device has stopped', async () => {
    const guild = await house.guild()
    const [first, second] = await house.askOften(guild, 2)
    const device = await house.device()
    house.lead()
    const lease = await device.take()
    assert.equal(await cancelJob(guild, first!), 'requested')
    await until('the worker to be told', () => lease.signal.aborted)
    assert.ok(lease.signal.reason instanceof LeaseEnded)
    assert.ok(await device.getsNothing())
    await inTransaction(database, async (transaction) => {
      const cost = { costMicros: 1_000, nowMs: Date.now() }
      await settleCancelled(transaction, first!, lease.attempt, cost)
      await queue.settle(lease, 'cancelled', transaction)
    })
    // No event told of it: the leader finds out by itself.
    assert.deepEqual(await device.draw(1), [second])
  })
})

describe('a job that is to be cancelled', () => {
  it('ends so when its device is gone, and is refunded', async () => {
    const guild = await house.guild()
    const device = await house.device()
    house.lead()
    const id = await house.ask(guild)
    const lease = await device.take()
    assert.equal(await cancelJob(guild, id), 'requested')
    await device.retire()
    await queue.giveBack(lease)
    await house.reaches(id, 'cancelled')
    assert.equal(await chargedFor(id), 0)
    assert.deepEqual(await queue.live(), [])
  })
})

describe('a guild that is purged', () => {
  it('leaves no job in the way of others', async () => {
    const [gone, other] = [await house.guild(), await house.guild()]
    const device = await house.device()
    house.lead()
    await house.askOften(gone, 2)
    const lease = await device.take()
    const last = await house.ask(other)
    await database.guild.delete({ where: { id: gone.row } })
    await queue.settle(lease, 'failed')
    assert.deepEqual(await device.draw(1), [last])
    assert.ok(await device.getsNothing())
  })
})

describe('small jobs of one kind', () => {
  const smallSpec = newSpec({ width: 256, height: 256 })

  it('are handed out together to a device that draws them together', async () => {
    const guild = await house.guild()
    const ids: string[] = []
    for (let k = 0; k < 3; k++) ids.push(await house.ask(guild, { spec: smallSpec }))
    ids.push(await house.ask(guild, { spec: newSpec({ width: 512, height: 256 }) }))
    const device = await house.device({ mostBatch: 4 })
    house.lead()
    const leases = [await device.take(), await device.take(), await device.take()]
    const batches = leases.map(({ payload }) => payload.batch)
    assert.deepEqual(leases.map(({ jobId }) => jobId).toSorted(), ids.slice(0, 3).toSorted())
    assert.deepEqual(batches, [ids[0], ids[0], ids[0]])
    assert.ok(await device.getsNothing())
    for (const lease of leases) await device.finish(lease)
    const last = await device.take()
    assert.equal(last.jobId, ids[3])
    assert.equal(last.payload.batch, undefined)
  })

  it('go one by one to a device that draws them so', async () => {
    const guild = await house.guild()
    for (let k = 0; k < 2; k++) await house.ask(guild, { spec: smallSpec })
    const device = await house.device({ mostBatch: 1 })
    house.lead()
    const { payload } = await device.take()
    assert.equal(payload.batch, undefined)
    assert.ok(await device.getsNothing())
  })

  it('are spread over devices that are idle', async () => {
    const guild = await house.guild()
    for (let k = 0; k < 2; k++) await house.ask(guild, { spec: smallSpec })
    const device = await house.device({ mostBatch: 4 })
    await house.device({ mostBatch: 4 })
    house.lead()
    const leases = [await device.take(), await device.take()]
    assert.deepEqual(
      leases.map(({ payload }) => payload.batch),
      [undefined, undefined],
    )
  })
})

describe('a rival', () => {
  /** A device of which the leader knows that it takes 10 s over a large picture. */
  const slowDevice = async (): Promise<Awaited<ReturnType<typeof house.device>>> => {
    const hog = await house.guild()
    await house.ask(hog)
    const device = await house.device()
    house.lead()
    await device.draw(1, known(10))
    await house.askOften(hog, 2)
    return device
  }

  it('is handed out beside a long job once that is under way', async () => {
    const device = await slowDevice()
    const long = await device.take()
    const short = await house.ask(await house.guild(), {
      spec: newSpec({ width: 256, height: 256 }),
    })
    assert.ok(await device.getsNothing())
    await device.step(long, 1, 8)
    const lease = await device.take()
    assert.equal(lease.jobId, short)
    assert.equal(lease.payload.rival, long.jobId)
    assert.ok(await device.getsNothing())
  })

  it('is none that takes more than half of what is left', async () => {
    const device = await slowDevice()
    const long = await device.take()
    await house.ask(await house.guild())
    await device.step(long, 1, 8)
    assert.ok(await device.getsNothing())
  })

  it('is none of the last step', async () => {
    const device = await slowDevice()
    const long = await device.take()
    await house.ask(await house.guild(), { spec: newSpec({ width: 64, height: 64 }) })
    await device.step(long, 7, 8)
    assert.ok(await device.getsNothing())
  })

  it('is followed by others, four times at most', async () => {
    const device = await slowDevice()
    const long = await device.take()
    const spec = newSpec({ width: 64, height: 64 })
    for (let k = 0; k < 5; k++) await house.ask(await house.guild(), { spec })
    await device.step(long, 1, 8)
    for (let k = 0; k < 4; k++) {
      const lease = await device.take()
      assert.equal(lease.payload.rival, long.jobId)
      await device.step(lease, 1, 8)
      await device.finish(lease)
    }
    assert.ok(await device.getsNothing())
  })
})
