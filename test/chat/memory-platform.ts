/**
 * A small chat platform in memory with an adapter as a real one would be: channels of messages that
 * can be closed, be slow, and refuse. The house sees it as a third party.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Adapter, DeliveryError, type Showing } from '../../src/chat/adapter.ts'
import type { Message } from '../../src/chat/message.ts'
import type { ReplyTo } from '../../src/store/jobs.ts'

/** A message on the platform; `edits` counts how often it was changed. */
export type PostedMessage = {
  readonly id: number
  readonly nonce: string
  readonly visibleTo: string | undefined
  message: Message
  edits: number
  /** Every text that it had, in order. */
  readonly history: string[]
}

/** What a channel does to whoever writes into it. */
export type Channel = {
  readonly messages: PostedMessage[]
  isClosed: boolean
  /** How long a call takes. */
  delayMs: number
  /** How the next calls fail. */
  readonly refusals: DeliveryError[]
}

/** The platform. */
export class MemoryPlatform {
  readonly #channels = new Map<string, Channel>()
  #lastId = 0
  /** Calls of `show` that were made, failed ones too. */
  calls = 0

  readonly adapter: Adapter = {
    platform: 'discord',
    show: (place, message, showing) => this.#show(place, message, showing),
    remove: async (place, shown) => {
      const { messages } = this.channel(place)
      const at = messages.findIndex(({ id }) => id === shown.message)
      if (at >= 0) messages.splice(at, 1)
    },
  }

  /** The channel of a place, made when it is first named. */
  channel({ channel }: ReplyTo): Channel {
    const name = String(channel)
    const known = this.#channels.get(name)
    if (known) return known
    const made: Channel = { messages: [], isClosed: false, delayMs: 0, refusals: [] }
    this.#channels.set(name, made)
    return made
  }

  async #show(place: ReplyTo, message: Message, showing: Showing): Promise<ReplyTo> {
    this.calls += 1
    const { messages, isClosed, delayMs, refusals } = this.channel(place)
    if (delayMs > 0) await sleep(delayMs)
    const refusal = refusals.shift()
    if (refusal) throw refusal
    if (isClosed) throw new DeliveryError('gone')
    const { nonce, shown, visibleTo } = showing
    const known = messages.find(({ id, nonce: said }) => id === shown?.message || said === nonce)
    if (known) {
      known.message = message
      known.edits += 1
      known.history.push(message.text)
      return { channel: place.channel ?? null, message: known.id }
    }
    const id = (this.#lastId += 1)
    messages.push({ id, nonce, visibleTo, message, edits: 0, history: [message.text] })
    return { channel: place.channel ?? null, message: id }
  }
}
