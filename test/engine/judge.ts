/**
 * Looks at a picture of the built-in model and says what is on it: its background, and which of the
 * 40 drawings lies at each asked place. Source: training/evaluate.py, with one difference: the
 * drawings are softened first. The model's autoencoder leaves soft edges, and sharp drawings make
 * the judge take a pale small object for another; four passes are what brings drawings closest to
 * what the autoencoder makes of them (30.2 dB, sharp ones 26.5 dB).
 */
import {
  type Item,
  type Scene,
  backgrounds,
  canvas,
  clipped,
  corner,
  drawing,
  subjects,
} from './scenes.ts'

/** What a picture shows: its background colour and the object at each asked place. */
export type Sight = { readonly background: number; readonly objects: readonly number[] }

/** Passes of the filter 1 2 1 over a drawing, in rows and in columns; each spreads it by a pixel. */
const softening = 4

const softDrawings = new Map<string, Float32Array>()

/** A drawing with soft edges, `[px + 8, px + 8, 4]`: its colours times its cover, then 1 - cover. */
function softDrawing(object: number, px: number): Float32Array {
  const key = `${object} ${px}`
  const known = softDrawings.get(key)
  if (known) return known
  const side = px + 2 * softening
  const sharp = drawing(object, px)
  let soft: Float32Array = Float32Array.from({ length: side * side * 4 }, (_, i) =>
    Number(i % 4 === 3),
  )
  for (let y = 0; y < px; y++) {
    const row = sharp.subarray(y * px * 4, (y + 1) * px * 4)
    soft.set(row, ((y + softening) * side + softening) * 4)
  }
  for (let pass = 0; pass < softening; pass++) {
    soft = softened(softened(soft, 4, 4 * side), 4 * side, 4 * side)
  }
  softDrawings.set(key, soft)
  return soft
}

/** One pass along neighbours that lie `stride` apart; beyond the ends the value itself stands in. */
function softened(values: Float32Array, stride: number, rowLength: number): Float32Array {
  const isRow = stride < rowLength
  return values.map((value, i) => {
    const at = isRow ? i % rowLength : i
    const before = at >= stride ? values[i - stride]! : value
    const after = at + stride < (isRow ? rowLength : values.length) ? values[i + stride]! : value
    return (before + 2 * value + after) / 4
  })
}

/** Which background colour the median pixel of a picture `[128, 128, 3]` is nearest to. */
function nearestBackground(picture: Float32Array): number {
  const distances = backgrounds.map(({ rgb }) => {
    const pixels = new Float32Array(canvas * canvas)
    for (let i = 0; i < picture.length; i++) {
      pixels[Math.trunc(i / 3)]! += Math.abs(picture[i]! - rgb[i % 3]! / 255)
    }
    return pixels.toSorted()[pixels.length / 2]!
  })
  return distances.indexOf(Math.min(...distances))
}

/** Squared error of each pixel against a plain background, `[128, 128]`. */
function plainErrors(picture: Float32Array, background: number): Float32Array {
  const { rgb } = backgrounds[background]!
  const errors = new Float32Array(canvas * canvas)
  for (let i = 0; i < picture.length; i++) {
    errors[Math.trunc(i / 3)]! += (picture[i]! - rgb[i % 3]! / 255) ** 2
  }
  return errors
}

/**
 * What drawing one item onto the plain background adds to the squared error; negative where the
 * picture shows that drawing. Only the drawing's own pixels can differ, so no more are looked at.
 */
function addedError(
  picture: Float32Array,
  plain: Float32Array,
  rgb: readonly number[],
  item: Item,
): number {
  const pixels = softDrawing(item.object, item.px)
  const side = item.px + 2 * softening
  const { left, top } = corner({ ...item, px: side })
  const box = clipped(left, top, left + side, top + side)
  let added = 0
  for (let y = box.top; y < box.bottom; y++) {
    for (let x = box.left; x < box.right; x++) {
      const from = ((y - top) * side + x - left) * 4
      const at = y * canvas + x
      for (let c = 0; c < 3; c++) {
        const drawn = (rgb[c]! / 255) * pixels[from + 3]! + pixels[from + c]!
        added += (drawn - picture[at * 3 + c]!) ** 2
      }
      added -= plain[at]!
    }
  }
  return added
}

/**
 * Looks at a picture `[128, 128, 3]` from 0 to 1: which background it has, and, at the place of
 * each item, which of the 40 drawings is nearest when it may lie up to three pixels aside.
 */
export function look(picture: Float32Array, items: readonly Item[]): Sight {
  const background = nearestBackground(picture)
  const { rgb } = backgrounds[background]!
  const plain = plainErrors(picture, background)
  const shifts = [-3, 0, 3].flatMap((dx) => [-3, 0, 3].map((dy) => [dx, dy] as const))
  const objects = items.map(({ px, x, y }) => {
    const errors = subjects.map((_, object) =>
      Math.min(
        ...shifts.map(([dx, dy]) =>
          addedError(picture, plain, rgb, { object, px, x: x + dx, y: y + dy }),
        ),
      ),
    )
    return errors.indexOf(Math.min(...errors))
  })
  return { background, objects }
}

/** Whether the objects seen are the scene's, each at its place. */
export function showsObjects(sight: Sight, scene: Pick<Scene, 'items'>): boolean {
  return scene.items.every(({ object }, k) => sight.objects[k] === object)
}
