/**
 * What the leader writes about each second, behind its decisions: tags for its successor, the cost
 * model for workers, the backlog for everybody. Only what has changed; the tags of a crash are a
 * second old at most, which costs that second's fairness once.
 */
import type { CostModel } from '../core/cost.ts'
import { saveCostModel } from '../store/cost-model.ts'
import { type SavedTags, saveTags } from '../store/flows.ts'
import type { Database } from '../store/prisma.ts'
import { writeState } from '../store/states.ts'
import { type Backlog, backlogIntervalMs, backlogName } from './backlog-row.ts'

/** What is written. */
export type Behind = {
  readonly tags: SavedTags
  readonly model: CostModel
  readonly backlog: Backlog
}

/** Remembers what was written last. */
export class WriteBehind {
  readonly #database: Database
  #tags: SavedTags | undefined
  #model: CostModel | undefined
  #backlog = ''
  #backlogAtMs = -Infinity

  constructor(database: Database) {
    this.#database = database
  }

  /** Writes what has changed. One call at a time. */
  async write({ tags, model, backlog }: Behind, nowMs: number): Promise<void> {
    await saveTags(this.#database, tags, this.#tags)
    this.#tags = tags
    if (model !== this.#model) await saveCostModel(this.#database, model)
    this.#model = model
    const text = JSON.stringify(backlog)
    if (text === this.#backlog && nowMs - this.#backlogAtMs < backlogIntervalMs) return
    await writeState(this.#database, backlogName, backlog)
    this.#backlog = text
    this.#backlogAtMs = nowMs
  }
}
