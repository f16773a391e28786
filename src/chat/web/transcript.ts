/**
 * The one hand that writes the playground's messages: every row and the event that tells of it
 * commit together, so that every open page shows what a restart would find.
 */
import { publish } from '../../queue/events.ts'
import { type Database, inTransaction, type Transaction } from '../../store/prisma.ts'
import {
  deleteWebMessage,
  insertWebMessage,
  type NewWebMessage,
  upsertWebMessage,
  type WebMessage,
} from '../../store/web-messages.ts'
import type { DemoGuild } from './place.ts'
import type { Content } from './views.ts'

/** A message to write. */
export type Written = Omit<NewWebMessage, 'guild' | 'content' | 'nowMs'> & {
  readonly content: Content
}

/** Writes messages. */
export class Transcript {
  readonly #database: Database
  readonly #now: () => number

  constructor(database: Database, now: () => number) {
    this.#database = database
    this.#now = now
  }

  /** Adds messages, all or none; one whose nonce is there already stays as it is. */
  async add(guild: DemoGuild, messages: readonly Written[]): Promise<WebMessage[]> {
    return inTransaction(this.#database, async (transaction) => {
      const stored: WebMessage[] = []
      for (const written of messages) {
        const nowMs = this.#now()
        const { message, isNew } = await insertWebMessage(transaction, { ...written, guild, nowMs })
        if (isNew) await tell(guild, message.id, transaction)
        stored.push(message)
      }
      return stored
    })
  }

  /** Adds a message, or changes the one of its nonce; not at all once the signal is aborted. */
  async put(
    guild: DemoGuild,
    written: Written & { readonly nonce: string },
    signal: AbortSignal,
  ): Promise<WebMessage> {
    return inTransaction(this.#database, async (transaction) => {
      const nowMs = this.#now()
      const message = await upsertWebMessage(transaction, { ...written, guild, nowMs })
      await tell(guild, message.id, transaction)
      signal.throwIfAborted()
      return message
    })
  }

  /** Deletes what a message says. */
  async remove(guild: DemoGuild, id: string): Promise<void> {
    await inTransaction(this.#database, async (transaction) => {
      const isNews = await deleteWebMessage(transaction, guild, id, this.#now())
      if (isNews) await tell(guild, id, transaction)
    })
  }
}

async function tell(guild: DemoGuild, id: string, transaction: Transaction): Promise<void> {
  await publish({ type: 'message', guild: guild.id, id }, transaction)
}
