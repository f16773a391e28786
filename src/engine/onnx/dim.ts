/**
 * Arithmetic on axis lengths while a graph is built. A length is a number or a monomial over
 * symbols in one canonical spelling (`8*height`, `4*height*width`), so that equal lengths are equal
 * strings. A sum of symbols becomes a symbol of its own, `(imageSeq+captionSeq)`.
 */
import type { Dim } from './model-proto.ts'

type Monomial = { readonly coefficient: number; readonly symbols: readonly string[] }

function parse(dim: Dim): Monomial {
  if (typeof dim === 'number') return { coefficient: dim, symbols: [] }
  const factors = splitFactors(dim)
  const coefficient = Number(factors[0])
  return Number.isNaN(coefficient)
    ? { coefficient: 1, symbols: factors }
    : { coefficient, symbols: factors.slice(1) }
}

/** Careful: a `*` inside a sum's parentheses belongs to the sum, `(2*height+width)*batch`. */
function splitFactors(dim: string): string[] {
  const factors = ['']
  let depth = 0
  for (const char of dim) {
    if (char === '(') depth++
    if (char === ')') depth--
    if (char === '*' && depth === 0) factors.push('')
    else factors[factors.length - 1] += char
  }
  return factors
}

function print({ coefficient, symbols }: Monomial): Dim {
  if (coefficient === 0 || symbols.length === 0) return coefficient
  return [...(coefficient === 1 ? [] : [coefficient]), ...symbols.toSorted()].join('*')
}

/** The product of lengths; 1 for none. */
export function product(dims: readonly Dim[]): Dim {
  const monomials = dims.map(parse)
  return print({
    coefficient: monomials.reduce((result, monomial) => result * monomial.coefficient, 1),
    symbols: monomials.flatMap((monomial) => monomial.symbols),
  })
}

/** The sum of lengths, in their order. */
export function sum(dims: readonly Dim[]): Dim {
  const total = dims.reduce<number>(
    (result, dim) => result + (typeof dim === 'number' ? dim : 0),
    0,
  )
  const symbolic = dims.filter((dim) => typeof dim === 'string')
  if (symbolic.length === 0) return total
  const terms = total === 0 ? symbolic : [...symbolic, total]
  return terms.length === 1 ? terms[0]! : `(${terms.join('+')})`
}

/** `dim / divisor` where that is exact for every value of the symbols, else undefined. */
export function quotient(dim: Dim, divisor: number): Dim | undefined {
  const { coefficient, symbols } = parse(dim)
  return coefficient % divisor === 0
    ? print({ coefficient: coefficient / divisor, symbols })
    : undefined
}

/** A shape as messages show it. */
export function showShape(shape: readonly Dim[]): string {
  return `[${shape.join(', ')}]`
}
