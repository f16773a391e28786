/** The fair queue, fact by fact: lanes, weights, caps, cancellation, preemption, long life. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FairQueue } from '../../src/core/fair-queue.ts'
import type { FairQueueLimits } from '../../src/core/flow-tree.ts'
import { type QueuedJob, mostMicros } from '../../src/core/queued-job.ts'

const second = 1_000_000

type Wish = Partial<QueuedJob> & { readonly count?: number }

/** A queue and its jobs; an id is the guild's name and a number. */
function filled(wishes: readonly Wish[], limits: FairQueueLimits = { capacity: 1 }): FairQueue {
  const queue = new FairQueue(limits)
  for (const wish of wishes) add(queue, wish)
  return queue
}

const made = new WeakMap<FairQueue, Map<string, number>>()

function add(queue: FairQueue, { count = 1, guild = 'a', ...wish }: Wish): void {
  const numbers = made.get(queue) ?? new Map<string, number>()
  made.set(queue, numbers)
  for (let k = 0; k < count; k++) {
    const number = (numbers.get(guild) ?? 0) + 1
    numbers.set(guild, number)
    queue.enqueue({
      id: `${guild}${number}`,
      lane: 'fast',
      guild,
      member: 'm',
      estimateMicros: second,
      pictures: 1,
      ...wish,
    })
  }
}

/** Runs jobs one after the other, each at its estimate; gives back their ids. */
function run(queue: FairQueue, jobs: number, nowMs = 0): string[] {
  const ids: string[] = []
  for (let k = 0; k < jobs; k++) {
    const job = queue.dispatch(nowMs)
    if (job === undefined) break
    queue.settle(job.id, job.estimateMicros)
    ids.push(job.id)
  }
  return ids
}

const countOf = (ids: readonly string[], guild: string): number =>
  ids.filter((id) => id.startsWith(guild)).length

