/**
 * What the page asks, checked before any work: nothing but these names, in these forms and lengths.
 * Whether there is such a guild, message or picture is looked up afterwards.
 */
import { z } from 'zod'
import { textLimit as mostRead } from '../../core/flag-text.ts'
import type { Place, Visitor } from './place.ts'
import { placeName } from './place.ts'
import { localeName, Refused } from './refusal.ts'

/** 20 MiB of picture as base64, and the words beside it. */
export const bodyLimitBytes = 28 * 2 ** 20

/** The longest text, in UTF-16 units; how much of it a command takes is the router's to say. */
const textLimit = 8_000
const mostFields = 25

/** Careful: Postgres keeps neither a null character nor half of a pair in JSON. */
const textOf = (least: number, most: number) =>
  z
    .string()
    .min(least)
    .max(most)
    .transform((text) => text.replaceAll('\u0000', '').toWellFormed())
const messageId = z.string().regex(/^\d{1,18}$/)
/** What is typed: words that are too long are no mistake of the page. */
const typed = z.string().transform((text) => {
  if (text.length > textLimit) throw new Refused(400, 'web.text-too-long', { limit: mostRead })
  return text.replaceAll('\u0000', '').toWellFormed()
})
const nonce = z.string().regex(/^[A-Za-z0-9-]{1,64}$/)
const at = {
  guild: placeName,
  channel: placeName,
  member: placeName,
  locale: localeName.exactOptional(),
}
const attachment = {
  fileName: textOf(1, 255),
  base64: z.base64().min(4),
}

/** Only a locale. */
export const anyRequest = z.strictObject({ locale: localeName.exactOptional() })

/** A page of a channel. */
export const pageRequest = z.strictObject({ ...at, before: messageId.exactOptional() })

/** A stream of what happens in a channel. */
export const streamRequest = z.strictObject(at)

/** How things stand for a member. */
export const statusRequest = z.strictObject({
  guild: placeName,
  member: placeName,
  locale: localeName.exactOptional(),
})

/** What may be meant by what was typed so far. */
export const completionRequest = z.strictObject({
  kind: z.enum(['style', 'job', 'member', 'role', 'channel']),
  guild: placeName,
  member: placeName,
  prefix: z.string().max(100).default(''),
  locale: localeName.exactOptional(),
})

/** Something said. */
export const sayRequest = z.strictObject({
  ...at,
  nonce,
  text: typed,
  replyToId: messageId.exactOptional(),
  /** Which picture of the message that is answered. */
  picture: z.int().min(1).max(25).exactOptional(),
  attachments: z.array(z.strictObject(attachment)).max(4).default([]),
})

/** A button pressed, or its form filled in. */
export const pressRequest = z.strictObject({
  ...at,
  nonce,
  messageId: messageId.exactOptional(),
  action: z.string().min(1).max(100),
  fields: z
    .record(
      z.string().regex(/^[a-z][a-zA-Z-]{0,31}$/),
      z.union([textOf(0, textLimit), z.number(), z.boolean()]),
    )
    .refine((fields) => Object.keys(fields).length <= mostFields)
    .default({}),
  attachments: z
    .array(z.strictObject({ ...attachment, field: z.string().regex(/^[a-z][a-zA-Z-]{0,31}$/) }))
    .max(4)
    .default([]),
})

/** Who asks, by names of the place. @throws {Refused} place-unknown */
export function visitorOf(
  place: Place,
  { guild, channel, member }: { guild: string; channel?: string; member: string },
): Visitor {
  const found = place.find({
    guild,
    // Where a request is about no channel, any will do.
    channel: channel ?? place.guild(guild)?.channels[0]?.id ?? '',
    member,
  })
  if (!found) throw new Refused(404, 'web.place-unknown')
  return found
}
