/** A short job goes before a long one between two steps; both pictures are what they would be. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findJob } from '../../src/store/jobs.ts'
import {
  cancelJob,
  database,
  ended,
  eventually,
  hasStep,
  liveDispatch,
  newDispatch,
  newWorker,
  slowSpec,
  toldAt,
} from './house.ts'
import { skip } from './nano-runner.ts'

if (!skip) await newWorker()
const long = { ...slowSpec, evaluations: 12, isPrivate: true } as const
const short = { width: 64, height: 64, evaluations: 2, isPrivate: true } as const
const cheap = { estimateMicros: 1 } as const

/** Whether one of two jobs that have ended was begun before the other one's last step. */
const wentFirst = (id: string, other: string, evaluations: number = long.evaluations): boolean =>
  toldAt(id, 0) < toldAt(other, evaluations)

describe('a short job with leave to interrupt', { skip }, () => {
  it('ends first, and neither picture is another for it', async () => {
    const straight = [await newDispatch(long), await newDispatch(short)]
    const expected = await Promise.all(straight.map(async (id) => (await ended(id)).resultKeys))

    const first = await newDispatch(long)
    await hasStep(first, 2)
    const second = await newDispatch(short, { ...cheap, rival: first })

    const [a, b] = [await ended(first), await ended(second)]
    assert.deepEqual([a.resultKeys, b.resultKeys], expected)
    assert.ok(wentFirst(second, first))
    assert.ok(toldAt(second, short.evaluations) < toldAt(first, long.evaluations))
  })

  it('is not charged for the one that waits, nor the other way round', async () => {
    const alone = (await ended(await newDispatch(long))).costMicros!
    const first = await newDispatch(long)
    await hasStep(first)
    const second = await newDispatch(short, { ...cheap, rival: first })

    const [a, b] = [await ended(first), await ended(second)]
    console.log(`measured: ${alone} us alone, ${a.costMicros} us interrupted by ${b.costMicros} us`)
    assert.ok(b.costMicros! < a.costMicros! / 2)
  })

  it('waits when it is not short, and so does one without leave', async () => {
    const first = await newDispatch(long)
    await hasStep(first)
    const others = [
      await newDispatch(short, { estimateMicros: 1e9, rival: first }),
      await newDispatch(short, cheap),
      await newDispatch(short, { ...cheap, rival: '0000000000' }),
    ]

    await ended(first)

    for (const id of others) {
      await ended(id)
      assert.ok(!wentFirst(id, first))
    }
  })

  it('leaves a job interrupted that can be cancelled while it waits', async () => {
    const first = await newDispatch({ ...long, evaluations: 100 })
    await hasStep(first)
    const second = await newDispatch(long, { ...cheap, rival: first })
    await hasStep(second)

    await cancelJob(first)

    assert.equal((await ended(first)).state, 'cancelled')
    assert.equal((await findJob(database, second))?.state, 'running')
    assert.equal((await ended(second)).state, 'done')
    await eventually('no lease is left', async () => (await liveDispatch(first)) === undefined)
  })

  it('interrupts at most four times', async () => {
    const first = await newDispatch({ ...long, evaluations: 40 })
    const others: string[] = []
    for (let k = 0; k < 5; k++) {
      await hasStep(first, 1 + k)
      others.push(await newDispatch(short, { ...cheap, rival: first }))
      if (k < 4) await ended(others[k]!)
    }
    await ended(first)
    await ended(others[4]!)

    const early = others.map((id) => wentFirst(id, first, 40))
    assert.deepEqual(early, [true, true, true, true, false])
  })
})
