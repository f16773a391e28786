/** What a bot knows of its model before a worker has told. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { modelCardOf } from '../../src/ops/model-card.ts'
import { Runner } from '../../src/worker/runner.ts'
import { modelFolder } from '../worker/nano-runner.ts'

describe('the card of a model folder', () => {
  it('is what a worker that holds the model tells', async () => {
    const runner = await Runner.start({ modelFolder })
    const { name, parameters, defaults } = runner.facts
    await runner.close()

    assert.deepEqual(await modelCardOf(modelFolder), { name, parameters, defaults })
  })

  it('is none where there is no such folder', async () => {
    assert.equal(await modelCardOf(`${modelFolder}-absent`), undefined)
  })
})
