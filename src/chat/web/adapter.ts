/**
 * The playground as a platform: a job's message is a row, which every open page hears of. Its place
 * is a guild, a channel, who asked and the message that it answers.
 */
import { z } from 'zod'
import { findJob, type ReplyTo } from '../../store/jobs.ts'
import type { Database } from '../../store/prisma.ts'
import { type Adapter, DeliveryError, type Showing } from '../adapter.ts'
import type { Message } from '../message.ts'
import type { DemoGuild, Place, Visitor } from './place.ts'
import type { Transcript } from './transcript.ts'
import { nonces } from './views.ts'

const messageId = z.string().regex(/^\d{1,18}$/)
const placeSchema = z.object({
  guild: z.string(),
  channel: z.string(),
  member: z.string(),
  message: messageId.exactOptional(),
})
const shownSchema = z.object({ message: messageId })

/** Where the answer to a visitor goes; `message` is what they said, if they said something. */
export function replyToOf({ guild, channel, member }: Visitor, message?: string): ReplyTo {
  const at = { guild: guild.id, channel: channel.id, member: member.id }
  return message === undefined ? at : { ...at, message }
}

/** Shows jobs' messages in the playground. */
export class WebAdapter implements Adapter {
  readonly platform = 'web'
  readonly #database: Database
  readonly #place: Place
  readonly #transcript: Transcript

  constructor(database: Database, place: Place, transcript: Transcript) {
    this.#database = database
    this.#place = place
    this.#transcript = transcript
  }

  /** @throws {DeliveryError} gone, for a place that the playground does not have */
  async show(place: ReplyTo, { file, ...content }: Message, showing: Showing): Promise<ReplyTo> {
    if (file !== undefined) throw new Error('internal: a job has no file')
    const { guild, at } = this.#find(place)
    const job = await findJob(this.#database, showing.nonce)
    const { id } = await this.#transcript.put(guild, {
      channel: at.channel,
      nonce: nonces.job(showing.nonce),
      content,
      ...(job?.spec.isPrivate && { visibleTo: at.member }),
      ...(at.message !== undefined && { replyToId: at.message }),
    })
    return { message: id }
  }

  /** @throws {DeliveryError} gone, for a place that the playground does not have */
  async remove(place: ReplyTo, shown: ReplyTo): Promise<void> {
    const { guild } = this.#find(place)
    await this.#transcript.remove(guild, shownSchema.parse(shown).message)
  }

  #find(place: ReplyTo): { guild: DemoGuild; at: z.infer<typeof placeSchema> } {
    const at = placeSchema.safeParse(place).data
    const guild = at && this.#place.guild(at.guild)
    if (!at || !guild) throw new DeliveryError('gone')
    return { guild, at }
  }
}
