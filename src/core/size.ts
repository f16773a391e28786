/**
 * Sizes of pictures: how they are typed, what a shape such as 16:9 comes to, and which are allowed.
 * Sides come in multiples of 16, as the transformer's tokens do.
 */
import { UserError } from './errors.ts'

/** Sides in pixels. */
export type Size = { readonly width: number; readonly height: number }

/** A shape without a size: 16 across to 9 down. */
export type Aspect = { readonly across: number; readonly down: number }

/** Which sizes may be drawn: sides in pixels, multiples of 16, and the area in pixels. */
export type SizeLimits = {
  readonly leastSide: number
  readonly mostSide: number
  readonly mostPixels: number
}

/** Sides come in this many pixels. */
export const sideMultiple = 16

/** The longest shape that can be asked for, as long to short side. */
export const mostElongation = 4

/** Reads `16:9`, `16/9` or `1.85:1`, in any width; nothing else, and nothing longer than 4:1. */
export function readAspect(typed: string): Aspect | undefined {
  const form = /^(\d{1,4}(?:\.\d{1,3})?)[:/\u2236x\u00d7](\d{1,4}(?:\.\d{1,3})?)$/i
  const match = form.exec(typed.normalize('NFKC').trim())
  const [across, down] = [Number(match?.[1]), Number(match?.[2])]
  const ratio = across / down
  // Careful: written so that NaN, of 0:0 or of no match, fails too.
  if (!(ratio >= 1 / mostElongation && ratio <= mostElongation)) return undefined
  return { across, down }
}

/** Reads `512x768`, also with `*` or a multiplication sign, in any width. */
export function readSize(typed: string): Size | undefined {
  const match = /^(\d{1,5})[x*\u00d7](\d{1,5})$/i.exec(typed.normalize('NFKC').trim())
  return match ? { width: Number(match[1]), height: Number(match[2]) } : undefined
}

/**
 * The size of this shape whose area is that of `like`. Each side is rounded to a multiple of 16; if
 * that leads over `mostPixels`, the shorter one becomes shorter by 16, which suffices when `like`
 * itself is within them.
 */
export function sizeOfAspect(
  { across, down }: Aspect,
  like: Size,
  mostPixels: number = Infinity,
): Size {
  const area = like.width * like.height
  const width = toMultiple(Math.sqrt((area * across) / down))
  const height = toMultiple(Math.sqrt((area * down) / across))
  if (width * height <= mostPixels) return { width, height }
  return width >= height
    ? { width, height: Math.max(sideMultiple, height - sideMultiple) }
    : { width: Math.max(sideMultiple, width - sideMultiple), height }
}

/** Checks a size. @throws {UserError} size-not-allowed, with the nearest size that is */
export function checkSize(size: Size, limits: SizeLimits): void {
  const reason = faultOf(size, limits)
  if (reason === undefined) return
  const { leastSide, mostSide, mostPixels } = limits
  const nearest = sizeText(nearestSize(size, limits))
  const facts = { size: sizeText(size), reason, leastSide, mostSide, mostPixels, nearest }
  throw new UserError('size-not-allowed', facts)
}

/** A size as it is typed and told. */
export function sizeText({ width, height }: Size): string {
  return `${width}x${height}`
}

function faultOf(
  { width, height }: Size,
  { leastSide, mostSide, mostPixels }: SizeLimits,
): 'side' | 'multiple' | 'area' | undefined {
  const sides = [width, height]
  if (!sides.every((side) => side >= leastSide && side <= mostSide)) return 'side'
  if (!sides.every((side) => side % sideMultiple === 0)) return 'multiple'
  return width * height > mostPixels ? 'area' : undefined
}

/**
 * The size at which a picture is redrawn when nobody asks for another: its own, made smaller where
 * it is larger than what the model draws well (four times its default area) or than is allowed, and
 * rounded down.
 */
export function redrawnSize({ width, height }: Size, like: Size, limits: SizeLimits): Size {
  const { leastSide, mostSide, mostPixels } = limits
  const area = Math.min(mostPixels, 4 * like.width * like.height)
  const shrink = Math.min(
    1,
    Math.sqrt(area / (width * height)),
    mostSide / width,
    mostSide / height,
  )
  const side = (length: number): number =>
    Math.max(leastSide, Math.floor((length * shrink) / sideMultiple) * sideMultiple)
  // Careful: a side that was brought up to the least one can have brought the area over the most.
  return nearestSize({ width: side(width), height: side(height) }, limits)
}

/** An allowed size like this one: brought within the sides, then the area, the short side first. */
export function nearestSize(
  { width, height }: Size,
  { leastSide, mostSide, mostPixels }: SizeLimits,
): Size {
  const within = (side: number): number => Math.min(mostSide, Math.max(leastSide, side))
  const floored = (side: number): number => Math.floor(side / sideMultiple) * sideMultiple
  const sides = [toMultiple(width), toMultiple(height)].map(within)
  const [long, short] = [Math.max(...sides), Math.min(...sides)]
  const shrink = Math.min(1, Math.sqrt(mostPixels / (long * short)))
  const newShort = Math.max(leastSide, floored(short * shrink))
  const newLong = Math.min(long, floored(mostPixels / newShort))
  return width >= height
    ? { width: newLong, height: newShort }
    : { width: newShort, height: newLong }
}

function toMultiple(side: number): number {
  return Math.max(sideMultiple, Math.round(side / sideMultiple) * sideMultiple)
}
