/**
 * Sessions over weights that lie in real safetensors files: element types, places, paths, errors,
 * and creating anew. What sessions hold in memory is in `memory.test.ts`.
 */
import assert from 'node:assert/strict'
import { mkdir, rename, rm, symlink, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Graph, type Value } from '../../../src/engine/onnx/graph.ts'
import { Add, Cast, FusedMatMul } from '../../../src/engine/onnx/ops/arithmetic.ts'
import { LazySession, Session } from '../../../src/engine/onnx/session.ts'
import {
  type StoredDType,
  type TensorEntry,
  readSafetensors,
  readTensor,
  writeSafetensors,
} from '../../../src/engine/safetensors.ts'
import { type Tensor, type TensorData, float32ToBfloat16 } from '../../../src/engine/tensor.ts'
import { input } from '../../fixtures/closed-form.ts'
import { temporaryFolder } from '../../fixtures/closed-form-checkpoint.ts'
import { Deviation } from '../../fixtures/deviation.ts'
import { at, loop, runGraph, total } from './against-loops.ts'

const folder = await temporaryFolder()
after(() => folder[Symbol.asyncDispose]())

const deviation = new Deviation('products by stored weights')
after(() => deviation.report())

function check(label: string, y: Tensor | undefined, expected: Tensor, tolerance = 2e-5): void {
  assert.deepEqual(y?.shape, expected.shape)
  deviation.check(label, y.data, expected.data, tolerance)
}

const options = { expandsWeights: false, threads: 1 }
const [seq, from, to] = [3, 64, 16]
const x = input('x', [seq, from])
const weight = input('weight', [to, from])

const store: Readonly<Record<string, (values: Float32Array) => TensorData[StoredDType]>> = {
  float32: (values) => values,
  float16: (values) => new Uint16Array(Float16Array.from(values).buffer),
  bfloat16: float32ToBfloat16,
}

/** Writes `weight` after `before` bytes of something else, and says where it lies. */
async function write(file: string, dtype: StoredDType, before = 0): Promise<TensorEntry> {
  const odd = { name: 'odd', dtype: 'uint8', shape: [before] } as const
  const values = store[dtype]!(weight.data)
  await writeSafetensors(file, [
    { ...odd, data: () => new Uint8Array(before).fill(255) },
    { name: 'weight', dtype, shape: weight.shape, data: () => values },
  ])
  return placeOf(file)
}

async function placeOf(file: string): Promise<TensorEntry> {
  return (await readSafetensors(file)).tensors.get('weight')!
}

function productGraph(entry: TensorEntry): Graph {
  const graph = new Graph('product')
  const operand = graph.input('x', 'float32', ['seq', from])
  graph.output('y', FusedMatMul(graph, operand, graph.weight(entry)))
  return graph
}

/** x times the transpose of w, in double precision. */
function productOf(w: Tensor): Tensor {
  return loop([seq, to], (i, j) => total(from, (k) => at(x, i, k) * at(w, j, k)))
}

