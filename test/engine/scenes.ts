/**
 * The world of the built-in model: drawings of 40 objects on plain backgrounds, scenes made of
 * them, and their captions in English and Chinese. The same seed gives the same scenes and captions.
 * Source: training/scenes.py and sprites.mjs. Captions differ in one thing: wordings that leave open
 * which object stands where ("a cat and a dog") are left out.
 */
import { readFileSync } from 'node:fs'
import sharp from 'sharp'

/** One of the 40 objects: its icon, its names, and its Chinese measure word. */
export type Subject = {
  readonly icon: string
  readonly en: string
  readonly zh: string
  readonly mw: string
}

/** An object drawn `px` pixels wide and high around the centre (`x`, `y`), in pixels. */
export type Item = {
  readonly object: number
  readonly px: number
  readonly x: number
  readonly y: number
}

type Size = 'small' | 'medium' | 'big'

/** What a picture has to show; `items` are in the order in which captions name them. */
export type Scene = { readonly background: number; readonly items: readonly Item[] } & (
  | { readonly kind: 'one'; readonly size: Size; readonly place: number }
  | { readonly kind: 'two'; readonly line: 'row' | 'column' }
  | { readonly kind: 'many' }
)

/** A source of numbers in [0, 1). */
export type Random = () => number

/** Pictures are this wide and high, in pixels. */
export const canvas = 128

const root = new URL('../../', import.meta.url)

/** The 40 objects, in the order that scenes count them by. */
export const subjects = JSON.parse(
  readFileSync(new URL('training/objects.json', root), 'utf8'),
) as readonly Subject[]

/** The 12 background colours, red, green and blue from 0 to 255. */
export const backgrounds: readonly {
  readonly en: string
  readonly zh: string
  readonly rgb: readonly [number, number, number]
}[] = [
  { en: 'white', zh: '白色', rgb: [250, 250, 250] },
  { en: 'black', zh: '黑色', rgb: [24, 24, 28] },
  { en: 'red', zh: '红色', rgb: [214, 48, 49] },
  { en: 'orange', zh: '橙色', rgb: [243, 146, 55] },
  { en: 'yellow', zh: '黄色', rgb: [250, 215, 80] },
  { en: 'green', zh: '绿色', rgb: [76, 175, 96] },
  { en: 'blue', zh: '蓝色', rgb: [66, 133, 244] },
  { en: 'purple', zh: '紫色', rgb: [142, 84, 200] },
  { en: 'pink', zh: '粉色', rgb: [248, 165, 194] },
  { en: 'gray', zh: '灰色', rgb: [158, 158, 158] },
  { en: 'brown', zh: '棕色', rgb: [141, 97, 66] },
  { en: 'cyan', zh: '青色', rgb: [120, 215, 230] },
]

const sizes: Readonly<Record<Size, number>> = { small: 36, medium: 60, big: 92 }

/** Centres in units of the canvas, and the words for each; the empty word means the centre. */
const places: readonly {
  readonly x: number
  readonly y: number
  readonly en: readonly string[]
  readonly zh: readonly string[]
}[] = [
  { x: 0.5, y: 0.5, en: ['in the center', 'in the middle', ''], zh: ['中间', '中央', ''] },
  { x: 0.24, y: 0.5, en: ['on the left'], zh: ['左边', '左侧'] },
  { x: 0.76, y: 0.5, en: ['on the right'], zh: ['右边', '右侧'] },
  { x: 0.5, y: 0.24, en: ['at the top'], zh: ['上方', '上面'] },
  { x: 0.5, y: 0.76, en: ['at the bottom'], zh: ['下方', '下面'] },
  { x: 0.24, y: 0.24, en: ['in the top left corner', 'at the top left'], zh: ['左上角'] },
  { x: 0.76, y: 0.24, en: ['in the top right corner', 'at the top right'], zh: ['右上角'] },
  { x: 0.24, y: 0.76, en: ['in the bottom left corner', 'at the bottom left'], zh: ['左下角'] },
  { x: 0.76, y: 0.76, en: ['in the bottom right corner', 'at the bottom right'], zh: ['右下角'] },
]

/** Two objects, then two, three and four of a kind: width in pixels and centres. */
const row = [32, 64, 96, 64]
const column = [64, 32, 64, 96]
const crowds: readonly { readonly px: number; readonly centres: readonly number[] }[] = [
  { px: 56, centres: row },
  { px: 40, centres: [22, 64, 64, 64, 106, 64] },
  { px: 50, centres: [34, 34, 94, 34, 34, 94, 94, 94] },
]

