/**
 * Moments in the life of a job at which something can be killed: events as everybody hears them, and
 * pictures as they appear in the blob folder. A moment is told in the turn of the loop in which it is
 * learnt, so that whoever is to stand still can be stopped at once; in which phase the job really was
 * is said by its row and its blob afterwards.
 */
import { type FSWatcher, mkdirSync, readdirSync, readFileSync, statSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { JobEvents } from '../../src/queue/events.ts'
import type { Database } from '../../src/store/prisma.ts'

/** Between which two lasting facts a job is. */
export type Phase = 'denoising' | 'blob to settle' | 'settle to delivery'

/** How long a folder that has appeared is looked at for its picture. */
const appearsWithinMs = 60

/** Tells of moments. */
export class Moments {
  readonly #events: JobEvents
  readonly #folder: string
  readonly #watchers: FSWatcher[]
  readonly #known = new Set<string>()
  /** The last step that was heard of each job. */
  readonly #steps = new Map<string, { readonly index: number; readonly evaluations: number }>()
  #onPicture: (file: string) => void = () => {}

  constructor(events: JobEvents, blobFolder: string) {
    this.#events = events
    this.#folder = blobFolder
    events.subscribe((event) => {
      if (event.type === 'step') this.#steps.set(event.jobId, event)
    })
    // Blobs lie in ab/cd/; a folder `cd` appears a moment before its first picture.
    this.#watchers = Array.from({ length: 256 }, (_, k) => {
      const first = join(blobFolder, k.toString(16).padStart(2, '0'))
      mkdirSync(first, { recursive: true, mode: 0o700 })
      return watch(first, (_kind, name) => {
        if (name !== null) this.#appeared(join(first, name))
      })
    })
  }

  /** Waits for such a moment of any job and calls back in it. @returns the job, if it came */
  async next(phase: Phase, onMoment: () => void, limitMs: number): Promise<string | undefined> {
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    let isOver = false
    const come = (jobOf: () => string | undefined): void => {
      if (isOver) return
      isOver = true
      onMoment()
      resolve(jobOf())
    }
    const timer = setTimeout(() => {
      isOver = true
      resolve(undefined)
    }, limitMs)
    this.#onPicture = (file) => {
      if (phase === 'blob to settle') come(() => jobOf(file))
    }
    const unsubscribe = this.#events.subscribe((event) => {
      if (phase === 'denoising' && event.type === 'step') {
        const { index, evaluations } = event
        if (index > 0 && 2 * index <= evaluations) come(() => event.jobId)
      }
      if (phase === 'settle to delivery' && event.type === 'done') come(() => event.jobId)
    })
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      unsubscribe()
      this.#onPicture = () => {}
    }
  }

  /** The phase of a job now, which its mover does not leave meanwhile; none if it is in no such. */
  async phaseOf(database: Database, id: string): Promise<Phase | undefined> {
    const row = await database.job.findUnique({ where: { id } })
    if (row === null) return undefined
    const { state, startedAt, settledAt, deliveredAt } = row
    if (state === 'done') return deliveredAt === null ? 'settle to delivery' : undefined
    if (settledAt !== null || state !== 'running' || startedAt === null) return undefined
    // A picture of an earlier attempt is touched again once this one has drawn it.
    const isStored = this.#pictures().some(
      (file) => statSync(file).mtimeMs >= startedAt.getTime() && jobOf(file) === id,
    )
    if (isStored) return 'blob to settle'
    const step = this.#steps.get(id)
    return step && step.index < step.evaluations ? 'denoising' : undefined
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close()
  }

  /** Careful: waits in this turn of the loop; a picture and its job's end are milliseconds apart. */
  #appeared(folder: string): void {
    if (this.#known.has(folder)) return
    this.#known.add(folder)
    const startMs = performance.now()
    while (performance.now() - startMs < appearsWithinMs) {
      const [picture] = picturesIn(folder)
      if (picture !== undefined) return this.#onPicture(picture)
    }
  }

  #pictures(): string[] {
    return picturesIn(this.#folder, true)
  }
}

function picturesIn(folder: string, isDeep = false): string[] {
  try {
    const names = readdirSync(folder, { recursive: isDeep, encoding: 'utf8' })
    return names.filter((name) => name.endsWith('.png')).map((name) => join(folder, name))
  } catch {
    return [] // It is gone again.
  }
}

/** The job that a picture says it is of. */
function jobOf(file: string): string | undefined {
  return /"job":"([0-9a-z]{10})"/.exec(readFileSync(file, 'latin1'))?.[1]
}