describe('Session', () => {
  // Half a unit in the last place of each type, relative to the number.
  const roundings = { float32: 2 ** -24, float16: 2 ** -11, bfloat16: 2 ** -8 } as const
  for (const dtype of ['float32', 'float16', 'bfloat16'] as const) {
    it(`multiplies by ${dtype} weights within their rounding`, async () => {
      const entry = await write(join(folder.path, `${dtype}.safetensors`), dtype)

      const { y } = await runGraph(productGraph(entry), { x })

      check(dtype, y, productOf(await readTensor(entry)))
      const exact = productOf(weight)
      const size = loop([seq, to], (i, j) => {
        return total(from, (k) => Math.abs(at(x, i, k) * at(weight, j, k)))
      })
      for (const [i, value] of y!.data.entries()) {
        const allowed = size.data[i]! * roundings[dtype] + 1e-5
        assert.ok(Math.abs(value - exact.data[i]!) <= allowed, `element ${i}`)
      }
    })

    it(`gives the same product by ${dtype} weights that were expanded`, async () => {
      const entry = await write(join(folder.path, `${dtype}.safetensors`), dtype)
      const session = await Session.create(productGraph(entry), { expandsWeights: true })

      const { y } = await session.run({ x })

      await session.release()
      const mapped = await runGraph(productGraph(entry), { x })
      check(`${dtype} expanded`, y, mapped['y']!, 1e-6)
    })
  }

  for (const before of [1, 2, 3, 5]) {
    it(`finds weights ${before} bytes off their alignment`, async () => {
      const file = join(folder.path, `odd ${before}.safetensors`)
      for (const dtype of ['float32', 'bfloat16'] as const) {
        const entry = await write(file, dtype, before)
        assert.equal(entry.offset % 8, before)

        const { y } = await runGraph(productGraph(entry), { x })

        check(dtype, y, productOf(await readTensor(entry)))
      }
    })
  }

  const names = ['with spaces', 'Wärme 图 é', '100% #1? "a" \'b\' & $HOME', '..twice..', 'a\\b:c']
  for (const name of names) {
    it(`opens a path called ${name}`, { skip: isForbidden(name) }, async () => {
      await mkdir(join(folder.path, name))
      const entry = await write(join(folder.path, name, `${name}.safetensors`), 'bfloat16')

      const { y } = await runGraph(productGraph(entry), { x })

      check(name, y, productOf(await readTensor(entry)))
    })
  }

  it('opens links to files and folders, as the cache of a model hub has them', async () => {
    const [blobs, snapshot] = [join(folder.path, 'blobs'), join(folder.path, 'snapshots', 'main')]
    await mkdir(blobs)
    await mkdir(snapshot, { recursive: true })
    await write(join(blobs, '0123abcd'), 'bfloat16')
    await symlink(join('..', '..', 'blobs', '0123abcd'), join(snapshot, 'model.safetensors'))
    await symlink(snapshot, join(folder.path, 'current'), 'junction')
    const entry = await placeOf(join(folder.path, 'current', 'model.safetensors'))

    const { y } = await runGraph(productGraph(entry), { x })

    check('link', y, productOf(await readTensor(entry)))
  })

  it('adds up weights of several files', async () => {
    const [a, b] = [join(folder.path, 'a.safetensors'), join(folder.path, 'b.safetensors')]
    await write(a, 'float32')
    await write(b, 'float16')
    const graph = new Graph('files')
    const use = async (file: string, name: string): Promise<Value> =>
      graph.weight({ ...(await placeOf(file)), name })
    graph.output('y', Add(graph, await use(a, 'first'), await use(b, 'second')))

    const { y } = await runGraph(graph, {})

    const half = await readTensor(await placeOf(b))
    const expected = loop([to, from], (i, j) => at(weight, i, j) + at(half, i, j))
    check('files', y, expected, 1e-6)
  })

  it('fails to be created when the file is shorter than it was', async () => {
    const file = join(folder.path, 'short.safetensors')
    const entry = await write(file, 'bfloat16')
    await truncate(file, entry.offset + entry.sizeBytes - 1)

    await assert.rejects(Session.create(productGraph(entry), options), /weight/)
  })

  it('fails to be created when the file is gone', async () => {
    const file = join(folder.path, 'gone.safetensors')
    const entry = await write(file, 'bfloat16')
    await rm(file)

    await assert.rejects(Session.create(productGraph(entry), options), /gone\.safetensors/)
  })

  it('refuses weights whose path is not absolute', async () => {
    const entry = await write(join(folder.path, 'weights.safetensors'), 'bfloat16')
    const graph = productGraph({ ...entry, file: 'weights.safetensors' })

    await assert.rejects(Session.create(graph, options), /internal: session: expected absolute/)
  })

  it('names the input that a run forgot, and the axis that has another length', async () => {
    const entry = await write(join(folder.path, 'weights.safetensors'), 'bfloat16')
    const graph = productGraph(entry)

    await assert.rejects(runGraph(graph, {}), /input 'x' is missing/)
    await assert.rejects(runGraph(graph, { x: input('x', [3, 63]) }), /Got: 63 Expected: 64/)
  })

  it('refuses bfloat16 feeds and outputs that are not float32', async () => {
    const graph = new Graph('whole')
    graph.output('y', Cast(graph, graph.input('x', 'float32', ['n']), 'int64'))
    const bits = { dtype: 'bfloat16', shape: [1], data: Uint16Array.of(0) } as const

    await assert.rejects(runGraph(graph, { x: bits }), /internal: bfloat16 cannot be fed/)
    await assert.rejects(runGraph(graph, { x: input('x', [2]) }), /internal: output y is not/)
  })
})

describe('LazySession', () => {
  const file = join(folder.path, 'lazy.safetensors')
  /** Replaces the file, which leaves a mapping of the old one as it was. */
  const replace = async (dtype: StoredDType): Promise<TensorEntry> => {
    await write(`${file}.new`, dtype)
    await rename(`${file}.new`, file)
    return placeOf(file)
  }

  it('is created by its first run and kept for the next', async () => {
    const session = new LazySession(productGraph(await replace('bfloat16')), options)
    const first = await session.compute({ x })
    await rm(file)

    assert.deepEqual(await session.compute({ x }), first)
    await session.release()
  })

  it('tries again after a creation that failed', async () => {
    const session = new LazySession(productGraph(await replace('bfloat16')), options)
    await rm(file)
    await assert.rejects(session.compute({ x }), /lazy\.safetensors/)
    const entry = await replace('bfloat16')

    check('again', await session.compute({ x }), productOf(await readTensor(entry)))
    await session.release()
  })

  it('is released without a word about a creation that failed', async () => {
    const session = new LazySession(productGraph(await replace('bfloat16')), options)
    await rm(file)
    const run = session.compute({ x })

    await session.release()

    await assert.rejects(run, /lazy\.safetensors/)
  })

  it('is created anew when it runs after its release', async () => {
    const session = new LazySession(productGraph(await replace('float32')), options)
    const before = await session.compute({ x })
    const negative = weight.data.map((value) => -value)
    await writeSafetensors(`${file}.new`, [
      { name: 'odd', dtype: 'uint8', shape: [0], data: () => new Uint8Array(0) },
      { name: 'weight', dtype: 'float32', shape: weight.shape, data: () => negative },
    ])
    await rename(`${file}.new`, file)
    const kept = await session.compute({ x })
    await session.release()

    const renewed = await session.compute({ x })

    assert.deepEqual(kept, before)
    assert.deepEqual(
      renewed.data,
      before.data.map((value) => -value),
    )
    await session.release()
  })

  it('may be released before it ever ran, and twice at once', async () => {
    const session = new LazySession(productGraph(await replace('bfloat16')), options)
    await session.release()
    await session.compute({ x })

    await Promise.all([session.release(), session.release()])
    await session.release()
  })
})

/** Names that a system's files cannot have. */
function isForbidden(name: string): boolean {
  return process.platform === 'win32' && /["?:\\]/.test(name)
}
