/** Sleeping until a name is called, by the call, the signal or the time. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Wakes } from '../../src/queue/wakes.ts'

const forEver = 2 ** 31 - 1
const never = new AbortController().signal

describe('a sleeper', () => {
  it('wakes when its name is called', async () => {
    const wakes = new Wakes()
    const slept = wakes.sleep('gpu', wakes.count('gpu'), forEver, never)
    wakes.call('gpu')
    await slept
  })

  it('does not sleep through a call that came before it lay down', async () => {
    const wakes = new Wakes()
    const since = wakes.count('gpu')
    wakes.call('gpu')
    await wakes.sleep('gpu', since, forEver, never)
  })

  it('wakes when its signal is aborted, or was', async () => {
    const wakes = new Wakes()
    const stop = new AbortController()
    const slept = wakes.sleep('gpu', 0, forEver, stop.signal)
    stop.abort()
    await slept
    await wakes.sleep('gpu', 0, forEver, stop.signal)
  })

  it('wakes when its time is over', async () => {
    await new Wakes().sleep('gpu', 0, 1, never)
  })

  it('sleeps on when another name is called', async () => {
    const wakes = new Wakes()
    let isAwake = false
    const slept = wakes.sleep('gpu', 0, forEver, never).then(() => (isAwake = true))
    wakes.call('cpu')
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(isAwake, false)
    wakes.callAll()
    await slept
  })
})
