/**
 * What happens to jobs, devices and the playground's messages, told to every process through NOTIFY.
 * An event is a hint, never the truth: it names rows, and who missed some (a `gap`) reads the rows
 * again. Every field is bounded ASCII or a number, so no event comes near Postgres' limit of 8000
 * bytes.
 */
import { setImmediate as breath } from 'node:timers/promises'
import { z } from 'zod'
import { Listener } from './listener.ts'
import { type Transaction, sqlOf } from './transaction.ts'

const channel = 'zimagine_event'
/** Events that are told in one go. */
const eventsAtOnce = 500

const jobId = z.string().regex(/^[\w-]{1,64}$/)
const device = z.string().regex(/^[\w.:@/-]{1,64}$/)
const count = z.int().nonnegative()
const demoGuild = z.string().regex(/^[a-z0-9-]{1,64}$/)
const messageId = z.string().regex(/^\d{1,19}$/)

const schema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('queued'), jobId }).readonly(),
  z.object({ type: z.literal('dispatched'), jobId, attempt: count, device }).readonly(),
  z
    .object({
      type: z.literal('step'),
      jobId,
      /** Evaluations that are done, 0 to `evaluations`. */
      index: count,
      evaluations: count,
      /** A row of the preview table, if there is something new to see. */
      previewId: jobId.exactOptional(),
    })
    .readonly(),
  z.object({ type: z.literal('done'), jobId }).readonly(),
  /** `code`: an error code of the house, for which the locales have a sentence. */
  z.object({ type: z.literal('failed'), jobId, code: jobId }).readonly(),
  z.object({ type: z.literal('cancelled'), jobId }).readonly(),
  /** Weight or settings of a guild have changed; `guild` is the number of its row. */
  z.object({ type: z.literal('guild'), guild: z.string().regex(/^\d{1,10}$/) }).readonly(),
  z.object({ type: z.literal('device'), device, state: z.enum(['up', 'down']) }).readonly(),
  /** A message of the playground is new, edited or deleted. */
  z.object({ type: z.literal('message'), guild: demoGuild, id: messageId }).readonly(),
])

/** Something that happened, committed with the rows that made it true. */
export type JobEvent = z.infer<typeof schema>

/** What a subscriber gets; after a `gap` events may have been missed: read the rows again. */
export type HeardEvent = JobEvent | { readonly type: 'gap' }

const gap: HeardEvent = { type: 'gap' }

/**
 * Tells everyone when, and only if, the transaction commits. Equal events of one transaction arrive
 * once.
 *
 * @throws ZodError if a field is out of bounds: nothing of any length gets into an event
 */
export async function publish(event: JobEvent, transaction: Transaction): Promise<void> {
  // Careful: pg_notify returns void, which Prisma cannot read, hence the cast.
  await sqlOf(transaction).executeSql('SELECT pg_notify($1, $2)::text AS sent', [
    channel,
    JSON.stringify(schema.parse(event)),
  ])
}

/** The events of all processes on one database, this one's included. */
export class JobEvents {
  readonly #onError: (error: unknown) => void
  readonly #subscribers = new Set<(event: HeardEvent) => void>()
  /** Payloads that nobody has been told of yet. */
  readonly #heard: string[] = []
  #isTelling = false
  #listener: Listener | undefined

  private constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  /**
   * Connects; events that commit after this resolves are heard.
   *
   * @throws the driver's error when the database cannot be reached
   */
  static async open(databaseUrl: string, onError: (error: unknown) => void): Promise<JobEvents> {
    const events = new JobEvents(onError)
    events.#listener = await Listener.open(databaseUrl, channel, {
      hear: (payload) => events.#hear(payload),
      // In its turn, as a payload that cannot be read.
      onGap: () => events.#hear(''),
      onError,
    })
    return events
  }

  /** Calls back for each event until the returned function is called. */
  subscribe(onEvent: (event: HeardEvent) => void): () => void {
    this.#subscribers.add(onEvent)
    return () => this.#subscribers.delete(onEvent)
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    this.#subscribers.clear()
    this.#heard.length = 0
    await this.#listener?.close()
  }

  #hear(payload: string): void {
    this.#heard.push(payload)
    if (!this.#isTelling) void this.#tellHeard()
  }

  /** A storm of events comes in one piece; between parts of it everything else has its turn. */
  async #tellHeard(): Promise<void> {
    this.#isTelling = true
    while (this.#heard.length > 0) {
      for (const payload of this.#heard.splice(0, eventsAtOnce)) this.#tell(decode(payload))
      await breath()
    }
    this.#isTelling = false
  }

  #tell(event: HeardEvent): void {
    for (const onEvent of this.#subscribers) {
      try {
        onEvent(event)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}

/** A payload that we cannot read (a newer version's, a stranger's) is an event missed. */
function decode(payload: string): HeardEvent {
  try {
    return schema.parse(JSON.parse(payload))
  } catch {
    return gap
  }
}
