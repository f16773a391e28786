/** Turns: order, one at a time, and leaving the line. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { Turns } from '../../src/core/turns.ts'

describe('Turns', () => {
  it('serves everyone in order and one at a time, whoever gives up', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 12 }), async (givesUp) => {
        const turns = new Turns()
        const endFirst = await turns.take()
        const served: number[] = []
        let holders = 0
        const visits = givesUp.map(async (isLeaving, visitor) => {
          const cancel = new AbortController()
          const turn = turns.take(cancel.signal)
          if (isLeaving) cancel.abort(new Error('left'))
          const endTurn = await turn.catch(() => undefined)
          if (endTurn === undefined) return
          assert.equal(++holders, 1)
          served.push(visitor)
          await Promise.resolve()
          holders--
          endTurn()
        })
        endFirst()
        await Promise.all(visits)

        const stayed = givesUp.flatMap((isLeaving, visitor) => (isLeaving ? [] : [visitor]))
        assert.deepEqual(served, stayed)
      }),
    )
  })

  it('does not let the next one in before those who came first are done', async () => {
    const turns = new Turns()
    await turns.take()
    const cancel = new AbortController()
    const leaving = turns.take(cancel.signal)
    let isIn = false
    void turns.take().then(() => (isIn = true))

    cancel.abort(new Error('left'))

    await assert.rejects(leaving, /left/)
    await new Promise(setImmediate)
    assert.equal(isIn, false)
  })

  it('counts who waits', async () => {
    const turns = new Turns()
    const endFirst = await turns.take()
    const second = turns.take()
    assert.equal(turns.waiting, 1)

    endFirst()
    await second

    assert.equal(turns.waiting, 0)
  })

  it('leaves no listener on a signal', async () => {
    const { signal } = new AbortController()

    await new Turns().take(signal)

    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })
})
