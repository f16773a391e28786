/** Lanes: how much runs at once, whose turn it is, and that nobody waits for a stranger. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Lanes } from '../../src/chat/lanes.ts'

/** Work that ends when it is told to. */
const newWork = (started: string[], name: string) => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const work = async (): Promise<void> => {
    started.push(name)
    await promise
  }
  return { work, end: resolve }
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('Lanes', () => {
  it('run so much of one lane at once, and the rest in turn', async () => {
    const lanes = new Lanes({ mostInLane: 1, mostAtOnce: 9 })
    const started: string[] = []
    const first = newWork(started, 'first')
    lanes.add('a', first.work, { isUrgent: false })
    lanes.add('a', newWork(started, 'second').work, { isUrgent: false })
    lanes.add('b', newWork(started, 'other').work, { isUrgent: false })
    assert.deepEqual(started, ['first', 'other'])
    first.end()
    await settled()
    assert.deepEqual(started, ['first', 'other', 'second'])
  })

  it('take turns when all together are too many', async () => {
    const lanes = new Lanes({ mostInLane: 9, mostAtOnce: 1 })
    const started: string[] = []
    const works = ['a1', 'a2', 'a3', 'b1'].map((name) => newWork(started, name))
    for (const [index, { work }] of works.entries()) {
      lanes.add(index < 3 ? 'a' : 'b', work, { isUrgent: false })
    }
    for (const { end } of works) {
      end()
      await settled()
    }
    assert.deepEqual(started, ['a1', 'a2', 'b1', 'a3'])
  })

  it('do urgent work of a lane before other', async () => {
    const lanes = new Lanes({ mostInLane: 1, mostAtOnce: 1 })
    const started: string[] = []
    const first = newWork(started, 'first')
    lanes.add('a', first.work, { isUrgent: false })
    lanes.add('a', newWork(started, 'step').work, { isUrgent: false })
    lanes.add('a', newWork(started, 'end').work, { isUrgent: true })
    first.end()
    await settled()
    assert.deepEqual(started, ['first', 'end'])
  })

  it('drained, end what they do and begin nothing more', async () => {
    const lanes = new Lanes({ mostInLane: 1, mostAtOnce: 1 })
    const started: string[] = []
    const first = newWork(started, 'first')
    lanes.add('a', first.work, { isUrgent: false })
    lanes.add('a', newWork(started, 'second').work, { isUrgent: false })
    const drained = lanes.drain()
    lanes.add('b', newWork(started, 'late').work, { isUrgent: true })
    first.end()
    await drained
    assert.deepEqual(started, ['first'])
  })
})
