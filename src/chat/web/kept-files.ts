/**
 * Files that somebody asked for, in memory only, for an hour, under names nobody can guess. Bounded
 * by number and by bytes: the oldest make room.
 */
import { randomBytes } from 'node:crypto'
import type { Message } from '../message.ts'

/** A file as it is served. */
export type KeptFile = NonNullable<Message['file']>

const keptMs = 60 * 60 * 1000
const mostFiles = 64
const mostBytes = 256 * 2 ** 20

/** Keeps files for download until their hour is over or newer ones need their place. */
export class KeptFiles {
  readonly #files = new Map<string, { readonly file: KeptFile; readonly untilMs: number }>()
  readonly #now: () => number
  #sizeBytes = 0

  constructor(now: () => number) {
    this.#now = now
  }

  /** Keeps a file and returns its id, 128 random bits; the newest is kept whatever its size. */
  keep(file: KeptFile): string {
    const id = randomBytes(16).toString('hex')
    this.#files.set(id, { file, untilMs: this.#now() + keptMs })
    this.#sizeBytes += file.bytes.byteLength
    for (const [oldest, { untilMs }] of this.#files) {
      const fits = this.#files.size <= mostFiles && this.#sizeBytes <= mostBytes
      if (oldest === id || (fits && untilMs > this.#now())) break
      this.#forget(oldest)
    }
    return id
  }

  /** The file of an id; none when its time is over, or it never was. */
  find(id: string): KeptFile | undefined {
    const kept = this.#files.get(id)
    if (kept && kept.untilMs <= this.#now()) this.#forget(id)
    return kept && kept.untilMs > this.#now() ? kept.file : undefined
  }

  #forget(id: string): void {
    this.#sizeBytes -= this.#files.get(id)?.file.bytes.byteLength ?? 0
    this.#files.delete(id)
  }
}
