/**
 * 500 files of named kinds against the decoder: each is refused with an error of ours or gives a
 * picture, and where only one of the two is right, that one. Every case has its own seed, which a
 * failure names. The time limits are nets for a hang, not measurements.
 */
import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { EngineError } from '../../src/engine/error.ts'
import { decodeImage } from '../../src/engine/image.ts'
import { type Kind, kinds } from './hostile-images.ts'
import { type Case, distance } from './image-mutations.ts'
import { SeededRandom } from './seeded-random.ts'

const cases = 500
const counts = { refused: 0, loaded: 0 }

/** What the decoder did, in one word, or how it went wrong. */
async function outcome({ code }: Kind, { bytes, name, shows, tolerance = 0 }: Case) {
  try {
    const picture = await decodeImage(bytes, { name })
    counts.loaded += 1
    assert.equal(picture.data.length, picture.width * picture.height * 3)
    const far = shows ? distance(picture, shows) : 0
    return far <= tolerance ? 'loads' : `loads another picture, ${far} away`
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    counts.refused += 1
    const isRight = error.code === code || (!code && error.code.startsWith('image-'))
    return isRight ? 'fails' : error.message
  }
}

describe('of the images that people send', () => {
  const verbs = { fails: 'is refused', loads: 'loads', either: 'is refused or loads' }

  for (const [k, kind] of kinds.entries()) {
    const seeds = Array.from({ length: cases }, (_, i) => i).filter((i) => i % kinds.length === k)
    const limits = { timeout: 10_000 * seeds.length }
    it(`${kind.name} ${verbs[kind.expected]}`, limits, async () => {
      const allowed = kind.expected === 'either' ? ['fails', 'loads'] : [kind.expected]
      for (const seed of seeds) {
        const got = await outcome(kind, await kind.make(new SeededRandom(seed)))
        assert.ok(
          allowed.includes(got),
          `seed ${seed}: expected ${allowed.join(' or ')}, got ${got}`,
        )
      }
    })
  }

  after(() => {
    const { refused, loaded } = counts
    const met = `${refused + loaded} cases, ${kinds.length} kinds`
    console.log(`measured: hostile images: ${met}, ${refused} refused, ${loaded} loaded`)
  })
})
