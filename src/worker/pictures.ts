/**
 * Drawn pictures on their way to the blob store, one after another, off the device's time: each is
 * encoded, looked at by the check if there is one, and stored.
 */
import { UserError } from '../core/errors.ts'
import { encodeImage } from '../engine/image.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { DrawnPicture } from './drawing.ts'

/** Looks at a picture before anybody else does; `rule` names what it found. */
export type PictureCheck = (
  png: Uint8Array,
) => Promise<{ readonly isAllowed: boolean; readonly rule: string }>

/** Stores pictures; gives back their keys. @throws {UserError} picture-refused, and the store's */
export async function storePictures(
  blobs: BlobStore,
  pictures: readonly DrawnPicture[],
  checkPicture: PictureCheck | undefined,
): Promise<string[]> {
  const pngs: Uint8Array[] = []
  for (const { pixels } of pictures) {
    const png = await encodeImage(pixels, 'png')
    const verdict = await checkPicture?.(png)
    if (verdict?.isAllowed === false) throw new UserError('picture-refused', { rule: verdict.rule })
    pngs.push(png)
  }
  // Only when all are allowed: what is refused leaves no trace.
  const keys: string[] = []
  for (const png of pngs) keys.push(await blobs.put(png, 'image/png'))
  return keys
}
