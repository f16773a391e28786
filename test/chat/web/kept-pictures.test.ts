/** The bounded store of pictures: what it promises holds for every order and size of arrivals. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { KeptPictures } from '../../../src/chat/web/kept-pictures.ts'

const picture = (sizeBytes: number) => ({ png: new Uint8Array(sizeBytes), fileName: 'a.png' })

describe('KeptPictures', () => {
  it('keeps exactly the newest that fit, and the newest always', () => {
    const sizes = fc.array(fc.nat(30), { minLength: 1, maxLength: 40 })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.nat(60),
        sizes,
        (limit, limitBytes, arrive) => {
          const kept = new KeptPictures(limit, limitBytes)

          const ids = arrive.map((sizeBytes) => kept.keep(picture(sizeBytes)))

          const fits = (from: number): boolean => {
            const newest = arrive.slice(from)
            const sizeBytes = newest.reduce((sum, size) => sum + size, 0)
            return newest.length === 1 || (newest.length <= limit && sizeBytes <= limitBytes)
          }
          const expected = arrive.map((_, index) => fits(index))
          assert.deepEqual(
            ids.map((id) => kept.find(id) !== undefined),
            expected,
          )
        },
      ),
    )
  })

  it('gives ids of 128 bits that name only what was kept', () => {
    const kept = new KeptPictures(2, 100)

    const id = kept.keep(picture(1))

    assert.match(id, /^[0-9a-f]{32}$/)
    assert.equal(kept.find('0'.repeat(32)), undefined)
  })
})
