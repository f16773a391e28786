/**
 * Graphs as they are written: which node comes where, what is written once, and where the weights
 * are said to lie.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Graph } from '../../../src/engine/onnx/graph.ts'
import type { GraphProto } from '../../../src/engine/onnx/model-proto.ts'
import { Add, FusedMatMul, Resize } from '../../../src/engine/onnx/ops/arithmetic.ts'
import type { StoredDType, TensorEntry } from '../../../src/engine/safetensors.ts'
import { bytesPerElement, elementCount, float32 } from '../../../src/engine/tensor.ts'
import { decodeModel, graphOf } from './decoded-model.ts'

function entry(name: string, dtype: StoredDType, shape: readonly number[]): TensorEntry {
  const sizeBytes = elementCount(shape) * bytesPerElement[dtype]
  return { name, dtype, shape, file: `/models/${name}.safetensors`, offset: 4096, sizeBytes }
}

/** What an independent decoder finds in the graph's bytes. */
function written(graph: Graph): GraphProto {
  return graphOf(decodeModel(graph.encode((file) => `root${file}`)))
}

const identity = { opType: 'Identity', domain: '', attributes: {} }

describe('Graph', () => {
  it('says where weights lie as the session spells it', () => {
    const graph = new Graph('places')
    graph.weight(entry('layers.0.weight', 'float32', [3, 2]))
    graph.stored(entry('table', 'bfloat16', [5]))

    assert.deepEqual(written(graph).initializers, [
      {
        name: 'layers.0.weight',
        dtype: 'float32',
        shape: [3, 2],
        data: { location: 'root/models/layers.0.weight.safetensors', offset: 4096, sizeBytes: 24 },
      },
      {
        name: 'table',
        dtype: 'bfloat16',
        shape: [5],
        data: { location: 'root/models/table.safetensors', offset: 4096, sizeBytes: 10 },
      },
    ])
    assert.deepEqual(
      [...graph.files()],
      ['/models/layers.0.weight.safetensors', '/models/table.safetensors'],
    )
  })

  it('carries constants inside, only the view it is given', () => {
    const graph = new Graph('constants')
    graph.constant(float32([2], Float32Array.of(9, 1, -2, 9).subarray(1, 3)))
    graph.constant({ dtype: 'int64', shape: [], data: BigInt64Array.of(-1n) })

    assert.deepEqual(written(graph).initializers, [
      {
        name: 'constant_0',
        dtype: 'float32',
        shape: [2],
        data: { raw: Uint8Array.of(0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0) },
      },
      {
        name: 'constant_1',
        dtype: 'int64',
        shape: [],
        data: { raw: new Uint8Array(8).fill(255) },
      },
    ])
    assert.equal(graph.files().size, 0)
  })

  it('writes the Casts of all weights before every other node', () => {
    const graph = new Graph('casts')
    let x = graph.input('x', 'float32', ['seq', 4])
    for (const name of ['a', 'b', 'c']) {
      x = FusedMatMul(graph, x, graph.weight(entry(name, 'bfloat16', [4, 4])))
    }
    graph.output('y', x)

    const nodes = written(graph).nodes.map(({ opType, inputs }) => `${opType} ${inputs.join()}`)

    assert.deepEqual(nodes, [
      'Cast a',
      'Cast b',
      'Cast c',
      'FusedMatMul x,a_float32',
      'FusedMatMul FusedMatMul_0_0,b_float32',
      'FusedMatMul FusedMatMul_1_0,c_float32',
      'Identity FusedMatMul_2_0',
    ])
  })

  it('casts a weight once, however often it is used', () => {
    const graph = new Graph('tied')
    const table = entry('embed', 'float16', [4, 4])
    graph.stored(table)

    const [first, second] = [graph.weight(table), graph.weight(table)]

    assert.equal(first, second)
    assert.deepEqual(first, { name: 'embed_float32', dtype: 'float32', shape: [4, 4] })
    const { nodes, initializers } = written(graph)
    assert.deepEqual(nodes, [
      {
        opType: 'Cast',
        domain: '',
        name: 'Cast_embed',
        inputs: ['embed'],
        outputs: ['embed_float32'],
        attributes: { to: 1 },
      },
    ])
    assert.equal(initializers.length, 1)
  })

  it('takes float32 weights as they are', () => {
    const graph = new Graph('plain')

    const value = graph.weight(entry('a', 'float32', [2]))

    assert.deepEqual(value, { name: 'a', dtype: 'float32', shape: [2] })
    assert.deepEqual(written(graph).nodes, [])
  })

  it('writes inputs and outputs with their symbols, one value under several names', () => {
    const graph = new Graph('names')
    const x = graph.input('x', 'float32', ['batch', 4])
    const y = Add(graph, x, x)
    graph.output('y', y)
    graph.output('again', y)

    const { name, inputs, outputs, nodes } = written(graph)

    assert.equal(name, 'names')
    assert.deepEqual(inputs, [{ name: 'x', dtype: 'float32', shape: ['batch', 4] }])
    assert.deepEqual(outputs, [
      { name: 'y', dtype: 'float32', shape: ['batch', 4] },
      { name: 'again', dtype: 'float32', shape: ['batch', 4] },
    ])
    assert.deepEqual(nodes.slice(1), [
      { ...identity, name: 'output_y', inputs: ['Add_0_0'], outputs: ['y'] },
      { ...identity, name: 'output_again', inputs: ['Add_0_0'], outputs: ['again'] },
    ])
  })

  it('writes attributes of every kind, and omitted inputs as empty names', () => {
    const graph = new Graph('attributes')
    const x = graph.input('x', 'float32', [1, 2, 3, 4])
    Resize(graph, x)
    graph.node('Op', [x], [], { axis: -1, epsilon: { float: 0.5 }, perm: [1, -2] }, 'com.microsoft')

    const [resize, op] = written(graph).nodes

    assert.deepEqual(resize!.inputs, ['x', '', 'constant_0'])
    assert.deepEqual(resize!.attributes, {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    })
    assert.equal(op!.domain, 'com.microsoft')
    assert.deepEqual(op!.attributes, { axis: -1, epsilon: { float: 0.5 }, perm: [1, -2] })
  })

  it('recalls what it was told to remember, and says what it was not', () => {
    const graph = new Graph('memory')
    const x = graph.input('x', 'float32', [1])

    assert.equal(graph.remember('layers.0', x), x)
    assert.equal(graph.recall('layers.0'), x)
    assert.throws(() => graph.recall('layers.1'), /internal: graph memory: nothing .+ as layers\.1/)
  })
})