describe('FairQueue', () => {
  it('gives guilds turns, however many jobs each has', () => {
    const queue = filled([
      { guild: 'a', count: 5 },
      { guild: 'b', count: 2 },
    ])

    assert.deepEqual(run(queue, 9), ['a1', 'b1', 'a2', 'b2', 'a3', 'a4', 'a5'])
  })

  it('serves a newcomer after at most one job of each who waits', () => {
    const queue = filled([
      { guild: 'a', count: 50 },
      { guild: 'b', count: 50 },
    ])
    run(queue, 41)
    add(queue, { guild: 'c' })

    assert.ok(run(queue, 3).includes('c1'))
  })

  it('gives members of a guild turns, at no gain for the guild', () => {
    const queue = filled([
      { guild: 'a', member: 'x', count: 3 },
      { guild: 'a', member: 'y', count: 3 },
      { guild: 'b', count: 3 },
    ])

    assert.deepEqual(run(queue, 6), ['a1', 'b1', 'a4', 'b2', 'a2', 'b3'])
  })

  it('shares by weight, of guilds and of members', () => {
    const queue = filled([
      { guild: 'a', member: 'x', count: 100 },
      { guild: 'a', member: 'y', count: 100 },
      { guild: 'b', count: 100 },
    ])
    queue.setWeight({ guild: 'a', weight: 3 })
    queue.setWeight({ guild: 'a', member: 'y', weight: 2 })

    const ids = run(queue, 80)
    const ofX = ids.filter((id) => id.startsWith('a') && Number(id.slice(1)) <= 100).length

    assert.equal(countOf(ids, 'b'), 20)
    assert.equal(ofX, 20)
  })

  it('lets a new weight change nothing that was charged before', () => {
    const queue = filled([
      { guild: 'a', count: 90 },
      { guild: 'b', count: 90 },
    ])
    run(queue, 40)
    queue.setWeight({ guild: 'a', weight: 2 })

    assert.equal(countOf(run(queue, 30), 'b'), 10)
  })

  it('refuses weights that would have to be rounded', () => {
    const queue = filled([])
    for (const weight of [0, -1, 0.5, 11, NaN]) {
      assert.throws(() => queue.setWeight({ guild: 'a', weight }), /weight/)
    }
  })

  it('refuses an id that it has, and a cost that is none', () => {
    const queue = filled([{ guild: 'a' }])

    assert.throws(() => add(queue, { guild: 'b', id: 'a1' }), /a1/)
    for (const estimateMicros of [0, 0.5, -1, mostMicros + 1, NaN]) {
      assert.throws(() => add(queue, { guild: 'b', estimateMicros }), /microseconds/)
    }
    assert.equal(queue.queuedJobs, 1)
  })

  it('settles a job once', () => {
    const queue = filled([{ guild: 'a' }])
    queue.dispatch(0)

    assert.equal(queue.settle('a1', second), true)
    assert.equal(queue.settle('a1', second), false)
    assert.equal(queue.runningJobs, 0)
  })

  it('takes back what an estimate was too high', () => {
    const queue = filled([
      { guild: 'a', count: 9, estimateMicros: 10 * second },
      { guild: 'b', count: 9 },
    ])
    const first = queue.dispatch(0)!
    queue.settle(first.id, second)

    assert.deepEqual([first.id, ...run(queue, 1)], ['a1', 'b1'])
    assert.equal(queue.dispatch(0)?.id, 'a2')
  })

  it('cancels what waits and names what runs', () => {
    const queue = filled([{ guild: 'a', count: 3 }])
    queue.dispatch(0)

    assert.equal(queue.cancel('a2'), 'queued')
    assert.equal(queue.cancel('a2'), undefined)
    assert.equal(queue.cancel('a1'), 'running')
    assert.deepEqual(run(queue, 5), ['a3'])
  })

  it('puts a lost job before all others of its member, uncharged', () => {
    const queue = filled([
      { guild: 'a', count: 3 },
      { guild: 'b', count: 3 },
    ])
    queue.dispatch(0)

    assert.equal(queue.returnToHead('a1'), true)
    assert.deepEqual(run(queue, 3), ['a1', 'b1', 'a2'])
    assert.equal(queue.returnToHead('a1'), false)
  })

  it('shares the devices 9 : 1 among the fast and the relax lane, and all with one alone', () => {
    const queue = filled([
      { guild: 'f', lane: 'fast', count: 100 },
      { guild: 'r', lane: 'relax', count: 100 },
    ])

    assert.equal(countOf(run(queue, 100), 'f'), 90)
    assert.equal(countOf(run(queue, 50), 'f'), 10)
  })

  it('lets moderators go first while their twentieth lasts, and then only if no one else waits', () => {
    const queue = filled([
      { guild: 'a', count: 5000 },
      { guild: 'mod', lane: 'moderator', count: 500 },
    ])
    const ids: string[] = []
    for (let nowMs = 0; nowMs < 2_000_000; nowMs += 1000) ids.push(...run(queue, 1, nowMs))

    // 60 s of a twentieth saved, 2000 s of it, and one job.
    assert.deepEqual(new Set(ids.slice(0, 3)), new Set(['mod1', 'mod2', 'mod3']))
    assert.ok(countOf(ids, 'mod') <= 3 + 100 + 1, String(countOf(ids, 'mod')))
    assert.ok(countOf(ids, 'mod') >= 100)

    const alone = filled([{ guild: 'mod', lane: 'moderator', count: 50 }])
    assert.equal(run(alone, 50).length, 50)
  })

  it('takes from the share of moderators what their jobs have cost, not what was guessed', () => {
    const queue = filled([
      { guild: 'a', count: 50 },
      { guild: 'mod', lane: 'moderator', count: 50, estimateMicros: 2 * second },
    ])
    const ids: string[] = []
    for (let k = 0; k < 10; k++) {
      const job = queue.dispatch(0)!
      queue.settle(job.id, second / 2)
      ids.push(job.id)
    }

    assert.equal(countOf(ids, 'mod'), 6)
  })

  it('never gives a member more at once than the cap, in all lanes together', () => {
    const limits = { capacity: 4, memberInFlight: 2 }
    const queue = filled(
      [
        { guild: 'a', count: 3 },
        { guild: 'a', lane: 'relax', count: 3 },
      ],
      limits,
    )
    const ids = [queue.dispatch(0), queue.dispatch(0)].map((job) => job?.id)

    assert.equal(queue.dispatch(0), undefined)
    queue.settle(ids[0]!, second)
    assert.notEqual(queue.dispatch(0), undefined)
  })

  it('lets a guild over its cap have what nobody else can use', () => {
    const limits = { capacity: 4, guildInFlight: 1 }
    const queue = filled([{ guild: 'a', count: 9, estimateMicros: 1 }], limits)
    add(queue, { guild: 'b' })
    const ids = Array.from({ length: 3 }, () => queue.dispatch(0)?.id)

    assert.deepEqual(ids, ['a1', 'b1', 'a2'])
  })

  it('owes nothing to a guild for what its cap kept from it', () => {
    const queue = filled([{ guild: 'a', count: 99 }], { capacity: 4, guildInFlight: 1 })
    queue.dispatch(0)
    add(queue, { guild: 'b', count: 99 })
    add(queue, { guild: 'c', count: 99 })
    queue.setLimits({ capacity: 4, guildInFlight: 1 })
    run(queue, 40)
    queue.settle('a1', second)
    queue.setLimits({ capacity: 4 })

    assert.equal(countOf(run(queue, 30), 'a'), 10)
  })

  it('skips who has nothing fit for a device and owes them', () => {
    const queue = filled([
      { guild: 'a', count: 9, estimateMicros: 4 * second },
      { guild: 'b', count: 9 },
    ])
    for (let k = 0; k < 4; k++) {
      const job = queue.dispatch(0, ({ estimateMicros }) => estimateMicros <= second)!
      queue.settle(job.id, second)
    }

    assert.deepEqual(run(queue, 3), ['a1', 'a2', 'b5'])
  })

  it('forgets who is idle and owes nothing', () => {
    const queue = filled([{ guild: 'steady', count: 500 }])
    for (let guild = 0; guild < 50; guild++) {
      add(queue, { guild: `g${guild}-` })
      run(queue, 2)
    }
    run(queue, 5)

    assert.equal(queue.lanes.fast.inner?.flows.size, 1)
  })

  it('keeps its order when virtual time is moved back after years', () => {
    const queue = filled([{ guild: 'a' }, { guild: 'b' }])
    for (let k = 0; k < 200; k++) {
      add(queue, { guild: 'a', estimateMicros: mostMicros })
      add(queue, { guild: 'b', estimateMicros: mostMicros })
    }
    const ids = run(queue, 400)
    queue.check()

    assert.ok((queue.lanes.fast.inner?.rebased ?? 0) > 0)
    assert.ok(Math.abs(countOf(ids, 'a') - countOf(ids, 'b')) <= 1)
  })
})

