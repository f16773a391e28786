/**
 * The networks at their released sizes, without any weights: building the graphs must ask for every
 * tensor of the released checkpoints, by name and shape, and for no other.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decoderGraph, encoderGraph } from '../../src/engine/models/autoencoder-graph.ts'
import {
  autoencoderSchema,
  textEncoderSchema,
  transformerSchema,
} from '../../src/engine/models/config.ts'
import { hiddenGraph, logitsGraph } from '../../src/engine/models/qwen3.ts'
import {
  captionGraph,
  denoiseGraph,
  modulationGraph,
} from '../../src/engine/models/z-image-graph.ts'
import type { WeightSource } from '../../src/engine/onnx/graph.ts'
import { elementCount } from '../../src/engine/tensor.ts'
import {
  releasedAutoencoder,
  releasedTextEncoder,
  releasedTransformer,
} from '../fixtures/released-configs.ts'

/** Takes notes of what it is asked for and has nothing. */
class Census implements WeightSource {
  readonly shapes = new Map<string, readonly number[]>()

  entry(name: string, shape: readonly number[]) {
    const known = this.shapes.get(name)
    if (known) assert.deepEqual(shape, known, name)
    this.shapes.set(name, shape)
    const sizeBytes = 2 * elementCount(shape)
    return { name, dtype: 'bfloat16' as const, shape, file: '/none', offset: 0, sizeBytes }
  }

  get parameters(): number {
    return [...this.shapes.values()].reduce((sum, shape) => sum + elementCount(shape), 0)
  }
}

