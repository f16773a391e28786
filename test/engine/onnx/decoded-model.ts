/**
 * Decodes models by an independent protobuf package that was generated from ONNX's own schema, and
 * says what it found in the writer's terms.
 */
import assert from 'node:assert/strict'
import { fromBinary } from '@bufbuild/protobuf'
import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto as DecodedNode,
  type TensorProto,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
  type ValueInfoProto as DecodedValueInfo,
} from 'onnx-buf'
import type {
  Attribute,
  GraphProto,
  InitializerProto,
  NodeProto,
  ValueInfoProto,
} from '../../../src/engine/onnx/model-proto.ts'
import type { DType } from '../../../src/engine/tensor.ts'

/** Decodes a model; fails on any field that the schema has no place for. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  const model = fromBinary(ModelProtoSchema, bytes)
  assert.equal(unknownFields(model), 0)
  return model
}

/** Fields, at any depth, that the decoder found no place for. */
function unknownFields(value: unknown): number {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return 0
  const own = '$unknown' in value && Array.isArray(value.$unknown) ? value.$unknown.length : 0
  return Object.values(value).reduce((sum: number, inside) => sum + unknownFields(inside), own)
}

/** Element types by the schema's numbers for them. */
export const dtypes = new Map<number, DType>([
  [DataType.FLOAT, 'float32'],
  [DataType.FLOAT16, 'float16'],
  [DataType.BFLOAT16, 'bfloat16'],
  [DataType.INT8, 'int8'],
  [DataType.UINT8, 'uint8'],
  [DataType.INT32, 'int32'],
  [DataType.INT64, 'int64'],
  [DataType.BOOL, 'bool'],
])

function attributeOf(attribute: AttributeProto): Attribute {
  switch (attribute.type) {
    case AttributeType.INT:
      return Number(attribute.i)
    case AttributeType.FLOAT:
      return { float: attribute.f }
    case AttributeType.STRING:
      return Buffer.from(attribute.s).toString()
    case AttributeType.INTS:
      return attribute.ints.map(Number)
    default:
      throw new Error(`attribute of type ${attribute.type}`)
  }
}

function nodeOf({ opType, domain, name, input, output, attribute }: DecodedNode): NodeProto {
  const attributes = Object.fromEntries(attribute.map((one) => [one.name, attributeOf(one)]))
  return { opType, domain, name, inputs: input, outputs: output, attributes }
}

function initializerOf(tensor: TensorProto): InitializerProto {
  const { name, dims, dataType, dataLocation, externalData, rawData } = tensor
  const place = new Map(externalData.map(({ key, value }) => [key, value]))
  const data =
    dataLocation === DataLocation.EXTERNAL
      ? {
          location: place.get('location')!,
          offset: Number(place.get('offset')),
          sizeBytes: Number(place.get('length')),
        }
      : { raw: new Uint8Array(rawData) }
  return { name, dtype: dtypes.get(dataType)!, shape: dims.map(Number), data }
}

/** An input or output in the writer's own terms. */
export function valueInfoOf({ name, type }: DecodedValueInfo): ValueInfoProto {
  assert.equal(type?.value.case, 'tensorType')
  const { elemType, shape } = type.value.value
  const dims = shape!.dim.map(({ value }) =>
    value.case === 'dimParam' ? value.value : Number(value.value),
  )
  return { name, dtype: dtypes.get(elemType)!, shape: dims }
}

/** A decoded model's graph in the writer's own terms. */
export function graphOf({ graph }: ModelProto): GraphProto {
  return {
    name: graph!.name,
    nodes: graph!.node.map(nodeOf),
    initializers: graph!.initializer.map(initializerOf),
    inputs: graph!.input.map(valueInfoOf),
    outputs: graph!.output.map(valueInfoOf),
  }
}
