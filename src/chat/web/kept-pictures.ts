/**
 * The latest pictures, in memory only, under names nobody can guess. Bounded by number and by
 * bytes: the oldest make room.
 */
import { randomBytes } from 'node:crypto'

/** A picture as it is served. */
export type KeptPicture = { readonly png: Uint8Array; readonly fileName: string }

/** Keeps pictures for download until newer ones need their place. */
export class KeptPictures {
  readonly #pictures = new Map<string, KeptPicture>()
  readonly #limit: number
  readonly #limitBytes: number
  #sizeBytes = 0

  constructor(limit: number, limitBytes: number) {
    this.#limit = limit
    this.#limitBytes = limitBytes
  }

  /** Keeps a picture and returns its id, 128 random bits; the newest is kept whatever its size. */
  keep(picture: KeptPicture): string {
    const id = randomBytes(16).toString('hex')
    this.#pictures.set(id, picture)
    this.#sizeBytes += picture.png.byteLength
    for (const [oldest, { png }] of this.#pictures) {
      const fits = this.#pictures.size <= this.#limit && this.#sizeBytes <= this.#limitBytes
      if (fits || oldest === id) break
      this.#pictures.delete(oldest)
      this.#sizeBytes -= png.byteLength
    }
    return id
  }

  /** The picture of an id, or undefined when it had to make room or never was. */
  find(id: string): KeptPicture | undefined {
    return this.#pictures.get(id)
  }
}
