/**
 * Guilds and members as rows: found or made when somebody speaks, and what moderators have said
 * about them. Names on other floors are the platforms' own; the numbers of rows stay in the store
 * and with whoever hands them back to it.
 */
import { type Guild, readSettings, type GuildSettings } from '../core/guild.ts'
import type { Guild as GuildRow, Member as MemberRow, Platform } from './generated/client.ts'
import type { Database, Transaction } from './prisma.ts'

/** A guild and the number of its row. */
export type StoredGuild = Guild & { readonly row: number }

/** A member and the number of the row. */
export type StoredMember = {
  readonly row: number
  /** The platform's id. */
  readonly id: string
  /** The platform's roles. */
  readonly roleIds: readonly string[]
  /** The locale that the member has chosen; without it the platform's word holds, then the guild's. */
  readonly locale: string | undefined
  /** A moderator by our own word, whatever the platform says. */
  readonly isModerator: boolean
  /** Others may edit the pictures that this member uploaded. */
  readonly isEditConsented: boolean
  /** What the member's jobs begin with, as it was saved. */
  readonly defaults: Readonly<Record<string, unknown>>
}

/** What is kept about a member because they, or for `isModerator` a moderator, said so. */
export type MemberSettings = {
  readonly locale?: string | undefined
  readonly isModerator?: boolean
  readonly isEditConsented?: boolean
  readonly defaults?: Readonly<Record<string, string | number | boolean>>
}

/** A member who may not draw, until then if there is an end. */
export type StoredBlock = { readonly reason: string; readonly untilMs: number | undefined }

/** Something that a moderator, or a rule in their name, did. */
export type AuditFacts = {
  readonly guild: StoredGuild
  readonly member?: StoredMember
  readonly action: string
  readonly facts: Readonly<Record<string, string | number | boolean>>
  readonly nowMs: number
}

/** The one name of a guild over all platforms: `discord:42`. */
export function guildId(platform: Platform, platformId: string): string {
  return `${platform}:${platformId}`
}

/** The guild that a platform calls so; made with the defaults when it is new. */
export async function ensureGuild(
  database: Database,
  guild: {
    readonly platform: Platform
    readonly platformId: string
    /** Of a guild that is new. */
    readonly locale?: string
    readonly name?: string
  },
): Promise<StoredGuild> {
  const { platform, platformId, locale, name } = guild
  const where = { platform_platformId: { platform, platformId } }
  const known = await database.guild.findUnique({ where })
  if (!known) {
    await database.guild.createMany({
      data: [{ platform, platformId, ...(locale !== undefined && { locale }) }],
      skipDuplicates: true, // Two messages at once may both be the first.
    })
  }
  const isRenamed = name !== undefined && name !== known?.name
  // Where somebody speaks to the bot, the bot is in again.
  if (known && !isRenamed && known.removedAt === null) return readGuild(known)
  const data = { ...(isRenamed && { name }), removedAt: null }
  return readGuild(await database.guild.update({ where, data }))
}

/** How exactly it is known when a member was last seen. */
const seenWithinMs = 3_600_000

/** The guilds of these rows; without those gone. */
export async function findGuilds(
  database: Database | Transaction,
  rows: readonly number[],
): Promise<StoredGuild[]> {
  const found = await database.guild.findMany({ where: { id: { in: [...rows] } } })
  return found.map(readGuild)
}

/** The member that a platform calls so, with the roles that it says they have now. */
export async function ensureMember(
  database: Database,
  guild: StoredGuild,
  member: {
    readonly id: string
    readonly roleIds: readonly string[]
    readonly name?: string
    /** Of their being seen now. */
    readonly nowMs?: number
  },
): Promise<StoredMember> {
  const { id, roleIds, name, nowMs } = member
  const where = { guildId_platformId: { guildId: guild.row, platformId: id } }
  const known = await database.member.findUnique({ where })
  const isSame =
    known?.roleIds.join() === roleIds.join() && (name === undefined || name === known.name)
  const seenMs = known?.seenAt?.getTime() ?? -Infinity
  if (known && isSame && (nowMs === undefined || nowMs - seenMs < seenWithinMs)) {
    return readMember(known)
  }
  if (!known) {
    await database.member.createMany({
      data: [{ guildId: guild.row, platformId: id }],
      skipDuplicates: true,
    })
  }
  const data = {
    roleIds: [...roleIds],
    ...(name !== undefined && { name }),
    ...(nowMs !== undefined && { seenAt: new Date(nowMs) }),
  }
  return readMember(await database.member.update({ where, data }))
}

