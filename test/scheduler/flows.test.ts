/** The fair queue's tags survive their way through rows of a real Postgres, whole trees at a time. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { FairQueue } from '../../src/core/fair-queue.ts'
import type { ServerTags } from '../../src/core/fair-server.ts'
import { loadTags, type SavedTags, saveTags } from '../../src/store/flows.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { SeededRandom } from '../engine/seeded-random.ts'
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

  it('are the same whether all of them are written or only what has changed', async () => {
    let before: SavedTags | undefined
    const queue = new FairQueue(limits)
    const random = new SeededRandom(7)
    const running: string[] = []
    for (let round = 0; round < 8; round++) {
      for (let k = 0; k < 20; k++) {
        if (random.int(3) > 0) {
          const [guild, member] = [`g${random.int(4)}`, `m${random.int(3)}`]
          const id = `${round}-${k}`
          queue.enqueue({ id, lane: 'fast', guild, member, estimateMicros: 9, pictures: 1 })
        } else if (random.int(2) > 0) {
          const next = queue.dispatch(0)
          if (next) running.push(next.id)
        } else {
          const id = running.shift()
          if (id !== undefined) queue.settle(id, random.int(30))
        }
      }
      const tags = queue.tags()
      await saveTags(database, tags, before)
      before = tags
      assert.deepEqual(sorted(await loadTags(database)), sorted(tags))
    }
  })
})

/** Tags with flows by name: rows have no other order. */
function sorted(tags: SavedTags | undefined): unknown {
  const server = ({ flows, ...rest }: ServerTags): unknown => ({
    ...rest,
    flows: flows
      .toSorted((one, other) => (one.id < other.id ? -1 : 1))
      .map((flow) => ({ ...flow, ...(flow.flows && { flows: server(flow.flows) }) })),
  })
  return tags && { open: server(tags.open), strict: server(tags.strict) }
}
