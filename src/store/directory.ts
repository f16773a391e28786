/**
 * Who is who in one guild, for those who moderate it: members by the platform's id or by the name
 * that the platform shows. Whoever belongs to another guild is nobody here.
 */
import { readMember, type StoredGuild, type StoredMember } from './guilds.ts'
import type { Member as MemberRow } from './generated/client.ts'
import type { Database, Transaction } from './prisma.ts'

/** A member, and how the platform shows them; by the id where it does not. */
export type KnownMember = StoredMember & { readonly name: string }

const mostNames = 200

/** The member whose id it is, or whose name it is in any case, if it is nobody else's too. */
export async function lookUpMember(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
  idOrName: string,
): Promise<KnownMember | undefined> {
  const where = { guildId_platformId: { guildId: guild.row, platformId: idOrName } }
  const row = await database.member.findUnique({ where })
  if (row) return readKnown(row)
  const named = await database.member.findMany({
    where: { guildId: guild.row, name: { equals: idOrName, mode: 'insensitive' } },
    take: 2,
  })
  return named.length === 1 ? readKnown(named[0]!) : undefined
}

/** Names of those who were here last, for a guess at whom somebody meant. */
export async function latestNames(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
): Promise<string[]> {
  const rows = await database.member.findMany({
    where: { guildId: guild.row },
    orderBy: { id: 'desc' },
    take: mostNames,
  })
  return rows.map((row) => readKnown(row).name)
}

/** Names by the platform's id; whoever has none here is called by their id. */
export async function namesOf(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
  ids: readonly string[],
): Promise<(id: string) => string> {
  const rows = await database.member.findMany({
    where: { guildId: guild.row, platformId: { in: [...new Set(ids)] } },
  })
  const names = new Map(rows.map((row) => [row.platformId, readKnown(row).name]))
  return (id) => names.get(id) ?? id
}

function readKnown(row: MemberRow): KnownMember {
  return { ...readMember(row), name: row.name ?? row.platformId }
}
