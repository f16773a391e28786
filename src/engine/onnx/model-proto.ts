/**
 * Writes ONNX models as protobuf bytes: the few messages of onnx.proto that a graph with external
 * weights needs, field numbers beside them. A writer only; tests decode its output with an
 * independent protobuf package. Source: onnx/onnx, onnx/onnx.proto (Apache-2.0).
 */
import type { DType } from '../tensor.ts'

/** An axis length: a number, or an expression over symbols that is known only at run time. */
export type Dim = number | string

/** An operator's attribute, before it is written; a `number` alone is written as an ONNX int. */
export type Attribute = number | { readonly float: number } | string | readonly number[]

/** One operator call. Empty input names stand for omitted optional inputs. */
export type NodeProto = {
  readonly opType: string
  readonly domain: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

/** A tensor that the model carries inside, or finds at a place in another file. */
export type InitializerProto = {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly data:
    | { readonly raw: Uint8Array }
    | { readonly location: string; readonly offset: number; readonly sizeBytes: number }
}

/** Name, element type and shape of a graph's input or output. */
export type ValueInfoProto = {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly Dim[]
}

/** A whole graph in the order in which it is written. */
export type GraphProto = {
  readonly name: string
  readonly nodes: readonly NodeProto[]
  readonly initializers: readonly InitializerProto[]
  readonly inputs: readonly ValueInfoProto[]
  readonly outputs: readonly ValueInfoProto[]
}

const dataType: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
}

/** Operator set versions that the engine's graphs are written against, by domain. */
const opsets: Readonly<Record<string, number>> = { '': 23, 'com.microsoft': 1 }

const irVersion = 11

const utf8 = new TextEncoder()

/** A protobuf message under construction; fields come out in the order in which they are put. */
class Message {
  readonly #chunks: Uint8Array[] = []

  int(field: number, value: number): this {
    this.#chunks.push(varint(field * 8), varint(value))
    return this
  }

  float(field: number, value: number): this {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setFloat32(0, value, true)
    this.#chunks.push(varint(field * 8 + 5), bytes)
    return this
  }

  bytes(field: number, value: Uint8Array): this {
    this.#chunks.push(varint(field * 8 + 2), varint(value.length), value)
    return this
  }

  string(field: number, value: string): this {
    return this.bytes(field, utf8.encode(value))
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.finish())
  }

  /** One by one, not packed: what ONNX's own proto2 schema writes. */
  ints(field: number, values: readonly number[]): this {
    for (const value of values) this.int(field, value)
    return this
  }

  finish(): Uint8Array {
    return Buffer.concat(this.#chunks)
  }
}

/** Base-128, low group first. Negative numbers take ten bytes, as two's complement of 64 bits. */
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, BigInt(value))
  while (rest >= 128n) {
    bytes.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  return Uint8Array.from(bytes)
}

/** Writes a whole model: `graph` wrapped with the versions it was written against. */
export function encodeModel(graph: GraphProto): Uint8Array {
  const model = new Message().int(1, irVersion).string(2, 'zimagine').message(7, graphProto(graph))
  for (const [domain, version] of Object.entries(opsets)) {
    model.message(8, new Message().string(1, domain).int(2, version))
  }
  return model.finish()
}

function graphProto(graph: GraphProto): Message {
  const message = new Message()
  for (const node of graph.nodes) message.message(1, nodeProto(node))
  message.string(2, graph.name)
  for (const initializer of graph.initializers) message.message(5, tensorProto(initializer))
  for (const input of graph.inputs) message.message(11, valueInfoProto(input))
  for (const output of graph.outputs) message.message(12, valueInfoProto(output))
  return message
}

function nodeProto(node: NodeProto): Message {
  const message = new Message()
  for (const input of node.inputs) message.string(1, input)
  for (const output of node.outputs) message.string(2, output)
  message.string(3, node.name).string(4, node.opType)
  for (const [name, value] of Object.entries(node.attributes)) {
    message.message(5, attributeProto(name, value))
  }
  return message.string(7, node.domain)
}

function attributeProto(name: string, value: Attribute): Message {
  const message = new Message().string(1, name)
  if (typeof value === 'number') return message.int(3, value).int(20, 2)
  if (typeof value === 'string') return message.string(4, value).int(20, 3)
  if ('float' in value) return message.float(2, value.float).int(20, 1)
  return message.ints(8, value).int(20, 7)
}

function tensorProto(initializer: InitializerProto): Message {
  const message = new Message()
    .ints(1, initializer.shape)
    .int(2, dataType[initializer.dtype])
    .string(8, initializer.name)
  const { data } = initializer
  if ('raw' in data) return message.bytes(9, data.raw)
  const place = { location: data.location, offset: data.offset, length: data.sizeBytes }
  for (const [key, value] of Object.entries(place)) {
    message.message(13, new Message().string(1, key).string(2, String(value)))
  }
  return message.int(14, 1)
}

function valueInfoProto(value: ValueInfoProto): Message {
  const shape = new Message()
  for (const dim of value.shape) {
    shape.message(
      1,
      typeof dim === 'number' ? new Message().int(1, dim) : new Message().string(2, dim),
    )
  }
  const tensorType = new Message().int(1, dataType[value.dtype]).message(2, shape)
  return new Message().string(1, value.name).message(2, new Message().message(1, tensorType))
}