describe('A lane', () => {
  it('that was idle when virtual time was moved back has its share like any other', () => {
    const long = { estimateMicros: mostMicros }
    const queue = filled([{ guild: 'f', count: 300, ...long }])
    run(queue, 100)
    add(queue, { guild: 'r', lane: 'relax', ...long })
    run(queue, 130)
    assert.ok(queue.lanes.fast.server.rebased > 0)
    add(queue, { guild: 'r', lane: 'relax', ...long })

    assert.ok(run(queue, 10).includes('r2'))
  })
})

describe('FairQueue.rival', () => {
  const long = { guild: 'a', estimateMicros: 10 * second }

  it('names a job whose tag is before that of the running one, charged by steps', () => {
    const queue = filled([long])
    queue.dispatch(0)
    add(queue, { guild: 'b' })

    assert.equal(queue.rival('a1', 2 * second, 0)?.id, 'b1')
    assert.equal(queue.rival('unknown', 0, 0), undefined)
  })

  it('names none while the running one has had less', () => {
    const queue = filled([{ guild: 'b', count: 4, estimateMicros: 3 * second }, long])
    assert.equal(queue.dispatch(0)?.id, 'b1')
    queue.settle('b1', 3 * second)
    assert.equal(queue.dispatch(0)?.id, 'a1')

    assert.equal(queue.rival('a1', 2 * second, 0), undefined)
    assert.equal(queue.rival('a1', 3 * second, 0)?.id, 'b2')
  })

  it('never names a job of the same member, but one of another in the guild', () => {
    const queue = filled([{ ...long, count: 2 }])
    queue.dispatch(0)
    assert.equal(queue.rival('a1', 5 * second, 0), undefined)

    add(queue, { guild: 'a', member: 'other' })
    assert.equal(queue.rival('a1', 5 * second, 0)?.id, 'a3')
  })

  it('lets moderators go before others while their share lasts, and nobody before them', () => {
    const queue = filled([long])
    queue.dispatch(0)
    add(queue, { guild: 'mod', lane: 'moderator', estimateMicros: 5 * second })
    assert.equal(queue.rival('a1', 0, 0)?.id, 'mod1')

    assert.equal(queue.dispatch(0)?.id, 'mod1')
    add(queue, { guild: 'b' })
    assert.equal(queue.rival('mod1', 5 * second, 0), undefined)

    add(queue, { guild: 'mod', lane: 'moderator' })
    assert.equal(queue.rival('a1', 0, 0)?.id, 'b1')
  })

  it('leaves everything as it was', () => {
    const queue = filled([long, { guild: 'b', count: 2 }, { guild: 'c', lane: 'relax' }])
    queue.dispatch(0)
    const before = JSON.stringify(queue.snapshot())
    queue.rival('a1', second, 0)
    queue.check()

    assert.equal(JSON.stringify(queue.snapshot()), before)
  })
})

describe('FairQueue.dispatchMates', () => {
  it('takes jobs of the same key from flows within the window, in order', () => {
    const queue = filled([
      { guild: 'a', count: 2, batchKey: 'k' },
      { guild: 'b', batchKey: 'other' },
      { guild: 'c', batchKey: 'k' },
      { guild: 'd', batchKey: 'k' },
    ])
    assert.equal(queue.dispatch(0)?.id, 'a1')
    const mates = queue.dispatchMates('k', second, 2).map(({ id }) => id)

    assert.deepEqual(mates, ['c1', 'd1'])
    assert.deepEqual(queue.dispatchMates('k', second / 2, 2), [])
    assert.deepEqual(
      queue.dispatchMates('k', second, 2).map(({ id }) => id),
      ['a2'],
    )
  })
})
