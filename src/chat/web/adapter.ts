/**
 * The playground as a platform: a job's message is a row, which every open page hears of. Its place
 * is a guild, a channel, who asked and the message that it answers.
 */
import { z } from 'zod'
import type { ReplyTo } from '../../store/jobs.ts'
import { isAway, isOrphan } from '../../store/prisma.ts'
import { type Adapter, DeliveryError, type Showing } from '../adapter.ts'
import type { Message } from '../message.ts'
import type { DemoGuild, Place, Visitor } from './place.ts'
import type { Transcript } from './transcript.ts'
import { nonces } from './views.ts'

/** How long a database takes to come back, at best. */
const retryAfterMs = 2_000

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
  readonly #place: Place
  readonly #transcript: Transcript

  constructor(place: Place, transcript: Transcript) {
    this.#place = place
    this.#transcript = transcript
  }

  /** @throws {DeliveryError} gone, for a guild that there is not (any more); later */
  async show(place: ReplyTo, { file, ...content }: Message, showing: Showing): Promise<ReplyTo> {
    if (file !== undefined) throw new Error('internal: a job has no file')
    const { nonce, visibleTo, signal } = showing
    const { guild, at } = this.#find(place)
    const written = {
      channel: at.channel,
      nonce: nonces.job(nonce),
      content,
      ...(visibleTo !== undefined && { visibleTo }),
      ...(at.message !== undefined && { replyToId: at.message }),
    }
    const { id } = await this.#transcript.put(guild, written, signal).catch((error: unknown) => {
      throw asDelivery(error, signal)
    })
    return { message: id }
  }

  /** @throws {DeliveryError} gone, for a guild that there is not; later */
  async remove(place: ReplyTo, shown: ReplyTo): Promise<void> {
    const { guild } = this.#find(place)
    const { message } = shownSchema.parse(shown)
    await this.#transcript.remove(guild, message).catch((error: unknown) => {
      throw asDelivery(error)
    })
  }

  #find(place: ReplyTo): { guild: DemoGuild; at: z.infer<typeof placeSchema> } {
    const at = placeSchema.safeParse(place).data
    const guild = at && this.#place.guild(at.guild)
    if (!at || !guild) throw new DeliveryError('gone')
    return { guild, at }
  }
}

/** What an error means to whoever delivers; a broken promise of ours stays one. */
function asDelivery(error: unknown, signal?: AbortSignal): unknown {
  if (isOrphan(error)) return new DeliveryError('gone', 0, { cause: error })
  const isLater = isAway(error) || signal?.aborted === true
  return isLater ? new DeliveryError('later', retryAfterMs, { cause: error }) : error
}
