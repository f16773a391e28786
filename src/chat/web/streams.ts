/**
 * Open pages, each a stream of Server-Sent Events: messages as they are written anywhere, and how
 * things stand when that has changed. A page that lost its line says what it heard last and gets what
 * it missed, as long as that is remembered; else it is told to read again, as it is at its first
 * line and whenever this process may have missed something itself.
 * Source: HTML Living Standard, 9.2 Server-sent events.
 */
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { Log } from '../../log.ts'
import type { HeardEvent, JobEvents } from '../../queue/events.ts'
import type { Database } from '../../store/prisma.ts'
import { findWebMessages, type WebMessage } from '../../store/web-messages.ts'
import type { Locale } from '../i18n.ts'
import type { Visitor } from './place.ts'
import { Refused, speaker } from './refusal.ts'
import { viewOf } from './views.ts'

/** What streams are made of. */
export type StreamOptions = {
  readonly database: Database
  readonly events: Pick<JobEvents, 'subscribe'>
  /** How things stand for whoever looks, as JSON. */
  readonly statusOf: (visitor: Visitor, locale: Locale) => Promise<unknown>
  readonly log: Pick<Log, 'error'>
}

/** Where a page stands and what it heard last. */
export type Listening = {
  readonly visitor: Visitor
  readonly locale: Locale
  readonly lastEventId: string | undefined
}

type Stream = Omit<Listening, 'lastEventId'> & {
  readonly response: ServerResponse
  /** The status that the page has. */
  status: string
}

/** Something that happened to a message, for those who come back. */
type Heard = { readonly sequence: number; readonly id: string }

const mostStreams = 100
const mostRemembered = 1_000
const heartbeatMs = 15_000
const statusMs = 1_000
const retryMs = 1_000
/** A page that reads slower than this much behind has lost its line. */
const mostUnreadBytes = 2 ** 20

/** The open pages of this process. */
export class Streams {
  readonly #options: StreamOptions
  readonly #streams = new Set<Stream>()
  readonly #unsubscribe: () => void
  readonly #timers: readonly NodeJS.Timeout[]
  /** Names of events begin with it: those of another process mean nothing here. */
  readonly #epoch = randomBytes(6).toString('hex')
  /** Consecutive, the newest last. */
  #remembered: Heard[] = []
  #sequence = 0
  readonly #pending = new Set<string>()
  /** One thing at a time, or an older row could be sent after a newer one. */
  #turn: Promise<void> = Promise.resolve()
  #isTelling = false

  constructor(options: StreamOptions) {
    this.#options = options
    this.#unsubscribe = options.events.subscribe((event) => this.#hear(event))
    this.#timers = [
      setInterval(() => this.#beat(), heartbeatMs),
      setInterval(() => void this.#tellStatus(), statusMs),
    ]
  }

  /** Whether one more page finds a place. @throws {Refused} streams-full */
  checkRoom(): void {
    if (this.#streams.size >= mostStreams) throw new Refused(503, 'web.streams-full')
  }

  /** Tells a page what happens from here on, and what it has missed; `response` has its head. */
  open(response: ServerResponse, { visitor, locale, lastEventId }: Listening): void {
    const stream: Stream = { visitor, locale, response, status: '' }
    response.once('close', () => this.#streams.delete(stream))
    this.#streams.add(stream)
    response.write(`retry: ${retryMs}\n\n`)
    this.#enqueue(async () => {
      const missed = this.#missedSince(lastEventId)
      if (missed === undefined) return this.#sendResync(stream)
      for (const message of await this.#read(missed)) this.#send(stream, message)
      // Careful: only now; a line that is lost halfway has not heard it all.
      this.#write(stream, `id: ${this.#eventId}\n\n`)
    })
    void this.#tellStatus()
  }

  /** Ends every stream. */
  async close(): Promise<void> {
    this.#unsubscribe()
    for (const timer of this.#timers) clearInterval(timer)
    for (const { response } of this.#streams) response.destroy()
    await this.#turn
  }

  #hear(event: HeardEvent): void {
    if (event.type === 'gap') this.#enqueue(async () => this.#forget())
    if (event.type !== 'message') return
    this.#pending.add(event.id)
    this.#enqueue(() => this.#tellPending())
  }

  #enqueue(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch((error: unknown) => {
      // What was to be told is not known any more.
      this.#log(error)
      this.#forget()
    })
  }

