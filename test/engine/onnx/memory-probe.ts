/**
 * A process of its own that runs a chain of gated feed-forward blocks and prints, as JSON, what it
 * held in memory on the way. Linux only: it reads /proc/self/status. Arguments: the safetensors file,
 * how to widen its weights, the number of blocks and their width.
 */
import { readFileSync } from 'node:fs'
import { gatedFeedForward } from '../../../src/engine/layers/linear.ts'
import { rmsNorm } from '../../../src/engine/layers/norm.ts'
import { Graph, type Value } from '../../../src/engine/onnx/graph.ts'
import { Add, Cast } from '../../../src/engine/onnx/ops/arithmetic.ts'
import { Session } from '../../../src/engine/onnx/session.ts'
import { type TensorEntry, readSafetensors } from '../../../src/engine/safetensors.ts'
import { float32 } from '../../../src/engine/tensor.ts'

/** As graphs are written, with each Cast just before its consumer, or expanded at creation. */
export type Widening = 'casts first' | 'casts in place' | 'expanded'

/** Bytes at one moment: private memory, pages of files, and the most that both ever were at once. */
export type Memory = {
  readonly anonymousBytes: number
  readonly mappedBytes: number
  readonly peakBytes: number
}

/** What the process held before, once the session was created, had run, and was released. */
export type Moments = Readonly<Record<'before' | 'created' | 'ran' | 'released', Memory>>

function memory(): Memory {
  const status = readFileSync('/proc/self/status', 'utf8')
  const bytes = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)![1]) * 1024
  const [anonymousBytes, mappedBytes, peakBytes] = [
    bytes('RssAnon'),
    bytes('RssFile'),
    bytes('VmHWM'),
  ]
  return { anonymousBytes, mappedBytes, peakBytes }
}

/** The trap: every Cast stands where its weight is used. */
class CastsInPlace extends Graph {
  override weight(entry: TensorEntry): Value {
    return Cast(this, this.stored(entry), 'float32')
  }
}

const [file = '', widening = '', blocks = '', side = ''] = process.argv.slice(2)
const width = Number(side)
const { tensors } = await readSafetensors(file)
const graph = widening === 'casts in place' ? new CastsInPlace('probe') : new Graph('probe')
const network = { graph, weights: { entry: (name: string): TensorEntry => tensors.get(name)! } }
let x = graph.input('x', 'float32', ['seq', width])
for (let i = 0; i < Number(blocks); i++) {
  const [gate, up, down] = [`${i}.gate`, `${i}.up`, `${i}.down`] as const
  const normed = rmsNorm(network, `${i}.norm`, x, 1e-6)
  x = Add(graph, x, gatedFeedForward(network, { gate, up, down }, normed, { width, inner: width }))
}
graph.output('y', x)
const feeds = { x: float32([4, width], new Float32Array(4 * width).fill(1)) }

const before = memory()
const session = await Session.create(graph, { expandsWeights: widening === 'expanded' })
const created = memory()
// Twice: in the first run pages are mapped as it goes, so that its peak of private memory is hidden.
await session.run(feeds)
await session.run(feeds)
const ran = memory()
await session.release()
const moments: Moments = { before, created, ran, released: memory() }
console.log(JSON.stringify(moments))