/** The drawings as PNG, 96 pixels wide and high. */
const masters = await (async (): Promise<readonly Buffer[]> => {
  const file = import.meta.resolve('@iconify-json/fluent-emoji-flat/icons.json')
  const { icons } = JSON.parse(readFileSync(new URL(file), 'utf8')) as {
    readonly icons: Readonly<Record<string, { body: string; width?: number; height?: number }>>
  }
  return await Promise.all(
    subjects.map(async ({ icon }) => {
      const { body, width = 32, height = 32 } = icons[icon]!
      const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="96" height="96" viewBox="0 0 ${width} ${height}">${body}</svg>`
      const drawn = sharp(Buffer.from(svg), { density: 300 }).resize(96, 96).ensureAlpha()
      return await drawn.png().toBuffer()
    }),
  )
})()

/** A drawing made `px` wide and high, `[px, px, 4]`: its colours times its cover, then 1 - cover. */
async function scaled(master: Buffer, px: number): Promise<Float32Array> {
  const bytes = await sharp(master).resize(px, px, { kernel: 'lanczos3' }).raw().toBuffer()
  const values = Float32Array.from(bytes, (byte) => byte / 255)
  for (let p = 0; p < values.length; p += 4) {
    const cover = values[p + 3]!
    for (let c = 0; c < 3; c++) values[p + c]! *= cover
    values[p + 3] = 1 - cover
  }
  return values
}

/** Every drawing in every width that scenes use. */
const drawings = new Map<number, readonly Float32Array[]>()
for (const px of [...Object.values(sizes), ...crowds.map((crowd) => crowd.px)]) {
  drawings.set(px, await Promise.all(masters.map((master) => scaled(master, px))))
}

/** A drawing `px` wide and high, `[px, px, 4]`: its colours times its cover, then 1 - cover. */
export function drawing(object: number, px: number): Float32Array {
  const found = drawings.get(px)?.[object]
  if (!found) throw new Error(`internal: no drawing of object ${object} at ${px} pixels`)
  return found
}

/** The pixels of the canvas from (`left`, `top`) up to (`right`, `bottom`), the last not included. */
type Box = {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** The part of a box that lies on the canvas. */
export function clipped(left: number, top: number, right: number, bottom: number): Box {
  return {
    left: Math.max(0, Math.trunc(left)),
    top: Math.max(0, Math.trunc(top)),
    right: Math.min(canvas, Math.trunc(right)),
    bottom: Math.min(canvas, Math.trunc(bottom)),
  }
}

/** The top left pixel of an item's square. */
export function corner({ px, x, y }: Item): { readonly left: number; readonly top: number } {
  return { left: Math.round(x - px / 2), top: Math.round(y - px / 2) }
}

/** The scene as a picture `[128, 128, 3]` from 0 to 1. */
export function draw({ items, background }: Pick<Scene, 'items' | 'background'>): Float32Array {
  const { rgb } = backgrounds[background]!
  const picture = Float32Array.from({ length: canvas * canvas * 3 }, (_, i) => rgb[i % 3]! / 255)
  for (const item of items) {
    const pixels = drawing(item.object, item.px)
    const { left, top } = corner(item)
    const box = clipped(left, top, left + item.px, top + item.px)
    for (let y = box.top; y < box.bottom; y++) {
      for (let x = box.left; x < box.right; x++) {
        const from = ((y - top) * item.px + x - left) * 4
        const to = (y * canvas + x) * 3
        for (let c = 0; c < 3; c++) {
          picture[to + c] = picture[to + c]! * pixels[from + 3]! + pixels[from + c]!
        }
      }
    }
  }
  return picture
}

/** A source of random numbers, Mulberry32. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit)
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[below(random, values.length)]!
}

/** A random scene: one object (55 %), two (30 %), or two to four of a kind (15 %). */
export function layout(random: Random): Scene {
  const kind = random()
  const background = below(random, backgrounds.length)
  const jitter = (): number => random() * 4 - 2
  const lay = (objects: readonly number[], px: number, centres: readonly number[]): Item[] =>
    objects.map((object, k) => ({
      object,
      px,
      x: centres[2 * k]! + jitter(),
      y: centres[2 * k + 1]! + jitter(),
    }))
  if (kind < 0.55) {
    const size = pick<Size>(random, ['small', 'medium', 'medium', 'big'])
    const place = size === 'big' ? 0 : below(random, places.length)
    const px = sizes[size]
    const edge = px / 2 + 4
    const inside = (unit: number): number => Math.min(Math.max(unit * canvas, edge), canvas - edge)
    const centre = [inside(places[place]!.x), inside(places[place]!.y)]
    const items = lay([below(random, subjects.length)], px, centre)
    return { kind: 'one', size, place, background, items }
  }
  const first = below(random, subjects.length)
  if (kind < 0.85) {
    const second = (first + 1 + below(random, subjects.length - 1)) % subjects.length
    const line = random() < 0.65 ? 'row' : 'column'
    const items = lay([first, second], 56, line === 'row' ? row : column)
    return { kind: 'two', line, background, items }
  }
  const { px, centres } = pick(random, crowds)
  const items = lay(Array<number>(centres.length / 2).fill(first), px, centres)
  return { kind: 'many', background, items }
}

const numbers = { en: ['two', 'three', 'four'], zh: ['两', '三', '四'] } as const

const praise = {
  en: 'highly detailed;soft lighting;a cute icon;simple illustration;flat style;centered composition;clean background;high quality;vivid colors;cinematic lighting;sharp focus;minimalist;masterpiece;warm tones;digital art;adorable',
  zh: '细节丰富;柔和光线;可爱的图标;简单插画;扁平风格;构图居中;背景干净;高质量;色彩鲜艳;电影感光线;清晰锐利;极简;杰作;暖色调;数字艺术',
} as const

function article(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`
}

function plural(noun: string): string {
  if (noun === 'fish') return noun
  if (/[^eo]y$/.test(noun)) return `${noun.slice(0, -1)}ies`
  return /(?:s|x|ch)$/.test(noun) ? `${noun}es` : `${noun}s`
}

function english(scene: Scene, random: Random): string {
  const [a, b] = scene.items.map(({ object }) => article(subjects[object]!.en))
  const noun = subjects[scene.items[0]!.object]!.en
  if (scene.kind === 'many') return `${numbers.en[scene.items.length - 2]!} ${plural(noun)}`
  if (scene.kind === 'two') {
    return scene.line === 'row'
      ? pick(random, [
          `${a} on the left and ${b} on the right`,
          `${a} to the left of ${b}`,
          `${b} to the right of ${a}`,
        ])
      : pick(random, [
          `${a} above ${b}`,
          `${b} below ${a}`,
          `${a} at the top and ${b} at the bottom`,
        ])
  }
  const sized = scene.size === 'medium' ? noun : `${scene.size} ${noun}`
  const place = pick(random, places[scene.place]!.en)
  return `${random() < 0.8 ? article(sized) : sized} ${place}`.trimEnd()
}

function chinese(scene: Scene, random: Random): string {
  const [a, b] = scene.items.map(({ object }) => subjects[object]!.zh)
  const { zh: noun, mw: measure } = subjects[scene.items[0]!.object]!
  if (scene.kind === 'many') return `${numbers.zh[scene.items.length - 2]!}${measure}${noun}`
  if (scene.kind === 'two') {
    return scene.line === 'row'
      ? pick(random, [`左边是${a}，右边是${b}`, `${a}在${b}的左边`])
      : pick(random, [`上面是${a}，下面是${b}`, `${a}在${b}的上面`, `${b}在${a}的下面`])
  }
  const sized = { small: '小', medium: '', big: '大' }[scene.size] + noun
  const place = pick(random, places[scene.place]!.zh)
  const counted = random() < 0.7 ? `一${measure}${sized}` : sized
  return `${place}${place && counted !== sized && random() < 0.5 ? '有' : ''}${counted}`
}

/** One wording of a scene, its background said; some carry words of praise, a capital, a full stop. */
export function caption(scene: Scene, language: 'en' | 'zh', random: Random): string {
  const { en, zh } = backgrounds[scene.background]!
  const isEnglish = language === 'en'
  const core = isEnglish ? english(scene, random) : chinese(scene, random)
  let said = isEnglish
    ? pick(random, [
        `${core} on ${article(en)} background`,
        `${core}, ${en} background`,
        `${en} background, ${core}`,
      ])
    : pick(random, [
        `${zh}背景上的${core}`,
        `${core}，${zh}背景`,
        `${zh}背景，${core}`,
        `背景是${zh}的，${core}`,
      ])
  if (random() < 0.25) {
    const words = praise[language].split(';')
    const from = below(random, words.length - 2)
    said = [said, ...words.slice(from, from + 1 + below(random, 3))].join(isEnglish ? ', ' : '，')
  }
  if (isEnglish && random() < 0.3) said = said[0]!.toUpperCase() + said.slice(1)
  return random() < 0.15 ? said + (isEnglish ? '.' : '。') : said
}
