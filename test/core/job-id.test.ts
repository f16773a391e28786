/** Names of jobs: making and reading them. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { jobIdBytes, jobIdOf, readJobId } from '../../src/core/job-id.ts'

const bytes = fc.uint8Array({ minLength: jobIdBytes, maxLength: jobIdBytes })

describe('jobIdOf', () => {
  it('is ten lower-case Crockford characters', () => {
    fc.assert(
      fc.property(bytes, (random) => {
        assert.match(jobIdOf(random), /^[0-9abcdefghjkmnpqrstvwxyz]{10}$/)
      }),
    )
  })

  it('uses each character for as many bytes as any other', () => {
    const uses = new Map<string, number>()
    for (let byte = 0; byte < 256; byte++) {
      const character = jobIdOf(new Uint8Array(jobIdBytes).fill(byte))[0]!
      uses.set(character, (uses.get(character) ?? 0) + 1)
    }

    assert.equal(uses.size, 32)
    assert.ok([...uses.values()].every((count) => count === 8))
  })

  it('insists on its number of bytes', () => {
    assert.throws(() => jobIdOf(new Uint8Array(9)), /internal: expected 10 random bytes, got 9/)
  })
})

describe('readJobId', () => {
  it('reads an id however it was typed again', () => {
    const retyped = fc.tuple(bytes, fc.infiniteStream(fc.nat(3))).map(([random, choices]) => {
      const id = jobIdOf(random)
      const typed = Array.from(id, (character) => {
        const looks = { 0: ['0', 'o', 'O', '０'], 1: ['1', 'i', 'L', 'l'] }[character]
        const ways = looks ?? [character, character.toUpperCase(), `${character}-`, character]
        return ways[choices.next().value ?? 0]
      })
      return { id, typed: ` #${typed.join('')} ` }
    })
    fc.assert(fc.property(retyped, ({ id, typed }) => assert.equal(readJobId(typed), id)))
  })

  for (const typed of [
    '',
    '7k2mz0q9x',
    '7k2mz0q9xaa',
    '7k2mz0q9xu',
    '7k2mz0q9x!',
    'a'.repeat(1e6),
  ]) {
    it(`finds no id in ${typed.slice(0, 12) || 'nothing'}`, () => {
      assert.equal(readJobId(typed), undefined)
    })
  }
})
