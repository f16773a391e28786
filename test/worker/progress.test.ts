/** What watchers see of a job: steps at a pace that people can follow, previews that come and go. */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { decodeImage, type Pixels } from '../../src/engine/image.ts'
import { readPreview } from '../../src/queue/previews.ts'
import { Progress, sheetOf } from '../../src/worker/progress.ts'
import {
  cancelJob,
  database,
  ended,
  eventually,
  events,
  hasStep,
  newDispatch,
  newJob,
  newWorker,
  slowSpec,
} from './house.ts'
import { skip } from './nano-runner.ts'

const grey = (value: number): Pixels => {
  return { width: 2, height: 2, data: new Uint8Array(12).fill(value) }
}
const stepsOf = (id: string) =>
  events.filter((event) => event.type === 'step').filter(({ jobId }) => jobId === id)

const failures: unknown[] = []
after(() => assert.deepEqual(failures, []))

/** Steps at times of our own, all of them told before the next. */
async function tell(
  steps: readonly (readonly [atMs: number, index: number])[],
  hasPreviews = false,
): Promise<readonly (readonly [index: number, hasPreview: boolean])[]> {
  const { id: jobId } = await newJob()
  let nowMs = 0
  const onError = (error: unknown): void => void failures.push(error)
  const progress = new Progress({ database, jobId, hasPreviews, now: () => nowMs, onError })
  for (const [atMs, index] of steps) {
    nowMs = atMs
    progress.step(index, 8, [grey(100)])
    await progress.end()
  }
  const [last = 0] = steps.at(-1) ? [steps.at(-1)![1]] : []
  await eventually('the last is told', () => stepsOf(jobId).some(({ index }) => index === last))
  return stepsOf(jobId).map(({ index, previewId }) => [index, previewId !== undefined] as const)
}

describe('progress', () => {
  it('is told at most every 200 ms, but for the first and the last step', async () => {
    const told = await tell([
      [0, 0],
      [10, 1],
      [210, 2],
      [300, 3],
      [310, 8],
    ])

    assert.deepEqual(
      told.map(([index]) => index),
      [0, 2, 8],
    )
  })

  it('brings previews at most every 700 ms', async () => {
    const told = await tell(
      [
        [0, 1],
        [300, 2],
        [800, 3],
        [1100, 8],
      ],
      true,
    )

    assert.deepEqual(told, [
      [1, true],
      [2, false],
      [3, true],
      [8, false],
    ])
  })

  it('shows several pictures on one sheet', () => {
    const sheet = sheetOf([grey(1), grey(2), grey(3)])!

    assert.deepEqual([sheet.width, sheet.height], [4, 4])
    const reds = [0, 2, 8, 10].map((pixel) => sheet.data[3 * pixel])
    assert.deepEqual(reds, [1, 2, 3, 0])
    assert.equal(sheetOf([]), undefined)
  })
})

describe('a preview', { skip }, () => {
  it('can be read while the job is drawn, and is gone with its end', async () => {
    await newWorker()
    const id = await newDispatch({ ...slowSpec, evaluations: 100 })

    const { previewId } = await eventually('there is a preview', () =>
      stepsOf(id).find((event) => event.previewId !== undefined),
    )

    const preview = await readPreview(previewId!, database)
    assert.equal(preview?.contentType, 'image/jpeg')
    const { width, height } = await decodeImage(preview.bytes)
    assert.deepEqual([width, height], [32, 32])
    await cancelJob(id)
    await ended(id)
    assert.equal(await readPreview(previewId!, database), undefined)
  })

  it('is not made for a guild that wants none', async () => {
    const id = await newDispatch({ ...slowSpec, evaluations: 20 }, { hasPreviews: false })
    await hasStep(id, 20)

    assert.ok(stepsOf(id).every(({ previewId }) => previewId === undefined))
  })
})
