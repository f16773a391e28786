/**
 * First in, first out, with cancellation anywhere in O(1): a cancelled entry stays behind as a
 * tombstone until it reaches the head or tombstones outnumber the living.
 */

/** What an entry lends to its line: whether it has been taken back. Written by the line alone. */
export interface FifoEntry {
  isCancelled: boolean
}

const fewest = 32

/** A line whose head is always alive. */
export class Fifo<T extends FifoEntry> {
  #entries: T[] = []
  #head = 0
  #cancelled = 0

  /** Who is next. */
  get first(): T | undefined {
    return this.#entries[this.#head]
  }

  add(entry: T): void {
    this.#entries.push(entry)
  }

  /** Puts an entry before all others: its turn came once already. */
  addFirst(entry: T): void {
    if (this.#head === 0) this.#entries.unshift(entry)
    else this.#entries[--this.#head] = entry
  }

  /** Takes the head out. */
  shift(): void {
    this.#head++
    this.#tidy()
  }

  /** Takes an entry out that is in this line, wherever it is. */
  cancel(entry: T): void {
    entry.isCancelled = true
    this.#cancelled++
    this.#tidy()
  }

  /** The living, from the head on. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let at = this.#head; at < this.#entries.length; at++) {
      const entry = this.#entries[at]!
      if (!entry.isCancelled) yield entry
    }
  }

  #tidy(): void {
    while (this.first?.isCancelled === true) {
      this.#head++
      this.#cancelled--
    }
    if (this.#head + this.#cancelled <= fewest + this.#entries.length / 2) return
    this.#entries = [...this]
    this.#head = 0
    this.#cancelled = 0
  }
}
