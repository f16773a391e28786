/**
 * Rotation tables and the sinusoid of a time against the reference's numbers.
 */
import { after, describe, it } from 'node:test'
import { axialRotation } from '../../../src/engine/layers/rope.ts'
import { timeSinusoid } from '../../../src/engine/models/z-image.ts'
import { type Reference, readFixture } from '../../fixtures/closed-form.ts'
import { Deviation } from '../../fixtures/deviation.ts'

type Fixture = {
  readonly axes_dims: readonly number[]
  readonly theta: number
  readonly ids: readonly (readonly number[])[]
  readonly cos: Reference
  readonly sin: Reference
  readonly t_scaled: readonly number[]
  readonly t_emb: Reference
}

const fixture = readFixture<Fixture>('rope_time')
const deviation = new Deviation('rope_time.json')
after(() => deviation.report())

describe('axialRotation', () => {
  it("gives the reference's cosines and sines at the released axes", () => {
    const { cos, sin } = axialRotation(fixture.ids, fixture.axes_dims, fixture.theta)

    deviation.array('cos', cos, fixture.cos, 1e-6)
    deviation.array('sin', sin, fixture.sin, 1e-6)
  })
})

describe('timeSinusoid', () => {
  it("gives the reference's features, cosines first", () => {
    for (const [i, scaled] of fixture.t_scaled.entries()) {
      const expected = fixture.t_emb.data.slice(i * 256, (i + 1) * 256)

      deviation.check(`t ${scaled}`, timeSinusoid(scaled, 1), expected, 1e-4)
    }
  })
})