/** Shapes by name of one block of the transformer, without and with modulation. */
function blockShapes(block: string, isModulated: boolean): [string, number[]][] {
  const modulation: [string, number[]][] = [
    [`${block}.adaLN_modulation.0.weight`, [15360, 256]],
    [`${block}.adaLN_modulation.0.bias`, [15360]],
  ]
  return [
    ...['to_q', 'to_k', 'to_v', 'to_out.0'].map((part): [string, number[]] => [
      `${block}.attention.${part}.weight`,
      [3840, 3840],
    ]),
    [`${block}.attention.norm_q.weight`, [128]],
    [`${block}.attention.norm_k.weight`, [128]],
    [`${block}.feed_forward.w1.weight`, [10240, 3840]],
    [`${block}.feed_forward.w2.weight`, [3840, 10240]],
    [`${block}.feed_forward.w3.weight`, [10240, 3840]],
    ...['attention_norm1', 'attention_norm2', 'ffn_norm1', 'ffn_norm2'].map(
      (norm): [string, number[]] => [`${block}.${norm}.weight`, [3840]],
    ),
    ...(isModulated ? modulation : []),
  ]
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}.${i}`)
}

describe('the parameter census', () => {
  it("names the transformer's 521 tensors and 6,154,908,736 parameters", () => {
    const config = transformerSchema.parse(releasedTransformer)
    const census = new Census()

    captionGraph(config, census)
    modulationGraph(config, census)
    denoiseGraph(config, census)

    const expected = new Map<string, readonly number[]>([
      ['x_pad_token', [1, 3840]],
      ['cap_pad_token', [1, 3840]],
      ['all_x_embedder.2-1.weight', [3840, 64]],
      ['all_x_embedder.2-1.bias', [3840]],
      ['all_final_layer.2-1.linear.weight', [64, 3840]],
      ['all_final_layer.2-1.linear.bias', [64]],
      ['all_final_layer.2-1.adaLN_modulation.1.weight', [3840, 256]],
      ['all_final_layer.2-1.adaLN_modulation.1.bias', [3840]],
      ['t_embedder.mlp.0.weight', [1024, 256]],
      ['t_embedder.mlp.0.bias', [1024]],
      ['t_embedder.mlp.2.weight', [256, 1024]],
      ['t_embedder.mlp.2.bias', [256]],
      ['cap_embedder.0.weight', [2560]],
      ['cap_embedder.1.weight', [3840, 2560]],
      ['cap_embedder.1.bias', [3840]],
      ...numbered('context_refiner', 2).flatMap((block) => blockShapes(block, false)),
      ...numbered('noise_refiner', 2).flatMap((block) => blockShapes(block, true)),
      ...numbered('layers', 30).flatMap((block) => blockShapes(block, true)),
    ])
    assert.deepEqual(Object.fromEntries(census.shapes), Object.fromEntries(expected))
    assert.equal(census.shapes.size, 521)
    assert.equal(census.parameters, 6_154_908_736)
    console.log(`measured: census: transformer 521 tensors, ${census.parameters} parameters`)
  })

  it("names the text encoder's 398 tensors and 4,022,468,096 parameters", () => {
    const config = textEncoderSchema.parse(releasedTextEncoder)
    const census = new Census()

    hiddenGraph(config, census, 'model.')
    assert.ok(!census.shapes.has('model.layers.35.self_attn.q_proj.weight'))
    logitsGraph(config, census, 'model.')

    const expected = new Map<string, readonly number[]>([
      ['model.embed_tokens.weight', [151936, 2560]],
      ['model.norm.weight', [2560]],
      ...numbered('model.layers', 36).flatMap((layer): [string, number[]][] => [
        [`${layer}.input_layernorm.weight`, [2560]],
        [`${layer}.post_attention_layernorm.weight`, [2560]],
        [`${layer}.self_attn.q_proj.weight`, [4096, 2560]],
        [`${layer}.self_attn.k_proj.weight`, [1024, 2560]],
        [`${layer}.self_attn.v_proj.weight`, [1024, 2560]],
        [`${layer}.self_attn.o_proj.weight`, [2560, 4096]],
        [`${layer}.self_attn.q_norm.weight`, [128]],
        [`${layer}.self_attn.k_norm.weight`, [128]],
        [`${layer}.mlp.gate_proj.weight`, [9728, 2560]],
        [`${layer}.mlp.up_proj.weight`, [9728, 2560]],
        [`${layer}.mlp.down_proj.weight`, [2560, 9728]],
      ]),
    ])
    assert.deepEqual(Object.fromEntries(census.shapes), Object.fromEntries(expected))
    assert.equal(census.shapes.size, 398)
    assert.equal(census.parameters, 4_022_468_096)
    console.log(`measured: census: text encoder 398 tensors, ${census.parameters} parameters`)
  })

  it("names the autoencoder's 244 tensors and 83,819,683 parameters", () => {
    const config = autoencoderSchema.parse(releasedAutoencoder)
    const [encoder, decoder] = [new Census(), new Census()]

    encoderGraph(config, encoder)
    decoderGraph(config, decoder)

    assert.deepEqual([encoder.shapes.size, decoder.shapes.size], [106, 138])
    assert.deepEqual([encoder.parameters, decoder.parameters], [34_274_208, 49_545_475])
    const shapes: Record<string, number[]> = {
      'encoder.conv_in.weight': [128, 3, 3, 3],
      'encoder.down_blocks.1.resnets.0.conv_shortcut.weight': [256, 128, 1, 1],
      'encoder.down_blocks.2.downsamplers.0.conv.weight': [512, 512, 3, 3],
      'encoder.mid_block.attentions.0.to_out.0.weight': [512, 512],
      'encoder.conv_out.weight': [32, 512, 3, 3],
      'decoder.conv_in.weight': [512, 16, 3, 3],
      'decoder.up_blocks.2.resnets.0.conv_shortcut.weight': [256, 512, 1, 1],
      'decoder.up_blocks.3.resnets.2.norm2.weight': [128],
      'decoder.up_blocks.2.upsamplers.0.conv.weight': [256, 256, 3, 3],
      'decoder.conv_out.bias': [3],
    }
    for (const [name, shape] of Object.entries(shapes)) {
      assert.deepEqual(encoder.shapes.get(name) ?? decoder.shapes.get(name), shape, name)
    }
    console.log(
      `measured: census: autoencoder 244 tensors, ${encoder.parameters + decoder.parameters} parameters`,
    )
  })
})
