/**
 * The arithmetic behind the benchmarks' figures: operations counted by formula against operations
 * counted on the graph that is timed, medians, and tables.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  bareProducts,
  block,
  blockBytes,
  blockFlops,
  linearFlops,
  weightShapes,
} from '../bench/engine/block.ts'
import { inTurn } from '../bench/engine/rounds.ts'
import { digits, median, ratios, spread, table } from '../bench/report.ts'
import { elementCount } from '../src/engine/tensor.ts'

/** Matrices [to, from] of a graph, by name. */
function matrices(build: typeof block): Map<string, readonly number[]> {
  return new Map([...weightShapes(build)].filter(([, shape]) => shape.length === 2))
}

describe('the block benchmark', () => {
  it('counts the released block as 103 GFLOP for 288 tokens', () => {
    assert.equal(blockFlops(288), 103_195_607_040)
  })

  it('counts the operations of the linear layers that the timed block has', () => {
    const sizes = [...matrices(block).values()].map(elementCount)
    const products = sizes.reduce((sum, size) => sum + size)

    assert.equal(linearFlops(7), 2 * 7 * products)
  })

  it('counts 4 operations for each pair of tokens and feature on top', () => {
    assert.equal(blockFlops(5) - linearFlops(5), 4 * 5 * 5 * 3840)
  })

  it('compares the block with exactly its own seven matrices', () => {
    const bare = matrices(bareProducts)

    assert.equal(bare.size, 7)
    assert.deepEqual(bare, matrices(block))
  })

  it('knows the bytes of its files before it writes them', () => {
    const sizes = [...weightShapes(block).values()].map(elementCount)

    assert.equal(
      blockBytes(2),
      sizes.reduce((sum, size) => sum + 2 * size, 0),
    )
  })
})

describe('rounds', () => {
  it('time everything in turn, once more than they keep', async () => {
    const order: string[] = []
    const call = (name: string) => async () => order.push(name)

    const timings = await inTurn(2, { a: call('a'), b: call('b') })

    assert.deepEqual(order, ['a', 'b', 'a', 'b', 'a', 'b'])
    assert.deepEqual([timings.a.length, timings.b.length], [2, 2])
  })
})

describe('a report', () => {
  it('takes the middle of an odd number of values', () => {
    assert.equal(median([5, 1, 100]), 5)
  })

  it('takes the mean of the two middle ones of an even number', () => {
    assert.equal(median([4, 1, 100, 2]), 3)
  })

  it('refuses a median of nothing', () => {
    assert.throws(() => median([]), /internal/)
  })

  it('divides within a round, not across rounds', () => {
    assert.deepEqual(ratios([2, 30, 8], [1, 10, 2]), [2, 3, 4])
  })

  it('refuses ratios of unequal numbers of rounds', () => {
    assert.throws(() => ratios([1, 2], [1]), /internal/)
  })

  it('shows three digits and no exponent', () => {
    assert.deepEqual([0.012345, 1.2, 208.44, 12345].map(digits), ['0.0123', '1.20', '208', '12345'])
  })

  it('shows a median between its extremes', () => {
    assert.equal(spread([0.5, 0.25, 2]), '0.500 (0.250 to 2.00)')
  })

  it('aligns names to the left and figures to the right', () => {
    const shown = table(
      ['', 's'],
      [
        ['open', '0.1'],
        ['a', '10.0'],
      ],
    )

    assert.equal(shown, '          s\nopen    0.1\na      10.0')
  })
})
