/**
 * Arithmetic on axis lengths: every expression, once its symbols are numbers, is what the same
 * arithmetic gives on those numbers; equal products are equal strings.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { product, quotient, showShape, sum } from '../../../src/engine/onnx/dim.ts'
import type { Dim } from '../../../src/engine/onnx/model-proto.ts'
import { type Symbols, dimValue } from './dim-value.ts'

/** An expression spelled by the code under test, and its value by arithmetic on numbers. */
type Expression = { readonly dim: Dim; readonly value: number }

const names = ['batch', 'height', 'width', 'imageSeq', 'Positions', 'z']
const symbols = fc.record(
  Object.fromEntries(names.map((name) => [name, fc.integer({ min: 0, max: 3 })])),
)

/** Nested products and sums, three operations deep; so small that no product leaves 2 ** 53. */
function expression(values: Symbols): fc.Arbitrary<Expression> {
  const number = fc.nat({ max: 3 }).map((value) => ({ dim: value, value }))
  const symbol = fc.constantFrom(...names).map((name) => ({ dim: name, value: values[name]! }))
  const { tree } = fc.letrec<{ tree: Expression }>((tie) => {
    const operands = fc.array(tie('tree'), { minLength: 1, maxLength: 2 })
    const products = operands.map((list) => ({
      dim: product(list.map(({ dim }) => dim)),
      value: list.reduce((result, { value }) => result * value, 1),
    }))
    const sums = operands.map((list) => ({
      dim: sum(list.map(({ dim }) => dim)),
      value: list.reduce((result, { value }) => result + value, 0),
    }))
    return { tree: fc.oneof({ maxDepth: 3 }, symbol, number, products, sums) }
  })
  return tree
}

const expressions = symbols.chain((values) =>
  fc.record({ values: fc.constant(values), list: fc.array(expression(values), { maxLength: 3 }) }),
)
const runs = { numRuns: 1000 }

describe('product', () => {
  it('is the product of the values', () => {
    fc.assert(
      fc.property(expressions, ({ values, list }) => {
        const dim = product(list.map((operand) => operand.dim))

        const expected = list.reduce((result, { value }) => result * value, 1)
        assert.equal(dimValue(dim, values), expected)
      }),
      runs,
    )
  })

  it('is spelled the same in any order', () => {
    const shuffled = expressions.chain(({ list }) => {
      const dims = list.map(({ dim }) => dim)
      const order = fc.shuffledSubarray(dims, { minLength: dims.length })
      return fc.record({ dims: fc.constant(dims), order })
    })
    fc.assert(
      fc.property(shuffled, ({ dims, order }) => {
        assert.equal(product(order), product(dims))
      }),
      runs,
    )
  })

  it('is spelled the same however it is bracketed', () => {
    fc.assert(
      fc.property(expressions, fc.nat({ max: 4 }), ({ list }, cut) => {
        const dims = list.map(({ dim }) => dim)

        const nested = product([product(dims.slice(0, cut)), product(dims.slice(cut))])

        assert.equal(nested, product(dims))
      }),
      runs,
    )
  })

  it('is a number where all factors are, or one is zero', () => {
    assert.equal(product([]), 1)
    assert.equal(product([2, 3, 4]), 24)
    assert.equal(product(['width', 0]), 0)
  })

  it('puts the number first and the symbols in order', () => {
    assert.equal(product(['width', 2, 'height', 4]), '8*height*width')
    assert.equal(product(['width', 1]), 'width')
  })

  it('keeps a sum of products together', () => {
    const both = sum([product([2, 'height']), 'width'])

    assert.equal(product(['batch', both]), '(2*height+width)*batch')
  })
})

describe('sum', () => {
  it('is the sum of the values', () => {
    fc.assert(
      fc.property(expressions, ({ values, list }) => {
        const dim = sum(list.map((operand) => operand.dim))

        const expected = list.reduce((result, { value }) => result + value, 0)
        assert.equal(dimValue(dim, values), expected)
      }),
      runs,
    )
  })

  it('is a symbol of its own where a term is symbolic', () => {
    assert.equal(sum([]), 0)
    assert.equal(sum([2, 3]), 5)
    assert.equal(sum(['past', 0]), 'past')
    assert.equal(sum([1, 'past', 'seq', 2]), '(past+seq+3)')
  })
})

describe('quotient', () => {
  const divisors = fc.integer({ min: 1, max: 12 })

  it('times the divisor is the dividend, wherever it exists', () => {
    fc.assert(
      fc.property(expressions, divisors, ({ values, list }, divisor) => {
        for (const { dim, value } of list) {
          const result = quotient(dim, divisor)
          if (result !== undefined) assert.equal(dimValue(result, values) * divisor, value)
        }
      }),
      runs,
    )
  })

  it('undoes a product, spelling included', () => {
    fc.assert(
      fc.property(expressions, divisors, ({ list }, divisor) => {
        const dim = product(list.map((operand) => operand.dim))

        assert.equal(quotient(product([dim, divisor]), divisor), dim)
      }),
      runs,
    )
  })

  it('exists for numbers where the division leaves no rest', () => {
    fc.assert(
      fc.property(fc.nat({ max: 1000 }), divisors, (dividend, divisor) => {
        const exact = dividend % divisor === 0 ? dividend / divisor : undefined

        assert.equal(quotient(dividend, divisor), exact)
      }),
    )
  })

  it('does not exist where it depends on the symbols', () => {
    assert.equal(quotient('width', 2), undefined)
    assert.equal(quotient('6*width', 4), undefined)
    assert.equal(quotient(sum(['past', 'seq']), 2), undefined)
  })
})

describe('showShape', () => {
  it('shows numbers and symbols', () => {
    assert.equal(showShape([1, '8*height', 'width']), '[1, 8*height, width]')
    assert.equal(showShape([]), '[]')
  })
})
