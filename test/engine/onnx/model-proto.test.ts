/**
 * The bytes of a model, decoded by an independent protobuf package that was generated from ONNX's
 * own schema: every field is found again where the schema says, and nothing else is. The bytes are
 * the very ones that the schema's own writer gives.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { toBinary } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import {
  AttributeProto_AttributeType as AttributeType,
  ModelProtoSchema,
  TensorProto_DataLocation as DataLocation,
  TensorProto_DataType as DataType,
} from 'onnx-buf'
import {
  type Attribute,
  type GraphProto,
  type InitializerProto,
  type NodeProto,
  type ValueInfoProto,
  encodeModel,
} from '../../../src/engine/onnx/model-proto.ts'
import { decodeModel, dtypes, graphOf, valueInfoOf } from './decoded-model.ts'

const empty: GraphProto = { name: 'empty', nodes: [], initializers: [], inputs: [], outputs: [] }
const withNode = (node: Partial<NodeProto>): GraphProto => ({
  ...empty,
  nodes: [
    { opType: 'Op', domain: '', name: 'op', inputs: [], outputs: [], attributes: {}, ...node },
  ],
})

describe('encodeModel', () => {
  it('names the versions that the graphs are written against', () => {
    const model = decodeModel(encodeModel(empty))

    assert.equal(model.irVersion, 11n)
    assert.equal(model.producerName, 'zimagine')
    assert.deepEqual(
      model.opsetImport.map(({ domain, version }) => [domain, version]),
      [
        ['', 23n],
        ['com.microsoft', 1n],
      ],
    )
  })

  const attributes: readonly [kind: string, attribute: Attribute, fields: object][] = [
    ['an int', 7, { type: AttributeType.INT, i: 7n }],
    ['zero', 0, { type: AttributeType.INT, i: 0n }],
    ['a negative int', -1, { type: AttributeType.INT, i: -1n }],
    ['the largest int', 2 ** 53 - 1, { type: AttributeType.INT, i: 2n ** 53n - 1n }],
    ['a float', { float: 0.5 }, { type: AttributeType.FLOAT, f: 0.5 }],
    ['a rounded float', { float: 1e-6 }, { type: AttributeType.FLOAT, f: Math.fround(1e-6) }],
    ['a string', 'nearest', { type: AttributeType.STRING, s: Buffer.from('nearest') }],
    ['no string', '', { type: AttributeType.STRING, s: Buffer.of() }],
    ['ints', [1, 0, -1, 300], { type: AttributeType.INTS, ints: [1n, 0n, -1n, 300n] }],
    ['no ints', [], { type: AttributeType.INTS, ints: [] }],
  ]
  for (const [kind, attribute, fields] of attributes) {
    it(`writes ${kind} as an attribute`, () => {
      const model = decodeModel(encodeModel(withNode({ attributes: { key: attribute } })))

      const decoded = model.graph!.node[0]!.attribute[0]!
      const unset = { i: 0n, f: 0, s: Buffer.of(), ints: [] }
      const { name, type, i, f, s, ints } = decoded
      const got = { name, type, i, f, s: Buffer.from(s), ints }
      assert.deepEqual(got, { name: 'key', ...unset, ...fields })
    })
  }

  it('refuses an int attribute that is no whole number', () => {
    assert.throws(() => encodeModel(withNode({ attributes: { axis: 0.5 } })), RangeError)
  })

  it('keeps an omitted input as an empty name in its place', () => {
    const model = decodeModel(encodeModel(withNode({ inputs: ['x', '', 'scales'] })))

    assert.deepEqual(model.graph!.node[0]!.input, ['x', '', 'scales'])
  })

  it('marks an external tensor with location, offset and length', () => {
    const data = { location: 'mnt/w 1.safetensors', offset: 4_294_967_297, sizeBytes: 12 }
    const tensor: InitializerProto = { name: 'w', dtype: 'bfloat16', shape: [2, 3], data }

    const model = decodeModel(encodeModel({ ...empty, initializers: [tensor] }))

    const [decoded] = model.graph!.initializer
    assert.equal(decoded!.dataLocation, DataLocation.EXTERNAL)
    assert.equal(decoded!.dataType, DataType.BFLOAT16)
    assert.equal(decoded!.rawData.length, 0)
    assert.deepEqual(
      decoded!.externalData.map(({ key, value }) => [key, value]),
      [
        ['location', 'mnt/w 1.safetensors'],
        ['offset', '4294967297'],
        ['length', '12'],
      ],
    )
  })

  it('carries an inline tensor inside', () => {
    const raw = Uint8Array.of(1, 0, 0, 0, 255, 255, 255, 255)
    const tensor: InitializerProto = { name: 'c', dtype: 'int32', shape: [2], data: { raw } }

    const model = decodeModel(encodeModel({ ...empty, initializers: [tensor] }))

    const [decoded] = model.graph!.initializer
    assert.equal(decoded!.dataLocation, DataLocation.DEFAULT)
    assert.deepEqual(decoded!.externalData, [])
    assert.deepEqual(Buffer.from(decoded!.rawData), Buffer.from(raw))
  })

  it('tells symbolic lengths from numbers, and a scalar from an unknown shape', () => {
    const inputs: ValueInfoProto[] = [
      { name: 'x', dtype: 'float32', shape: ['batch', 0, '8*height', 4] },
      { name: 'total', dtype: 'int32', shape: [] },
    ]

    const model = decodeModel(encodeModel({ ...empty, inputs, outputs: inputs.toReversed() }))

    assert.deepEqual(model.graph!.input.map(valueInfoOf), inputs)
    assert.deepEqual(model.graph!.output.map(valueInfoOf), inputs.toReversed())
  })

  const text = fc.string({ unit: 'grapheme', maxLength: 12 })
  const shape = fc.array(fc.nat({ max: 70_000 }), { maxLength: 4 })
  const dtype = fc.constantFrom(...dtypes.values())
  const bytes = fc.uint8Array({ maxLength: 300 })
  const attribute = fc.oneof<fc.Arbitrary<Attribute>[]>(
    fc.maxSafeInteger(),
    fc.record({ float: fc.float() }, { noNullPrototype: true }),
    text,
    fc.array(fc.maxSafeInteger(), { maxLength: 5 }),
  )
  const record = <T>(fields: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
    fc.record(fields, { noNullPrototype: true })
  const node = record<NodeProto>({
    opType: text,
    domain: fc.constantFrom('', 'com.microsoft'),
    name: text,
    inputs: fc.array(text, { maxLength: 4 }),
    outputs: fc.array(text, { maxLength: 4 }),
    attributes: fc.dictionary(text, attribute, { maxKeys: 4, noNullPrototype: true }),
  })
  const external = record({ location: text, offset: fc.maxSafeNat(), sizeBytes: fc.maxSafeNat() })
  const initializer = record<InitializerProto>({
    name: text,
    dtype,
    shape,
    data: fc.oneof(external, record({ raw: bytes })),
  })
  const symbolicShape = fc.array(fc.oneof(fc.nat(), text), { maxLength: 4 })
  const valueInfo = record<ValueInfoProto>({ name: text, dtype, shape: symbolicShape })
  const graphs = record<GraphProto>({
    name: text,
    nodes: fc.array(node, { maxLength: 6 }),
    initializers: fc.array(initializer, { maxLength: 4 }),
    inputs: fc.array(valueInfo, { maxLength: 3 }),
    outputs: fc.array(valueInfo, { maxLength: 3 }),
  })

  it('loses nothing of any graph', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        assert.deepEqual(graphOf(decodeModel(encodeModel(graph))), graph)
      }),
      { numRuns: 200 },
    )
  })

  it("gives the schema's own writer's bytes for any graph", () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const written = encodeModel(graph)

        assert.deepEqual(
          Buffer.from(toBinary(ModelProtoSchema, decodeModel(written))),
          Buffer.from(written),
        )
      }),
      { numRuns: 200 },
    )
  })
})