  /** Everyone reads again. */
  #forget(): void {
    this.#remembered = []
    this.#sequence += 1
    for (const stream of this.#streams) this.#sendResync(stream)
  }

  async #tellPending(): Promise<void> {
    const ids = [...this.#pending]
    this.#pending.clear()
    if (ids.length === 0) return
    const messages = await this.#read(ids)
    for (const message of messages) {
      this.#sequence += 1
      this.#remembered.push({ sequence: this.#sequence, id: message.id })
      for (const stream of this.#streams) this.#send(stream, message, `id: ${this.#eventId}\n`)
    }
    this.#remembered = this.#remembered.slice(-mostRemembered)
  }

  async #read(ids: readonly string[]): Promise<WebMessage[]> {
    return ids.length === 0 ? [] : findWebMessages(this.#options.database, ids)
  }

  /** Messages that something happened to since then; undefined if that is not known. */
  #missedSince(lastEventId: string | undefined): string[] | undefined {
    const [epoch, sequence] = lastEventId?.split('-') ?? []
    if (epoch !== this.#epoch || !/^\d{1,15}$/.test(sequence ?? '')) return undefined
    const last = Number(sequence)
    const first = this.#remembered[0]?.sequence ?? this.#sequence + 1
    if (last < first - 1 || last > this.#sequence) return undefined
    const missed = this.#remembered.filter((heard) => heard.sequence > last)
    return [...new Set(missed.map(({ id }) => id))]
  }

  #send(stream: Stream, message: WebMessage, id: string = ''): void {
    const { guild, channel, member } = stream.visitor
    const { visibleTo } = message
    const isThere = message.guildRow === guild.row && message.channel === channel.id
    if (!isThere || (visibleTo !== undefined && visibleTo !== member.id)) return
    const view = viewOf(message, guild, speaker(stream.locale))
    this.#write(stream, `${id}event: message\ndata: ${JSON.stringify(view)}\n\n`)
  }

  #sendResync(stream: Stream): void {
    this.#write(stream, `id: ${this.#eventId}\nevent: resync\ndata: null\n\n`)
  }

  get #eventId(): string {
    return `${this.#epoch}-${this.#sequence}`
  }

  #beat(): void {
    for (const stream of this.#streams) this.#write(stream, ': still here\n\n')
  }

  /** Tells those whose status has changed; one look serves all who see the same. */
  async #tellStatus(): Promise<void> {
    if (this.#isTelling || this.#streams.size === 0) return
    this.#isTelling = true
    try {
      const looks = Map.groupBy(this.#streams, ({ visitor: { guild, member }, locale }) =>
        [guild.id, member.id, locale].join(),
      )
      for (const streams of looks.values()) {
        const { visitor, locale } = streams[0]!
        const status = JSON.stringify(await this.#options.statusOf(visitor, locale))
        for (const stream of streams) {
          if (stream.status === status) continue
          stream.status = status
          this.#write(stream, `event: status\ndata: ${status}\n\n`)
        }
      }
    } catch (error) {
      this.#log(error)
    } finally {
      this.#isTelling = false
    }
  }

  #write({ response }: Stream, text: string): void {
    if (response.destroyed) return
    response.write(text)
    if (response.writableLength > mostUnreadBytes) response.destroy()
  }

  #log(error: unknown): void {
    this.#options.log.error({ error }, 'open pages could not be told')
  }
}
