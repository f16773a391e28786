/**
 * What a symbolic axis length is once its symbols are numbers: an evaluator that shares nothing with
 * the code that spells the expressions.
 */
import assert from 'node:assert/strict'
import type { Dim } from '../../../src/engine/onnx/model-proto.ts'

/** Numbers by the symbols that they stand for. */
export type Symbols = Readonly<Record<string, number>>

/** The number that `dim` stands for: sums of products of numbers, symbols and bracketed sums. */
export function dimValue(dim: Dim, symbols: Symbols): number {
  const tokens = String(dim).match(/[()*+]|[^()*+]+/g) ?? []
  const sum = (): number => {
    let total = product()
    while (tokens[0] === '+' && tokens.shift()) total += product()
    return total
  }
  const product = (): number => {
    let result = factor()
    while (tokens[0] === '*' && tokens.shift()) result *= factor()
    return result
  }
  const factor = (): number => {
    const token = tokens.shift() ?? ''
    if (token === '(') {
      const inside = sum()
      assert.equal(tokens.shift(), ')', `${dim}: a closing bracket`)
      return inside
    }
    const value = symbols[token] ?? Number.parseInt(token, 10)
    assert.ok(Number.isSafeInteger(value), `${dim}: ${token} is neither number nor symbol`)
    return value
  }
  const value = sum()
  assert.deepEqual(tokens, [], `${dim}: nothing left over`)
  return value
}

/** The shape that symbols give a symbolic shape. */
export function shapeValue(shape: readonly Dim[], symbols: Symbols): number[] {
  return shape.map((dim) => dimValue(dim, symbols))
}
