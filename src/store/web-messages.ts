/**
 * The playground's messages as rows: what members typed and what the bot said. What exists only once
 * has a nonce. A message that is meant for one member is read by nobody else; of a deleted one
 * nothing is left but that it was there.
 */
import type { Prisma, WebMessage as Row } from './generated/client.ts'
import type { StoredGuild } from './guilds.ts'
import type { Database, Transaction } from './prisma.ts'

/** A message; members are platform ids. */
export type WebMessage = {
  /** A whole number that only grows. */
  readonly id: string
  /** The number of its guild's row. */
  readonly guildRow: number
  readonly channel: string
  /** None: the bot. */
  readonly author: string | undefined
  /** Who alone sees it; none: everyone. */
  readonly visibleTo: string | undefined
  readonly nonce: string | undefined
  readonly replyToId: string | undefined
  /** As it was stored; empty once it is deleted. */
  readonly content: unknown
  readonly createdAtMs: number
  readonly editedAtMs: number | undefined
  readonly isDeleted: boolean
}

/** A message about to be stored. */
export type NewWebMessage = {
  readonly guild: Pick<StoredGuild, 'row'>
  readonly channel: string
  readonly author?: string
  readonly visibleTo?: string
  readonly nonce?: string
  /** One that is gone is left out. */
  readonly replyToId?: string
  readonly content: Prisma.InputJsonObject
  readonly nowMs: number
}

/** Who looks at what part of a channel. */
export type PageRequest = {
  readonly guild: Pick<StoredGuild, 'row'>
  readonly channel: string
  readonly member: string
  /** Only messages that are older than this one. */
  readonly before?: string
  readonly limit: number
}

/** Stores a message, unless there is one with its nonce: then that one is given back. */
export async function insertWebMessage(
  transaction: Transaction,
  message: NewWebMessage,
): Promise<{ readonly message: WebMessage; readonly isNew: boolean }> {
  const { guild, channel, author, visibleTo, nonce, content, nowMs } = message
  const replyToId = await existing(transaction, message)
  const [row] = await transaction.webMessage.createManyAndReturn({
    data: [
      {
        guildId: guild.row,
        channel,
        author: author ?? null,
        visibleTo: visibleTo ?? null,
        nonce: nonce ?? null,
        replyToId,
        content,
        createdAt: new Date(nowMs),
      },
    ],
    skipDuplicates: true,
  })
  if (row) return { message: read(row), isNew: true }
  if (nonce === undefined) throw new Error('internal: a message without a nonce was not stored')
  const known = await transaction.webMessage.findUniqueOrThrow({
    where: { guildId_nonce: { guildId: guild.row, nonce } },
  })
  return { message: read(known), isNew: false }
}

/** Stores a message, or puts its content in place of that of the message with its nonce. */
export async function upsertWebMessage(
  transaction: Transaction,
  message: NewWebMessage & { readonly nonce: string },
): Promise<WebMessage> {
  const { message: stored, isNew } = await insertWebMessage(transaction, message)
  if (isNew) return stored
  const row = await transaction.webMessage.update({
    where: { id: BigInt(stored.id) },
    data: { content: message.content, editedAt: new Date(message.nowMs) },
  })
  return read(row)
}

/**
 * Deletes what a message says. Its nonce is free again.
 *
 * @returns false if there is no such message in this guild, or it was deleted before
 */
export async function deleteWebMessage(
  transaction: Transaction,
  guild: Pick<StoredGuild, 'row'>,
  id: string,
  nowMs: number,
): Promise<boolean> {
  const { count } = await transaction.webMessage.updateMany({
    where: { id: BigInt(id), guildId: guild.row, deletedAt: null },
    data: { content: {}, nonce: null, deletedAt: new Date(nowMs) },
  })
  return count === 1
}

/** The messages of these ids that exist, oldest first. */
export async function findWebMessages(
  database: Database | Transaction,
  ids: readonly string[],
): Promise<WebMessage[]> {
  const rows = await database.webMessage.findMany({
    where: { id: { in: ids.map(BigInt) } },
    orderBy: { id: 'asc' },
  })
  return rows.map(read)
}

/** The messages of a guild that exist for one of these nonces, oldest first. */
export async function findByNonces(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
  nonces: readonly string[],
): Promise<WebMessage[]> {
  const rows = await database.webMessage.findMany({
    where: { guildId: guild.row, nonce: { in: [...nonces] } },
    orderBy: { id: 'asc' },
  })
  return rows.map(read)
}

/** The newest messages of a channel that a member may see, oldest first. */
export async function pageOfChannel(
  database: Database,
  { guild, channel, member, before, limit }: PageRequest,
): Promise<{ readonly messages: WebMessage[]; readonly hasMore: boolean }> {
  const rows = await database.webMessage.findMany({
    where: {
      guildId: guild.row,
      channel,
      OR: [{ visibleTo: null }, { visibleTo: member }],
      ...(before !== undefined && { id: { lt: BigInt(before) } }),
    },
    orderBy: { id: 'desc' },
    take: limit + 1,
  })
  return { messages: rows.slice(0, limit).map(read).toReversed(), hasMore: rows.length > limit }
}

/** The message that is answered, if it is there, in this guild. */
async function existing(
  transaction: Transaction,
  { guild, replyToId }: NewWebMessage,
): Promise<bigint | null> {
  if (replyToId === undefined) return null
  const where = { id: BigInt(replyToId), guildId: guild.row }
  return (await transaction.webMessage.findFirst({ where, select: { id: true } }))?.id ?? null
}

function read(row: Row): WebMessage {
  return {
    id: String(row.id),
    guildRow: row.guildId,
    channel: row.channel,
    author: row.author ?? undefined,
    visibleTo: row.visibleTo ?? undefined,
    nonce: row.nonce ?? undefined,
    replyToId: row.replyToId === null ? undefined : String(row.replyToId),
    content: row.content,
    createdAtMs: row.createdAt.getTime(),
    editedAtMs: row.editedAt?.getTime(),
    isDeleted: row.deletedAt !== null,
  }
}
