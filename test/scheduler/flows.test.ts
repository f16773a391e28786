/** The fair queue's tags survive their way through rows of a real Postgres, whole trees at a time. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { FairQueue } from '../../src/core/fair-queue.ts'
import { loadTags, saveTags } from '../../src/store/flows.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { newDatabase } from '../store/database.ts'

const database = openDatabase(await newDatabase())
after(() => closeDatabase(database))

const limits = { capacity: 1 }

/** A queue of two guilds, one with an id that has a slash in it, with some jobs served. */
function servedQueue(): FairQueue {
  const queue = new FairQueue(limits)
  for (let k = 0; k < 12; k++) {
    const guild = k % 2 === 0 ? 'discord:1' : 'slack:T1/x'
    queue.enqueue({
      id: `job${k}`,
      lane: k % 3 === 0 ? 'relax' : 'fast',
      guild,
      member: `m${k % 4}`,
      estimateMicros: 1000 + k,
      pictures: 1,
    })
  }
  for (let k = 0; k < 5; k++) queue.settle(queue.dispatch(0)!.id, 2000 + k)
  return queue
}

describe('tags of flows', () => {
  it('are none before there were any', async () => {
    assert.equal(await loadTags(database), undefined)
  })

  it('decide the same order after they were rows', async () => {
    const queue = servedQueue()
    await saveTags(database, queue.snapshot())
    const tags = await loadTags(database)
    assert.ok(tags)
    const restored = FairQueue.restore({ ...queue.snapshot(), ...tags }, limits)
    restored.check()
    const orderOf = (each: FairQueue): string[] =>
      Array.from({ length: 7 }, () => each.dispatch(0)!.id)
    assert.deepEqual(orderOf(restored), orderOf(queue))
  })

  it('are replaced by later ones', async () => {
    await saveTags(database, servedQueue().snapshot())
    await saveTags(database, new FairQueue(limits).snapshot())
    const tags = await loadTags(database)
    const guilds = tags?.open.flows.flatMap(({ flows }) => flows?.flows ?? [])
    assert.deepEqual(guilds, [])
  })
})
