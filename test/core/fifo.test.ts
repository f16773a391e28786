/** The line of a member: first in, first out, with cancellation anywhere. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { Fifo } from '../../src/core/fifo.ts'

type Entry = { readonly id: number; isCancelled: boolean }

const change = fc.oneof(
  { weight: 4, arbitrary: fc.constant('add' as const) },
  { weight: 1, arbitrary: fc.constant('addFirst' as const) },
  { weight: 2, arbitrary: fc.constant('shift' as const) },
  { weight: 3, arbitrary: fc.nat(99) },
)

describe('Fifo', () => {
  it('is an array from which things are taken', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 200 }), (changes) => {
        const fifo = new Fifo<Entry>()
        const model: Entry[] = []
        for (const [id, each] of changes.entries()) {
          const entry = { id, isCancelled: false }
          if (each === 'add') {
            fifo.add(entry)
            model.push(entry)
          } else if (each === 'addFirst') {
            fifo.addFirst(entry)
            model.unshift(entry)
          } else if (model.length > 0 && each === 'shift') {
            fifo.shift()
            model.shift()
          } else if (model.length > 0 && typeof each === 'number') {
            fifo.cancel(model.splice(each % model.length, 1)[0]!)
          }
          assert.equal(fifo.first, model[0])
          assert.ok([...fifo].every((one, at) => one === model[at]))
        }
      }),
      { numRuns: 50 },
    )
  })
})
