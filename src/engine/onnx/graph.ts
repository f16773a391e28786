/**
 * Builds one ONNX graph in memory. Values carry their element type and shape from the moment they
 * exist, so a mistake is found while building, with the operator's name, and not inside
 * onnxruntime. Weights are never copied: an initializer is a place in a .safetensors file.
 */
import type { TensorEntry } from '../safetensors.ts'
import { type DType, type Tensor } from '../tensor.ts'
import {
  type Attribute,
  type Dim,
  type InitializerProto,
  type NodeProto,
  type ValueInfoProto,
  encodeModel,
} from './model-proto.ts'

/** A tensor of the graph; only the graph that made it may use it. */
export type Value = ValueInfoProto

/** Where a network's weights come from: a checkpoint, or a dry run that only takes notes. */
export type WeightSource = {
  /** The place of tensor `name`, whose shape the network fixes; throws if the file disagrees. */
  entry(name: string, shape: readonly number[]): TensorEntry
}

/** What a layer needs to add itself to a graph. */
export type Network = { readonly graph: Graph; readonly weights: WeightSource }

/** What an operator call yields, before it has a name. */
export type OutputInfo = { readonly dtype: DType; readonly shape: readonly Dim[] }

/** A graph under construction. */
export class Graph {
  readonly #name: string
  readonly #casts: NodeProto[] = []
  readonly #nodes: NodeProto[] = []
  readonly #initializers = new Map<string, InitializerProto>()
  readonly #weights = new Map<string, Value>()
  readonly #inputs: ValueInfoProto[] = []
  readonly #outputs: ValueInfoProto[] = []
  readonly #named = new Map<string, Value>()

  constructor(name: string) {
    this.#name = name
  }

  /** Declares an input that every run must feed. */
  input(name: string, dtype: DType, shape: readonly Dim[]): Value {
    const value = { name, dtype, shape }
    this.#inputs.push(value)
    return value
  }

  /** A small tensor that the model itself carries. */
  constant(tensor: Tensor<DType>): Value {
    const { buffer, byteOffset, byteLength } = tensor.data
    const raw = new Uint8Array(buffer, byteOffset, byteLength)
    const name = `constant_${this.#initializers.size}`
    const { dtype, shape } = tensor
    this.#initializers.set(name, { name, dtype, shape, data: { raw } })
    return { name, dtype, shape }
  }

  /** A tensor of a file as it is stored, memory-mapped when the graph runs. */
  stored(entry: TensorEntry): Value {
    const { name, dtype, shape, file: location, offset, sizeBytes } = entry
    this.#initializers.set(name, { name, dtype, shape, data: { location, offset, sizeBytes } })
    return { name, dtype, shape }
  }

  /**
   * A tensor of a file as float32. Careful: all of these Casts come first in the written graph.
   * onnxruntime then runs each right before its consumer; in the natural order it runs every Cast
   * of the graph first and holds the whole checkpoint in float32 at once.
   */
  weight(entry: TensorEntry): Value {
    const known = this.#weights.get(entry.name)
    if (known) return known
    let value = this.stored(entry)
    if (value.dtype !== 'float32') {
      const wide: Value = { name: `${entry.name}_float32`, dtype: 'float32', shape: entry.shape }
      this.#casts.push({
        opType: 'Cast',
        domain: '',
        name: `Cast_${entry.name}`,
        inputs: [value.name],
        outputs: [wide.name],
        attributes: { to: 1 },
      })
      value = wide
    }
    this.#weights.set(entry.name, value)
    return value
  }

  /** Calls an operator; `ops/` has one function for each, which knows its output shapes. */
  node(
    opType: string,
    inputs: readonly (Value | undefined)[],
    outputs: readonly OutputInfo[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = '',
  ): Value[] {
    const name = `${opType}_${this.#nodes.length}`
    const values = outputs.map((output, i) => ({ ...output, name: `${name}_${i}` }))
    this.#nodes.push({
      opType,
      domain,
      name,
      inputs: inputs.map((input) => input?.name ?? ''),
      outputs: values.map((value) => value.name),
      attributes,
    })
    return values
  }

  /** Remembers a value by what it is in the network (`layers.0`), for tests and messages. */
  remember(label: string, value: Value): Value {
    this.#named.set(label, value)
    return value
  }

  /** The value remembered as `label`. */
  recall(label: string): Value {
    const value = this.#named.get(label)
    if (!value) throw new Error(`internal: graph ${this.#name}: nothing remembered as ${label}`)
    return value
  }

  /** Declares `value` an output of the graph, under `name`. */
  output(name: string, value: Value): void {
    // An Identity gives the output its own name, so that one value may be several outputs.
    this.#nodes.push({
      opType: 'Identity',
      domain: '',
      name: `output_${name}`,
      inputs: [value.name],
      outputs: [name],
      attributes: {},
    })
    this.#outputs.push({ name, dtype: value.dtype, shape: value.shape })
  }

  /** Files that hold this graph's weights. */
  files(): ReadonlySet<string> {
    const files = new Set<string>()
    for (const { data } of this.#initializers.values())
      if ('location' in data) files.add(data.location)
    return files
  }

  /**
   * The model as bytes. `externalPath` spells a weight file's path as the session expects it,
   * relative to the folder that it was told.
   */
  encode(externalPath: (file: string) => string): Uint8Array {
    const initializers = [...this.#initializers.values()].map((initializer) => {
      const { data } = initializer
      if (!('location' in data)) return initializer
      return { ...initializer, data: { ...data, location: externalPath(data.location) } }
    })
    return encodeModel({
      name: this.#name,
      nodes: [...this.#casts, ...this.#nodes],
      initializers,
      inputs: this.#inputs,
      outputs: this.#outputs,
    })
  }
}
