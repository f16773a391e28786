/**
 * The judge of the built-in model must itself be judged before its score means anything: drawings
 * under noise, and the same drawings with other objects asked. Source: training/judge_check.py.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { look, showsObjects } from './judge.ts'
import { caption, draw, layout, seeded, subjects } from './scenes.ts'

describe('the judge of pictures', () => {
  const random = seeded(5)
  const noise = (): number =>
    0.05 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  const trials = Array.from({ length: 40 }, () => {
    const scene = layout(random)
    const picture = draw(scene).map((value) => Math.min(1, Math.max(0, value + noise())))
    const sight = look(picture, scene.items)
    const items = scene.items.map((item) => ({
      ...item,
      object: (item.object + 1 + Math.floor(random() * 38)) % subjects.length,
    }))
    return {
      isRight: showsObjects(sight, scene) && sight.background === scene.background,
      isWrongCalledRight: showsObjects(sight, { items }),
    }
  })
  const right = trials.filter(({ isRight }) => isRight).length
  const wrong = trials.filter(({ isWrongCalledRight }) => isWrongCalledRight).length
  console.log(
    `measured: judge of pictures: ${right} of 40 noisy drawings called right, ${wrong} of 40 wrong ones`,
  )

  it('calls every noisy drawing of a scene right', () => {
    assert.equal(right, trials.length)
  })

  it('calls no drawing of another object right', () => {
    assert.equal(wrong, 0)
  })

  it('sees another background as another background', () => {
    const scene = layout(seeded(6))
    const background = (scene.background + 1) % 12

    const sight = look(draw({ ...scene, background }), scene.items)

    assert.equal(sight.background, background)
  })
})

function captions(seed: number): string[] {
  const random = seeded(seed)
  return Array.from({ length: 20 }, () => caption(layout(random), 'zh', random))
}

describe('scenes', () => {
  it('repeat themselves from the same seed, caption and all', () => {
    assert.deepEqual(captions(7), captions(7))
  })

  it('differ from seed to seed', () => {
    assert.notDeepEqual(captions(7), captions(8))
  })
})
