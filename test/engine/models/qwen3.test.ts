/**
 * Qwen3 against the reference implementation's numbers on closed-form weights: what the prompt
 * encoder reads, the language head, and generation with the cache.
 */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Checkpoint } from '../../../src/engine/checkpoint.ts'
import { textEncoderSchema } from '../../../src/engine/models/config.ts'
import { Qwen3, logitsGraph } from '../../../src/engine/models/qwen3.ts'
import { sequentialRotation } from '../../../src/engine/layers/rope.ts'
import { type Outputs, Session } from '../../../src/engine/onnx/session.ts'
import { type DType, type Tensor, float32 } from '../../../src/engine/tensor.ts'
import { type Reference, type ReferenceStat, readFixture } from '../../fixtures/closed-form.ts'
import {
  type ParameterShapes,
  closedFormCheckpoint,
  temporaryFolder,
} from '../../fixtures/closed-form-checkpoint.ts'
import { Deviation } from '../../fixtures/deviation.ts'

type Fixture = {
  readonly config: unknown
  readonly param_shapes: ParameterShapes
  readonly input_ids: readonly [readonly number[]]
  readonly embed_out: ReferenceStat
  readonly layer_out: readonly ReferenceStat[]
  readonly hidden_states_minus2: Reference
  readonly final_normed: Reference
  readonly logits_last: Reference
  readonly greedy_continuation: readonly number[]
}

const tolerance = 1e-5
const fixture = readFixture<Fixture>('qwen3')
const config = textEncoderSchema.parse(fixture.config)
const options = { expandsWeights: false, prefix: 'model.' }
const ids = fixture.input_ids[0]
const deviation = new Deviation('qwen3.json')
const folder = await temporaryFolder()
let checkpoint: Checkpoint
let model: Qwen3

before(async () => {
  checkpoint = await closedFormCheckpoint(folder.path, 'model', fixture.param_shapes)
  model = new Qwen3(config, checkpoint, options)
})
after(async () => {
  await model.release()
  await folder[Symbol.asyncDispose]()
  deviation.report()
})

function argmax(values: Float32Array): number {
  return values.indexOf(Math.max(...values))
}

describe('Qwen3', () => {
  it('reads a prompt as the reference does', async () => {
    const hidden = await model.hidden(ids)

    deviation.check('hidden', hidden.data, fixture.hidden_states_minus2.data, tolerance)
  })

  it('embeds, passes its layers and norms as the reference does', async () => {
    const graph = logitsGraph(config, checkpoint, 'model.')
    const labels = ['embed', ...fixture.layer_out.map((_, i) => `layers.${i}`), 'norm']
    for (const label of labels) graph.output(`probe ${label}`, graph.recall(label))
    const session = await Session.create(graph, options)
    const empty = float32([1, config.num_key_value_heads, 0, config.head_dim], new Float32Array(0))
    const run = async (list: readonly number[]): Promise<Outputs> => {
      const { length } = list
      const feeds: Record<string, Tensor<DType>> = {
        ids: { dtype: 'int64', shape: [1, length], data: BigInt64Array.from(list, BigInt) },
        last_key: { dtype: 'int32', shape: [1], data: Int32Array.of(length - 1) },
        total: { dtype: 'int32', shape: [], data: Int32Array.of(length) },
        ...sequentialRotation(length, config.head_dim, config.rope_theta),
      }
      for (let i = 0; i < 2 * config.num_hidden_layers; i++) feeds[`past_${i}`] = empty
      return session.run(feeds)
    }

    const short = await run(ids)
    // The reference recorded its layers while it generated: on all but the last token.
    const long = await run([...ids, ...fixture.greedy_continuation.slice(0, -1)])
    await session.release()

    deviation.stat('embed', short['probe embed']!.data, fixture.embed_out, tolerance)
    const lastRow = fixture.final_normed.data.slice(-config.hidden_size)
    deviation.check('norm', short['probe norm']!.data, lastRow, tolerance)
    for (const [i, stat] of fixture.layer_out.entries()) {
      deviation.stat(`layer ${i}`, long[`probe layers.${i}`]!.data, stat, tolerance)
    }
  })

  it('predicts the next token from the normed last state', async () => {
    const { logits } = await model.next(ids)

    deviation.check('logits', logits, fixture.logits_last.data, tolerance)
  })

  it("continues greedily with the reference's tokens, one at a time from its cache", async () => {
    const continuation: number[] = []
    let { logits, cache } = await model.next(ids)
    while (continuation.length < fixture.greedy_continuation.length) {
      continuation.push(argmax(logits))
      ;({ logits, cache } = await model.next(continuation.slice(-1), cache))
    }

    assert.deepEqual(continuation, fixture.greedy_continuation)
    assert.equal(cache.length, ids.length + continuation.length)
  })

  it('gives the same logits with and without a cache', async () => {
    const whole = await model.next(ids)
    const first = await model.next(ids.slice(0, 4))
    const rest = await model.next(ids.slice(4), first.cache)

    deviation.check('cache', rest.logits, whole.logits, tolerance)
  })

  it('reads prompts without the last layer and the language head, which it asks for', async () => {
    const shapes = Object.entries(fixture.param_shapes)
    const last = `model.layers.${config.num_hidden_layers - 1}.`
    const kept = shapes.filter(([name]) => !name.startsWith(last) && name !== 'model.norm.weight')
    const headless = await closedFormCheckpoint(folder.path, 'headless', Object.fromEntries(kept))
    const encoder = new Qwen3(config, headless, options)

    const hidden = await encoder.hidden(ids)

    deviation.check('headless', hidden.data, fixture.hidden_states_minus2.data, tolerance)
    await assert.rejects(encoder.next(ids), { code: 'tensor-missing' })
    await encoder.release()
  })

  it('uses every tensor of the checkpoint', () => {
    logitsGraph(config, checkpoint, 'model.')

    assert.deepEqual(checkpoint.unused(), [])
  })
})
