/**
 * Qwen3: the prompt encoder (hidden state of the last layer but one, before the final norm) and,
 * with the same weights, a language model with a key-value cache. Axes: `seq` new tokens, `past`
 * cached ones. Source: huggingface/transformers, modeling_qwen3.py (Apache-2.0); names verbatim.
 */
import { gatedFeedForward, linear } from '../layers/linear.ts'
import { headNorm, rmsNorm } from '../layers/norm.ts'
import { sequentialRotation } from '../layers/rope.ts'
import { Graph, type Network, type Value, type WeightSource } from '../onnx/graph.ts'
import { Add, Cast, FusedMatMul } from '../onnx/ops/arithmetic.ts'
import { type GroupQuery, GroupQueryAttention } from '../onnx/ops/attention.ts'
import { Gather, Slice } from '../onnx/ops/movement.ts'
import { LazySession, type SessionOptions } from '../onnx/session.ts'
import { type DType, type Tensor, float32 } from '../tensor.ts'
import type { TextEncoderConfig } from './config.ts'

/** Keys and values of the tokens read so far, two tensors a layer, [1, keyHeads, past, headDim]. */
export type KeyValueCache = { readonly length: number; readonly tensors: readonly Tensor[] }

type Cached = { readonly key: Value; readonly value: Value }
type Positions = Pick<GroupQuery, 'lastKey' | 'total' | 'cos' | 'sin'>

function positionInputs(graph: Graph, config: TextEncoderConfig): Positions {
  const table = ['positions', config.head_dim / 2]
  return {
    lastKey: graph.input('last_key', 'int32', ['batch']),
    total: graph.input('total', 'int32', []),
    cos: graph.input('cos', 'float32', table),
    sin: graph.input('sin', 'float32', table),
  }
}

function embed({ graph, weights }: Network, config: TextEncoderConfig, prefix: string): Value {
  const ids = graph.input('ids', 'int64', ['batch', 'seq'])
  const shape = [config.vocab_size, config.hidden_size]
  // Rows are picked before they are widened: the table is by far the largest tensor.
  const rows = Gather(
    graph,
    graph.stored(weights.entry(`${prefix}embed_tokens.weight`, shape)),
    ids,
  )
  return rows.dtype === 'float32' ? rows : Cast(graph, rows, 'float32')
}

function decoderLayer(
  network: Network,
  config: TextEncoderConfig,
  name: string,
  x: Value,
  positions: Positions,
  past?: Cached,
): { readonly output: Value; readonly present: Cached } {
  const { graph } = network
  const { hidden_size: hidden, head_dim: headDim, rms_norm_eps: epsilon } = config
  const { num_attention_heads: heads, num_key_value_heads: keyHeads } = config
  const attention = `${name}.self_attn`
  const y = rmsNorm(network, `${name}.input_layernorm.weight`, x, epsilon)
  const project = (part: string, count: number): Value =>
    linear(network, `${attention}.${part}`, y, { from: hidden, to: count * headDim })
  const attended = GroupQueryAttention(graph, {
    query: headNorm(
      network,
      `${attention}.q_norm.weight`,
      project('q_proj', heads),
      heads,
      epsilon,
    ),
    key: headNorm(
      network,
      `${attention}.k_norm.weight`,
      project('k_proj', keyHeads),
      keyHeads,
      epsilon,
    ),
    value: project('v_proj', keyHeads),
    ...(past ? { past } : {}),
    ...positions,
    heads,
    keyHeads,
  })
  const size = { from: heads * headDim, to: hidden }
  const middle = Add(graph, x, linear(network, `${attention}.o_proj`, attended.output, size))
  const parts = {
    gate: `${name}.mlp.gate_proj`,
    up: `${name}.mlp.up_proj`,
    down: `${name}.mlp.down_proj`,
  }
  const z = rmsNorm(network, `${name}.post_attention_layernorm.weight`, middle, epsilon)
  const inner = config.intermediate_size
  const output = Add(graph, middle, gatedFeedForward(network, parts, z, { width: hidden, inner }))
  return { output, present: { key: attended.presentKey, value: attended.presentValue } }
}

/** `ids` [batch, seq] to `hidden` [batch, seq, hidden_size], the output of the last layer but one. */
export function hiddenGraph(
  config: TextEncoderConfig,
  weights: WeightSource,
  prefix: string,
): Graph {
  const graph = new Graph('hidden')
  const network = { graph, weights }
  const positions = positionInputs(graph, config)
  let x = embed(network, config, prefix)
  for (let i = 0; i < config.num_hidden_layers - 1; i++) {
    const name = `${prefix}layers.${i}`
    x = decoderLayer(network, config, name, x, positions).output
  }
  graph.output('hidden', x)
  return graph
}

