/** ZIP files that any program reads. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { zip } from '../../src/jobs/zip.ts'
import { unzip } from './unzip.ts'

const entries = fc.uniqueArray(
  fc.record({
    name: fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }),
    bytes: fc.uint8Array({ maxLength: 200 }),
    isDeflated: fc.boolean(),
  }),
  { selector: ({ name }) => name, maxLength: 6 },
)

describe('zip', () => {
  it('gives back every file as it was put in', async () => {
    await fc.assert(
      fc.asyncProperty(entries, async (files) => {
        const read = unzip(await zip(files))
        assert.deepEqual(
          [...read].map(([name, bytes]) => [name, bytes.toString('hex')]),
          files.map(({ name, bytes }) => [name, Buffer.from(bytes).toString('hex')]),
        )
      }),
      { numRuns: 50 },
    )
  })
})
