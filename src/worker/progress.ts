/**
 * How far a job is, for those who watch: `step` events, not more often than people can follow, and
 * small previews. A hint is never worth a wait: one is on its way at a time, and of those that come
 * meanwhile only the newest goes next.
 */
import { encodeImage, type Pixels } from '../engine/image.ts'
import { publish } from '../queue/events.ts'
import { writePreview } from '../queue/previews.ts'
import { type Database, inTransaction } from '../store/prisma.ts'

/** Whose progress it is, and whom to tell. */
export type ProgressOptions = {
  readonly database: Database
  readonly jobId: string
  readonly hasPreviews: boolean
  readonly now: () => number
  /** Told of hints that could not be given. */
  readonly onError: (error: unknown) => void
}

type Hint = {
  readonly index: number
  readonly evaluations: number
  readonly previews: readonly Pixels[]
}

const stepIntervalMs = 200
const previewIntervalMs = 700

/** The progress of one job. */
export class Progress {
  readonly #options: ProgressOptions
  #toldAtMs = -Infinity
  #previewedAtMs = -Infinity
  #next: Hint | undefined
  #telling: Promise<void> | undefined

  constructor(options: ProgressOptions) {
    this.#options = options
  }

  /** Tells of a step, if it is the first, the last, or the last one told was some time ago. */
  step(index: number, evaluations: number, previews: readonly Pixels[] = []): void {
    const nowMs = this.#options.now()
    const isEdge = index === 0 || index >= evaluations
    if (!isEdge && nowMs - this.#toldAtMs < stepIntervalMs) return
    this.#toldAtMs = nowMs
    this.#next = { index, evaluations, previews }
    this.#telling ??= this.#tell()
  }

  /** Resolves when nothing is on its way any more: a preview must not outlive its job. */
  async end(): Promise<void> {
    this.#next = undefined
    await this.#telling
  }

  async #tell(): Promise<void> {
    for (let hint = this.#next; hint !== undefined; hint = this.#next) {
      this.#next = undefined
      await this.#give(hint).catch(this.#options.onError)
    }
    this.#telling = undefined
  }

  async #give({ index, evaluations, previews }: Hint): Promise<void> {
    const { database, jobId, now } = this.#options
    const event = { type: 'step', jobId, index, evaluations } as const
    const preview = this.#options.hasPreviews ? sheetOf(previews) : undefined
    if (preview === undefined || now() - this.#previewedAtMs < previewIntervalMs) {
      return publish(event, database)
    }
    this.#previewedAtMs = now()
    const bytes = await encodeImage(preview, 'jpeg')
    await inTransaction(database, async (transaction) => {
      const facts = { jobId, step: index, evaluations, contentType: 'image/jpeg', bytes }
      const previewId = await writePreview(facts, transaction)
      await publish({ ...event, ...(previewId !== undefined && { previewId }) }, transaction)
    })
  }
}

/** Pictures of one size on one sheet, row by row, about as many across as down; black where none is. */
export function sheetOf(pictures: readonly Pixels[]): Pixels | undefined {
  const [first] = pictures
  if (first === undefined || pictures.length === 1) return first
  const columns = Math.ceil(Math.sqrt(pictures.length))
  const { width, height } = first
  const sheet = {
    width: columns * width,
    height: Math.ceil(pictures.length / columns) * height,
  }
  const data = new Uint8Array(sheet.width * sheet.height * 3)
  for (const [k, picture] of pictures.entries()) {
    const left = (k % columns) * width
    const top = Math.floor(k / columns) * height
    for (let row = 0; row < height; row++) {
      const line = picture.data.subarray(row * width * 3, (row + 1) * width * 3)
      data.set(line, ((top + row) * sheet.width + left) * 3)
    }
  }
  return { ...sheet, data }
}
