/**
 * Runs one operator through a real session and compares it with a naive loop: once in a graph whose
 * shapes are numbers, once in one whose shapes are symbols. In both, the shape that the operator
 * inferred must be the shape that onnxruntime returned.
 */
import assert from 'node:assert/strict'
import { Graph, type Value } from '../../../src/engine/onnx/graph.ts'
import type { Dim } from '../../../src/engine/onnx/model-proto.ts'
import { type Outputs, Session } from '../../../src/engine/onnx/session.ts'
import { type DType, type Tensor, elementCount, float32 } from '../../../src/engine/tensor.ts'
import { type Symbols, shapeValue } from './dim-value.ts'

/** An operator call with its operands and what a naive loop makes of them. */
export type LoopCase<Name extends string> = {
  readonly operands: Readonly<Record<Name, Tensor<DType>>>
  /** Lengths that the second run knows by name only. */
  readonly symbols?: Symbols
  /** The operands' shapes in those names; operands left out keep their numbers. */
  readonly symbolic?: Partial<Readonly<Record<Name, readonly Dim[]>>>
  readonly build: (graph: Graph, operands: Readonly<Record<Name, Value>>) => readonly Value[]
  readonly expected: readonly Tensor[]
}

/** Compares the operators of one file with naive loops and remembers the worst deviation. */
export class Loops {
  readonly #name: string
  readonly #tolerance: number
  readonly #operators = new Set<string>()
  #runs = 0
  #worst = 0

  /** `name` says which operators these are; `tolerance` is how far each element may be off. */
  constructor(name: string, tolerance = 1e-5) {
    this.#name = name
    this.#tolerance = tolerance
  }

  /** Runs a case with numbers, and with symbols where it has any. */
  async check<Name extends string>(operator: string, loopCase: LoopCase<Name>): Promise<void> {
    await this.#run(operator, loopCase, {})
    if (loopCase.symbolic) await this.#run(`${operator}, symbolic`, loopCase, loopCase.symbolic)
    this.#operators.add(operator)
  }

  async #run<Name extends string>(
    label: string,
    { operands, symbols = {}, build, expected }: LoopCase<Name>,
    spelled: Partial<Readonly<Record<Name, readonly Dim[]>>>,
  ): Promise<void> {
    const graph = new Graph(label)
    const names = Object.keys(operands) as Name[]
    const values = names.map((name) => {
      const { dtype, shape } = operands[name]
      const dims = spelled[name] ?? shape
      assert.deepEqual(shapeValue(dims, symbols), shape, `${label}: ${name} is misspelled`)
      return [name, graph.input(name, dtype, dims)] as const
    })
    const outputs = build(graph, Object.fromEntries(values) as Record<Name, Value>)
    for (const [i, output] of outputs.entries()) graph.output(`output ${i}`, output)

    const results = await runGraph(graph, operands)

    assert.equal(outputs.length, expected.length, `${label}: outputs`)
    for (const [i, loop] of expected.entries()) {
      const result = results[`output ${i}`]!
      const inferred = shapeValue(outputs[i]!.shape, symbols)
      assert.deepEqual(inferred, result.shape, `${label}: inferred shape of output ${i}`)
      assert.deepEqual(result.shape, loop.shape, `${label}: shape of output ${i}`)
      const worst = worstDeviation(result, loop)
      assert.ok(worst <= this.#tolerance, `${label}: output ${i} is off by ${worst}`)
      this.#worst = Math.max(this.#worst, worst)
    }
    this.#runs++
  }

  /** Prints what was found. */
  report(): void {
    const counts = `${this.#operators.size} of ${this.#name} checked against naive loops`
    const worst = this.#worst.toExponential(2)
    console.log(`measured: operators: ${counts}, ${this.#runs} runs, worst deviation ${worst}`)
  }
}

/** The largest difference of two elements; NaN if any difference is. */
function worstDeviation(actual: Tensor, expected: Tensor): number {
  const differences = actual.data.map((value, i) => Math.abs(value - expected.data[i]!))
  return differences.reduce((worst, difference) => Math.max(worst, difference), 0)
}

/** Creates a session, runs it once and releases it. */
export async function runGraph(
  graph: Graph,
  feeds: Readonly<Record<string, Tensor<DType>>>,
): Promise<Outputs> {
  const session = await Session.create(graph, { expandsWeights: false, threads: 1 })
  try {
    return await session.run(feeds)
  } finally {
    await session.release()
  }
}

/** A tensor by a rule for the element at each index; one argument for each axis. */
export function loop(shape: readonly number[], element: (...index: number[]) => number): Tensor {
  const data = new Float32Array(elementCount(shape))
  const index = shape.map(() => 0)
  for (let i = 0; i < data.length; i++) {
    data[i] = element(...index)
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++
      if (index[axis]! < shape[axis]!) break
      index[axis] = 0
    }
  }
  return float32(shape, data)
}

/** The element at an index, one number for each axis, which must lie inside. */
export function at({ shape, data }: Tensor<DType>, ...index: readonly number[]): number {
  let flat = 0
  for (let axis = 0; axis < shape.length; axis++) flat = flat * shape[axis]! + index[axis]!
  const isInside = shape.every((length, axis) => index[axis]! >= 0 && index[axis]! < length)
  if (index.length !== shape.length || !isInside) {
    throw new RangeError(`index ${index.join()} lies outside [${shape.join()}]`)
  }
  return Number(data[flat])
}

/** The sum of a rule's values for 0 up to `count` - 1. */
export function total(count: number, term: (i: number) => number): number {
  let result = 0
  for (let i = 0; i < count; i++) result += term(i)
  return result
}

/** An operand for a call that is to be refused before it is part of any graph. */
export function operand(name: string, shape: readonly Dim[], dtype: DType = 'float32'): Value {
  return { name, dtype, shape }
}
