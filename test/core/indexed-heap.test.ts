/** The indexed heap against sorting: order, removal anywhere, and looking through it in order (P16). */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { IndexedHeap } from '../../src/core/indexed-heap.ts'

type Item = { key: number; readonly id: number; slot: number }

const isBefore = (one: Item, other: Item): boolean => (one.key - other.key || one.id - other.id) < 0
const sorted = (items: Iterable<Item>): Item[] =>
  [...items].toSorted((one, other) => one.key - other.key || one.id - other.id)
const ids = (items: Iterable<Item>): number[] => Array.from(items, ({ id }) => id)

function filled(keys: readonly number[]): { heap: IndexedHeap<Item>; items: Item[] } {
  const heap = new IndexedHeap<Item>(isBefore)
  const items = keys.map((key, id) => ({ key, id, slot: -1 }))
  for (const item of items) heap.add(item)
  return { heap, items }
}

const keys = fc.array(fc.nat(9), { maxLength: 40 })

describe('IndexedHeap', () => {
  it('gives its items in order', () => {
    fc.assert(
      fc.property(keys, (some) => {
        const { heap, items } = filled(some)
        const taken: Item[] = []
        for (let first = heap.first; first !== undefined; first = heap.first) {
          heap.remove(first)
          taken.push(first)
        }
        assert.deepEqual(ids(taken), ids(sorted(items)))
      }),
    )
  })

  it('stays a heap whatever is moved or removed', () => {
    const change = fc.record({ at: fc.nat(99), key: fc.option(fc.nat(9)) })
    fc.assert(
      fc.property(keys, fc.array(change, { maxLength: 30 }), (some, changes) => {
        const { heap, items } = filled(some)
        for (const { at, key } of changes) {
          const item = items[at % items.length]
          if (item === undefined || !heap.has(item)) continue
          if (key === null) {
            heap.remove(item)
            assert.equal(item.slot, -1)
          } else {
            item.key = key
            heap.moved(item)
          }
          heap.check()
          assert.equal(heap.first?.id, sorted(heap)[0]?.id)
        }
      }),
    )
  })

  it('finds the first item that is wanted, looking neither too far nor at too many', () => {
    fc.assert(
      fc.property(keys, fc.nat(9), fc.nat(9), fc.nat(12), (some, least, last, most) => {
        const { heap, items } = filled(some)
        const found = heap.firstWhere(
          ({ key }) => key >= least,
          ({ key }) => key > last,
          most + 1,
        )
        const seen = sorted(items)
          .slice(0, most + 1)
          .filter(({ key }) => key <= last)
        assert.equal(found?.id, seen.find(({ key }) => key >= least)?.id)
        heap.check()
      }),
    )
  })

  it('tells its own items from those of another heap', () => {
    const { heap } = filled([1, 2])
    const { items } = filled([1, 2])

    assert.equal(heap.has(items[0]!), false)
    assert.throws(() => heap.remove(items[0]!), /internal/)
  })
})
