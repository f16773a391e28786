/** Guessing what a mistyped word was meant to be. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { nearest } from '../../src/core/nearest.ts'

const options = ['seed', 'steps', 'width', 'height', 'guidance', 'negative', 'out']

describe('nearest', () => {
  for (const [typed, meant] of [
    ['sed', 'seed'],
    ['stpes', 'steps'],
    ['hieght', 'height'],
    ['widht', 'width'],
    ['neg', 'negative'],
    ['output', 'out'],
    ['guidence', 'guidance'],
  ] as const) {
    it(`takes ${typed} for ${meant}`, () => {
      assert.equal(nearest(typed, options), meant)
    })
  }

  it('does not guess at what is like nothing', () => {
    assert.equal(nearest('resolution', options), undefined)
  })

  it('finds every word that has one letter wrong, missing or too many', () => {
    const edited = fc.constantFrom(...options).chain((word) =>
      fc.record({
        word: fc.constant(word),
        at: fc.nat(word.length - 1),
        removed: fc.nat(1),
        added: fc.constantFrom('', 'x'),
      }),
    )
    fc.assert(
      fc.property(edited, ({ word, at, removed, added }) => {
        assert.equal(nearest(word.slice(0, at) + added + word.slice(at + removed), options), word)
      }),
    )
  })
})
