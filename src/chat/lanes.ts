/**
 * Work in lanes: of each lane a few at once, of all together a few more, and lanes take turns. So a
 * lane that is slow or broken holds up nobody else.
 */

type Work = () => Promise<void>

type Lane = { running: number; readonly urgent: Work[]; readonly others: Work[] }

/** Lanes by name; one is there while it has work. */
export class Lanes {
  readonly #mostInLane: number
  readonly #mostAtOnce: number
  readonly #lanes = new Map<string, Lane>()
  /** Names of lanes with waiting work, first the one whose turn it is. */
  readonly #turns = new Set<string>()
  readonly #running = new Set<Promise<void>>()
  #isClosed = false

  constructor({
    mostInLane,
    mostAtOnce,
  }: {
    readonly mostInLane: number
    readonly mostAtOnce: number
  }) {
    this.#mostInLane = mostInLane
    this.#mostAtOnce = mostAtOnce
  }

  /** Does work as soon as its lane has room; urgent work before other. It must not reject. */
  add(name: string, work: Work, { isUrgent }: { readonly isUrgent: boolean }): void {
    if (this.#isClosed) return
    const lane = this.#lanes.get(name) ?? { running: 0, urgent: [], others: [] }
    this.#lanes.set(name, lane)
    lane[isUrgent ? 'urgent' : 'others'].push(work)
    this.#turns.add(name)
    this.#start()
  }

  /** Forgets the work that waits, takes no more, and waits for what is being done. */
  async drain(): Promise<void> {
    this.#isClosed = true
    this.#turns.clear()
    this.#lanes.clear()
    await Promise.all(this.#running)
  }

  #start(): void {
    for (const name of this.#turns) {
      if (this.#running.size >= this.#mostAtOnce) return
      const lane = this.#lanes.get(name)
      if (!lane || lane.running >= this.#mostInLane) continue
      const work = lane.urgent.shift() ?? lane.others.shift()
      // Last in turn, if it has more.
      this.#turns.delete(name)
      if (lane.urgent.length + lane.others.length > 0) this.#turns.add(name)
      if (work) void this.#do(name, lane, work)
    }
  }

  async #do(name: string, lane: Lane, work: Work): Promise<void> {
    lane.running += 1
    const running = work()
    this.#running.add(running)
    try {
      await running
    } finally {
      this.#running.delete(running)
      lane.running -= 1
      const isIdle = lane.running === 0 && lane.urgent.length + lane.others.length === 0
      if (isIdle && this.#lanes.get(name) === lane) this.#lanes.delete(name)
      this.#start()
    }
  }
}