/** The member that a platform calls so, if they have ever spoken here. */
export async function findMember(
  database: Database | Transaction,
  guild: StoredGuild,
  platformId: string,
): Promise<StoredMember | undefined> {
  const where = { guildId_platformId: { guildId: guild.row, platformId } }
  const row = await database.member.findUnique({ where })
  return row ? readMember(row) : undefined
}

/** Stores what was said of a member's settings; what is absent stays. */
export async function saveMember(
  database: Database | Transaction,
  member: Pick<StoredMember, 'row'>,
  settings: MemberSettings,
): Promise<void> {
  const { locale, isModerator, isEditConsented, defaults } = settings
  await database.member.update({
    where: { id: member.row },
    data: {
      ...('locale' in settings && { locale: locale ?? null }),
      ...(isModerator !== undefined && { roleBits: isModerator ? moderatorBit : 0 }),
      ...(isEditConsented !== undefined && { isEditConsented }),
      ...(defaults !== undefined && { defaults: { ...defaults } }),
    },
  })
}

/**
 * The guild as it is now; whoever else wants to change its settings or lists waits until the
 * transaction ends. Jobs come and go meanwhile.
 */
export async function lockGuild(
  transaction: Transaction,
  { row }: Pick<StoredGuild, 'row'>,
): Promise<StoredGuild> {
  await transaction.$queryRaw`SELECT id FROM guilds WHERE id = ${row} FOR NO KEY UPDATE`
  return readGuild(await transaction.guild.findUniqueOrThrow({ where: { id: row } }))
}

/** Stores the language that a guild is spoken to in. */
export async function saveLocale(
  transaction: Transaction,
  { row }: Pick<StoredGuild, 'row'>,
  locale: string,
): Promise<void> {
  await transaction.guild.update({ where: { id: row }, data: { locale } })
}

/** Stores all settings of a guild. */
export async function saveSettings(
  database: Database | Transaction,
  guild: StoredGuild,
  settings: GuildSettings,
  nowMs: number,
): Promise<void> {
  const { weight, isPaused, pauseReason, ...others } = settings
  const { isPaused: wasPaused } = guild.settings
  await database.guild.update({
    where: { id: guild.row },
    data: {
      weight,
      settings: { ...others },
      ...(isPaused !== wasPaused && { pausedAt: isPaused ? new Date(nowMs) : null }),
      pauseNote: pauseReason || null,
    },
  })
}

/** The block that is on a member now. */
export async function blockOf(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
  member: Pick<StoredMember, 'row'>,
  nowMs: number,
): Promise<StoredBlock | undefined> {
  const block = await database.block.findUnique({
    where: { guildId_memberId: { guildId: guild.row, memberId: member.row } },
  })
  if (!block || (block.until !== null && block.until.getTime() <= nowMs)) return undefined
  return { reason: block.reason, untilMs: block.until?.getTime() }
}

/** The words that a guild does not draw, as they stand in its list. */
export async function wordsOf(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
): Promise<string[]> {
  const rows = await database.word.findMany({
    where: { guildId: guild.row },
    orderBy: { word: 'asc' },
  })
  return rows.map(({ word }) => word)
}

/** Writes down for moderators what was done; never what somebody wanted drawn. */
export async function audit(
  database: Database | Transaction,
  { guild, member, action, facts, nowMs }: AuditFacts,
): Promise<void> {
  await database.auditEntry.create({
    data: {
      guildId: guild.row,
      memberId: member?.row ?? null,
      action,
      facts,
      createdAt: new Date(nowMs),
    },
  })
}

/** The bit of `roleBits` that makes a moderator; there is no other yet. */
const moderatorBit = 1

/** A member out of the row. */
export function readMember(row: MemberRow): StoredMember {
  return {
    row: row.id,
    id: row.platformId,
    roleIds: row.roleIds,
    locale: row.locale ?? undefined,
    isModerator: (row.roleBits & moderatorBit) !== 0,
    isEditConsented: row.isEditConsented,
    defaults: { ...objectOf(row.defaults) },
  }
}

function readGuild(row: GuildRow): StoredGuild {
  const { platform, platformId, locale, settings, limits, weight, pausedAt, pauseNote } = row
  return {
    row: row.id,
    id: guildId(platform, platformId),
    platform,
    locale,
    settings: readSettings({
      ...objectOf(settings),
      ...objectOf(limits),
      weight,
      isPaused: pausedAt !== null,
      pauseReason: pauseNote ?? '',
    }),
  }
}

/** A column of JSON as an object; anything else has no fields. */
export function objectOf(json: unknown): Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null ? { ...json } : {}
}
