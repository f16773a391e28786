/**
 * Drawn pictures on their way to the blob store, one after another, off the device's time: encoded with
 * their recipe, looked at by the check if there is one, and stored when all of them are allowed.
 */
import { UserError } from '../core/errors.ts'
import type { JobSpec } from '../core/job-spec.ts'
import { encodeImage } from '../engine/image.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { DrawnPicture } from './drawing.ts'
import { withTexts } from './png-text.ts'
import { recipeTexts, recipeXmp } from './recipe.ts'

/** Looks at a picture before anybody else does; `rule` names what it found. */
export type PictureCheck = (
  png: Uint8Array,
) => Promise<{ readonly isAllowed: boolean; readonly rule: string }>

/** What the pictures are of, and whether they tell. */
export type Delivery = {
  readonly jobId: string
  readonly spec: JobSpec
  readonly model: string
  /** Whether the guild wants recipes; private pictures carry none. */
  readonly hasRecipe: boolean
}

/** Encodes pictures as PNG, looked at and with their recipes. @throws {UserError} picture-refused */
export async function encodePictures(
  pictures: readonly DrawnPicture[],
  delivery: Delivery,
  checkPicture: PictureCheck | undefined,
): Promise<Uint8Array[]> {
  const pngs: Uint8Array[] = []
  for (const picture of pictures) {
    const png = await encode(picture, delivery)
    const verdict = await checkPicture?.(png)
    if (verdict?.isAllowed === false) throw new UserError('picture-refused', { rule: verdict.rule })
    pngs.push(png)
  }
  return pngs
}

/** Stores PNG files; gives back their keys. Storing again what is stored is nothing. */
export async function storePngs(blobs: BlobStore, pngs: readonly Uint8Array[]): Promise<string[]> {
  const keys: string[] = []
  for (const png of pngs) keys.push(await blobs.put(png, 'image/png'))
  return keys
}

async function encode({ seed, pixels }: DrawnPicture, delivery: Delivery): Promise<Uint8Array> {
  const { jobId, spec, model, hasRecipe } = delivery
  if (!hasRecipe || spec.isPrivate) return encodeImage(pixels, 'png')
  const facts = { jobId, spec, seed, model }
  return withTexts(await encodeImage(pixels, 'png', { xmp: recipeXmp(facts) }), recipeTexts(facts))
}