/**
 * `ids` [batch, seq] after cached keys and values to `logits` [batch, 1, vocab_size] of the token
 * that follows, and the grown cache `present_N` (key, value of layer 0, of layer 1, ...).
 */
export function logitsGraph(
  config: TextEncoderConfig,
  weights: WeightSource,
  prefix: string,
): Graph {
  const graph = new Graph('logits')
  const network = { graph, weights }
  const { hidden_size: hidden, vocab_size: vocabulary } = config
  const positions = positionInputs(graph, config)
  const cacheShape = ['batch', config.num_key_value_heads, 'past', config.head_dim]
  let x = graph.remember('embed', embed(network, config, prefix))
  const presents: Value[] = []
  for (let i = 0; i < config.num_hidden_layers; i++) {
    const past = {
      key: graph.input(`past_${2 * i}`, 'float32', cacheShape),
      value: graph.input(`past_${2 * i + 1}`, 'float32', cacheShape),
    }
    const layer = decoderLayer(network, config, `${prefix}layers.${i}`, x, positions, past)
    x = graph.remember(`layers.${i}`, layer.output)
    presents.push(layer.present.key, layer.present.value)
  }
  const last = Slice(graph, x, 1, -1, Number.MAX_SAFE_INTEGER, 1)
  const normed = rmsNorm(network, `${prefix}norm.weight`, last, config.rms_norm_eps)
  graph.remember('norm', normed)
  const head = config.tie_word_embeddings ? `${prefix}embed_tokens.weight` : 'lm_head.weight'
  const table = graph.weight(weights.entry(head, [vocabulary, hidden]))
  graph.output('logits', FusedMatMul(graph, normed, table))
  for (const [i, present] of presents.entries()) graph.output(`present_${i}`, present)
  return graph
}

/** The language model's sessions. Whoever opens it releases it. */
export class Qwen3 {
  readonly #config: TextEncoderConfig
  readonly #hidden: LazySession
  readonly #openLogits: () => LazySession
  #logits: LazySession | undefined

  /**
   * Throws if a tensor of the prompt encoder is missing or misshapen; sessions are created when they
   * are first needed. `prefix` is what the checkpoint's tensor names begin with: `model.` or nothing.
   */
  constructor(
    config: TextEncoderConfig,
    weights: WeightSource,
    { prefix, ...options }: SessionOptions & { readonly prefix: string },
  ) {
    this.#config = config
    this.#hidden = new LazySession(hiddenGraph(config, weights, prefix), options)
    // Careful: a checkpoint that was saved to encode prompts may lack the language head.
    this.#openLogits = () => new LazySession(logitsGraph(config, weights, prefix), options)
  }

  /**
   * What the transformer reads of a prompt: [ids, hidden_size]. The true length without padding or
   * mask; causality makes the rows equal those of a padded run.
   */
  async hidden(ids: readonly number[]): Promise<Tensor> {
    const output = await this.#hidden.compute(this.#feeds(ids, 0))
    return float32(output.shape.slice(1), output.data)
  }

  /**
   * Reads `ids` after `cache`; yields logits [vocab_size] of the next token and the grown cache.
   * @throws {EngineError} tensor-missing, tensor-mismatch of the last layer and the language head
   */
  async next(
    ids: readonly number[],
    cache: KeyValueCache = this.#emptyCache(),
  ): Promise<{ readonly logits: Float32Array; readonly cache: KeyValueCache }> {
    const feeds = this.#feeds(ids, cache.length)
    for (const [i, tensor] of cache.tensors.entries()) feeds[`past_${i}`] = tensor
    this.#logits ??= this.#openLogits()
    const outputs = await this.#logits.run(feeds)
    const tensors = cache.tensors.map((_, i) => outputs[`present_${i}`]!)
    return {
      logits: outputs['logits']!.data,
      cache: { length: cache.length + ids.length, tensors },
    }
  }

  /** Gives the memory back. */
  async release(): Promise<void> {
    await Promise.all([this.#hidden.release(), this.#logits?.release()])
  }

  #emptyCache(): KeyValueCache {
    const {
      num_hidden_layers: layers,
      num_key_value_heads: keyHeads,
      head_dim: headDim,
    } = this.#config
    const empty = float32([1, keyHeads, 0, headDim], new Float32Array(0))
    return { length: 0, tensors: Array.from({ length: 2 * layers }, () => empty) }
  }

  #feeds(ids: readonly number[], past: number): Record<string, Tensor<DType>> {
    const total = past + ids.length
    const { cos, sin } = sequentialRotation(total, this.#config.head_dim, this.#config.rope_theta)
    return {
      ids: { dtype: 'int64', shape: [1, ids.length], data: BigInt64Array.from(ids, BigInt) },
      last_key: { dtype: 'int32', shape: [1], data: Int32Array.of(total - 1) },
      total: { dtype: 'int32', shape: [], data: Int32Array.of(total) },
      cos,
      sin,
    }
  }
}
