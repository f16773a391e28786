/**
 * The built-in model draws what it is asked for, in both languages, through our whole pipeline. The
 * promise is models/nano/README.md's, made by training/evaluate.py in PyTorch; ours may fall at
 * most three points under it. Both languages word the same scenes and draw from the same seeds.
 * With the labels shuffled the score must collapse: a judge that nods at anything proves nothing.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Pipeline } from '../../src/engine/pipeline.ts'
import { type Sight, look, showsObjects } from './judge.ts'
import { type Scene, canvas, caption, layout, seeded } from './scenes.ts'

const folder = fileURLToPath(new URL('../../models/nano/', import.meta.url))
const pictures = 60
const seeds = 3

type Judged = { readonly scene: Scene; readonly shuffled: Scene; readonly sight: Sight }

const random = seeded(2024)
const scenes = Array.from({ length: pictures / seeds }, () => layout(random))

/** The scene with each object replaced by what another scene asks for, which this one does not. */
function shuffle(scene: Scene, k: number): Scene {
  const asked = new Set(scene.items.map(({ object }) => object))
  const others = [...scenes.slice(k + 1), ...scenes.slice(0, k)]
    .flatMap(({ items }) => items)
    .filter(({ object }) => !asked.has(object))
  const items = scene.items.map((item, i) => ({ ...item, object: others[i]!.object }))
  return { ...scene, items }
}

/** Draws each scene from each seed and looks at the pictures. */
async function drawAndLook(pipeline: Pipeline, language: 'en' | 'zh'): Promise<Judged[]> {
  const judged: Judged[] = []
  for (const [k, scene] of scenes.entries()) {
    const prompt = caption(scene, language, random)
    for await (const step of pipeline.generate({ prompt, seed: 1000 + k * seeds, count: seeds })) {
      if (step.kind !== 'picture') continue
      const { width, height, data } = step.pixels
      assert.deepEqual([width, height], [canvas, canvas])
      const picture = Float32Array.from(data, (byte) => byte / 255)
      judged.push({ scene, shuffled: shuffle(scene, k), sight: look(picture, scene.items) })
    }
  }
  return judged
}

function percent(judged: readonly Judged[], label: 'scene' | 'shuffled'): number {
  const right = judged.filter(({ sight, [label]: asked }) => {
    return showsObjects(sight, asked) && sight.background === asked.background
  })
  return (100 * right.length) / judged.length
}

/** The scores in percent that the model's page states. */
function promised(): { readonly promisedEnglish: number; readonly promisedChinese: number } {
  const page = readFileSync(join(folder, 'README.md'), 'utf8')
  const found = /\*\*English ([\d.]+) %, Chinese ([\d.]+) %\*\*/.exec(page)
  assert.ok(found, 'models/nano/README.md states no score as "**English 96.9 %, Chinese 96.9 %**"')
  return { promisedEnglish: Number(found[1]), promisedChinese: Number(found[2]) }
}

const pipeline = await Pipeline.open(folder)
const english = await drawAndLook(pipeline, 'en')
const chinese = await drawAndLook(pipeline, 'zh')
await pipeline.close()

const englishScore = percent(english, 'scene')
const chineseScore = percent(chinese, 'scene')
const shuffledScore = percent([...english, ...chinese], 'shuffled')
console.log(
  `measured: built-in model: English ${englishScore.toFixed(1)} %, ` +
    `Chinese ${chineseScore.toFixed(1)} % (${pictures} pictures each), ` +
    `shuffled labels ${shuffledScore.toFixed(1)} %`,
)

describe('the built-in model', () => {
  const { promisedEnglish, promisedChinese } = promised()

  it('draws as many pictures as were asked for', () => {
    assert.deepEqual([english.length, chinese.length], [pictures, pictures])
  })

  it('shows what is asked in English, at most 3 points under its page', () => {
    assert.ok(englishScore >= promisedEnglish - 3, `${englishScore} % of ${promisedEnglish} %`)
  })

  it('shows what is asked in Chinese, at most 3 points under its page', () => {
    assert.ok(chineseScore >= promisedChinese - 3, `${chineseScore} % of ${promisedChinese} %`)
  })

  it('almost never shows what another scene asks for', () => {
    assert.ok(shuffledScore < 10, `${shuffledScore} %`)
  })
})
