/**
 * A binary heap whose items know their own slot, so that any of them can be taken out or moved in
 * O(log n). An item's `slot` is written by the heap alone, and an item is in one heap at a time.
 */

/** What an item lends to the heap that holds it: its place, -1 while it is in none. */
export interface HeapItem {
  slot: number
}

/** A heap whose first item is the one that is before all others. */
export class IndexedHeap<T extends HeapItem> {
  readonly #items: T[] = []
  readonly #isBefore: (one: T, other: T) => boolean

  /** `isBefore` is a strict order in which no two items are equal. */
  constructor(isBefore: (one: T, other: T) => boolean) {
    this.#isBefore = isBefore
  }

  get size(): number {
    return this.#items.length
  }

  get first(): T | undefined {
    return this.#items[0]
  }

  /** Whether this very heap holds the item. */
  has(item: T): boolean {
    return this.#items[item.slot] === item
  }

  add(item: T): void {
    this.#items.push(item)
    this.#rise(item, this.#items.length - 1)
  }

  /** Takes an item out, from wherever it is. */
  remove(item: T): void {
    if (!this.has(item)) throw new Error('internal: the heap does not hold the item to remove')
    const last = this.#items.pop()!
    const slot = item.slot
    item.slot = -1
    if (last === item) return
    this.#put(last, slot)
    this.moved(last)
  }

  /** Restores the order after the key of one item of this heap has changed. */
  moved(item: T): void {
    this.#rise(item, item.slot)
    this.#sink(item, item.slot)
  }

  /**
   * The first item in order for which `isWanted`, looking at none for which `isBeyond` (which must
   * hold for everything after the first item for which it holds), nor at more than `most` items.
   * O(k log k) for k items looked at; one, when the first will do.
   */
  firstWhere(
    isWanted: (item: T) => boolean,
    isBeyond: (item: T) => boolean = () => false,
    most = Infinity,
  ): T | undefined {
    const { first } = this
    if (first === undefined || isBeyond(first)) return undefined
    if (isWanted(first)) return first
    const frontier = new IndexedHeap<HeapItem & { readonly item: T }>((one, other) =>
      this.#isBefore(one.item, other.item),
    )
    let parent = first
    for (let looked = 1; looked < most; looked++) {
      for (const child of [2 * parent.slot + 1, 2 * parent.slot + 2]) {
        const item = this.#items[child]
        if (item !== undefined && !isBeyond(item)) frontier.add({ item, slot: -1 })
      }
      const next = frontier.first
      if (next === undefined || isWanted(next.item)) return next?.item
      frontier.remove(next)
      parent = next.item
    }
    return undefined
  }

  /** All items, in no order that means anything. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#items.values()
  }

  /** Throws unless every item knows its slot and no item is before its parent; for tests. */
  check(): void {
    for (const [slot, item] of this.#items.entries()) {
      const parent = this.#items[(slot - 1) >> 1]
      const isOrdered = parent === undefined || slot === 0 || !this.#isBefore(item, parent)
      if (item.slot !== slot || !isOrdered) throw new Error(`internal: heap broken at slot ${slot}`)
    }
  }

  #put(item: T, slot: number): void {
    this.#items[slot] = item
    item.slot = slot
  }

  #rise(item: T, from: number): void {
    let slot = from
    while (slot > 0) {
      const parent = this.#items[(slot - 1) >> 1]!
      if (!this.#isBefore(item, parent)) break
      this.#put(parent, slot)
      slot = (slot - 1) >> 1
    }
    this.#put(item, slot)
  }

  #sink(item: T, from: number): void {
    let slot = from
    for (;;) {
      const left = 2 * slot + 1
      const [one, other] = [this.#items[left], this.#items[left + 1]]
      if (one === undefined) break
      const isRight = other !== undefined && this.#isBefore(other, one)
      const child = isRight ? other : one
      if (!this.#isBefore(child, item)) break
      this.#put(child, slot)
      slot = isRight ? left + 1 : left
    }
    this.#put(item, slot)
  }
}
