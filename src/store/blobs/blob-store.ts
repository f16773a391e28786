/**
 * Where pictures are kept: a port, as they live in a folder or in an S3-compatible store. A blob is
 * named by what it holds, so storing twice is storing once, nothing is ever overwritten with
 * something else, and what was damaged is noticed when it is read.
 */
import { createHash } from 'node:crypto'

/** A blob as a listing shows it. */
export type StoredBlob = {
  readonly key: string
  readonly sizeBytes: number
  /** When it was stored last; storing it again counts. */
  readonly storedAt: Date
}

/** A place for blobs. Keys are what `put` gave back; any other is a broken promise of ours. */
export interface BlobStore {
  /** Stores bytes for good: when this resolves, they are safe. Gives back their key. */
  put(bytes: Uint8Array, contentType: string): Promise<string>
  /** The bytes, or undefined if there are none. Throws if they are not what was stored. */
  get(key: string): Promise<Uint8Array | undefined>
  /** Whether there is such a blob. */
  has(key: string): Promise<boolean>
  /** Removes a blob, which need not be there. */
  delete(key: string): Promise<void>
  /** All blobs, in no order; those stored or removed meanwhile may be among them or not. */
  list(): AsyncIterable<StoredBlob>
}

/** More than any picture we draw or accept. */
export const mostBlobBytes = 64 * 2 ** 20

const extensions: Readonly<Record<string, string>> = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
}
const keyPattern = /^[0-9a-f]{64}\.(?:png|jpg|webp)$/
const keysAtOnce = 200

/** The key of bytes: their SHA-256 and what they are, so that no one has to remember it. */
export function keyOf(bytes: Uint8Array, contentType: string): string {
  const extension = extensions[contentType]
  if (extension === undefined) throw new Error(`internal: no blobs of type ${contentType}`)
  if (bytes.length > mostBlobBytes) throw new Error(`internal: a blob of ${bytes.length} bytes`)
  return `${createHash('sha256').update(bytes).digest('hex')}.${extension}`
}

/** What a key says that its blob is, such as `image/png`. */
export function contentTypeOf(key: string): string {
  const extension = checkedKey(key).split('.')[1]
  return Object.keys(extensions).find((type) => extensions[type] === extension)!
}

/** Whether a name is a key: 64 hexadecimal digits and an extension, hence no path. */
export function isKey(name: string): boolean {
  return keyPattern.test(name)
}

/** Gives back a key; anything else is a broken promise of ours. */
export function checkedKey(key: string): string {
  if (!isKey(key)) throw new Error('internal: not the key of a blob')
  return key
}

/** A blob that is not what was stored. */
export class DamagedBlob extends Error {
  constructor(key: string) {
    super(`the blob ${key} is damaged`)
    this.name = 'DamagedBlob'
  }
}

/** Gives back bytes that are what their key says. @throws DamagedBlob */
export function checkedBytes(key: string, bytes: Uint8Array): Uint8Array {
  if (keyOf(bytes, contentTypeOf(key)) === key) return bytes
  throw new DamagedBlob(key)
}

/**
 * Removes the blobs that were stored before `before` and that nobody uses, and gives back how many.
 * `usedAmong` tells which of some keys a job still names. Careful: a job's row follows its blobs by
 * moments, so `before` must leave that much time; an hour is plenty.
 */
export async function sweep(
  blobs: Pick<BlobStore, 'list' | 'delete'>,
  before: Date,
  usedAmong: (keys: readonly string[]) => Promise<ReadonlySet<string>>,
): Promise<number> {
  let removed = 0
  let old: string[] = []
  const removeUnused = async (): Promise<void> => {
    const used = await usedAmong(old)
    const unused = old.filter((key) => !used.has(key))
    for (const key of unused) await blobs.delete(key)
    removed += unused.length
    old = []
  }
  for await (const { key, storedAt } of blobs.list()) {
    if (storedAt < before) old.push(key)
    if (old.length === keysAtOnce) await removeUnused()
  }
  if (old.length > 0) await removeUnused()
  return removed
}
