/**
 * Blobs in a folder, as `ab/cd/abcd...` so that no folder grows large. A blob is whole or absent,
 * also after a power cut; only we may read it.
 */
import { open, readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { writeDurably } from '../durable-file.ts'
import { hasCode } from '../postgres-programs.ts'
import {
  type BlobStore,
  type StoredBlob,
  checkedBytes,
  checkedKey,
  isKey,
  keyOf,
} from './blob-store.ts'

/** Blobs below one folder, which is made with the first of them. */
export class FolderBlobs implements BlobStore {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** @throws {UserError} disk-full */
  async put(bytes: Uint8Array, contentType: string): Promise<string> {
    const key = keyOf(bytes, contentType)
    if (await this.#wasTouched(key, bytes.length)) return key
    try {
      await writeDurably(this.#file(key), bytes)
    } catch (error) {
      if (!hasCode(error, 'ENOSPC', 'EDQUOT')) throw error
      throw new UserError('disk-full', { folder: this.#folder }, { cause: error })
    }
    return key
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    const file = await open(this.#file(key)).catch(unlessAbsent)
    if (file === undefined) return undefined
    try {
      return checkedBytes(key, await file.readFile())
    } finally {
      await file.close()
    }
  }

  async has(key: string): Promise<boolean> {
    return (await stat(this.#file(key)).catch(unlessAbsent)) !== undefined
  }

  async delete(key: string): Promise<void> {
    await rm(this.#file(key), { force: true })
  }

  async *list(): AsyncGenerator<StoredBlob> {
    for (const first of await namesIn(this.#folder)) {
      for (const second of await namesIn(join(this.#folder, first))) {
        const keys = (await namesIn(join(this.#folder, first, second))).filter(isKey)
        for (const key of keys) {
          const found = await stat(this.#file(key)).catch(unlessAbsent)
          if (found) yield { key, sizeBytes: found.size, storedAt: found.mtime }
        }
      }
    }
  }

  /** Marks a blob that is there already as stored now; one of another size is stored anew. */
  async #wasTouched(key: string, sizeBytes: number): Promise<boolean> {
    const found = await stat(this.#file(key)).catch(unlessAbsent)
    if (found?.size !== sizeBytes) return false
    const now = new Date()
    return utimes(this.#file(key), now, now).then(
      () => true,
      () => false, // It was removed a moment ago.
    )
  }

  #file(key: string): string {
    return join(this.#folder, checkedKey(key).slice(0, 2), key.slice(2, 4), key)
  }
}

/** Names in a folder; none if there is no such folder. */
async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(unlessAbsent)) ?? []
}

function unlessAbsent(error: unknown): undefined {
  if (!hasCode(error, 'ENOENT', 'ENOTDIR')) throw error
}
