/** Styles of a guild's own as rows; the presets come with the locales. */
import type { Style } from '../core/style.ts'
import type { Style as StyleRow } from './generated/client.ts'
import type { StoredGuild } from './guilds.ts'
import type { Database, Transaction } from './prisma.ts'

/** The styles that a guild has added, by name. */
export async function stylesOf(
  database: Database | Transaction,
  guild: Pick<StoredGuild, 'row'>,
): Promise<Style[]> {
  const rows = await database.style.findMany({
    where: { guildId: guild.row },
    orderBy: { name: 'asc' },
  })
  return rows.map(readStyle)
}

/** Adds a style as `checkedStyle` gives it, in place of one of that name, which is given back. */
export async function addStyle(
  transaction: Transaction,
  guild: Pick<StoredGuild, 'row'>,
  { name, template, negativePrompt = '' }: Style,
): Promise<Style | undefined> {
  const where = { guildId_name: { guildId: guild.row, name } }
  const earlier = await transaction.style.findUnique({ where })
  const looks = { prompt: template, negativePrompt }
  await transaction.style.upsert({
    where,
    create: { guildId: guild.row, name, ...looks },
    update: looks,
  })
  return earlier ? readStyle(earlier) : undefined
}

/** Removes a style and gives it back; undefined if there was none. */
export async function removeStyle(
  transaction: Transaction,
  guild: Pick<StoredGuild, 'row'>,
  name: string,
): Promise<Style | undefined> {
  const where = { guildId_name: { guildId: guild.row, name } }
  const earlier = await transaction.style.findUnique({ where })
  if (!earlier) return undefined
  await transaction.style.delete({ where })
  return readStyle(earlier)
}

function readStyle({ name, prompt, negativePrompt }: StyleRow): Style {
  return { name, template: prompt, ...(negativePrompt !== '' && { negativePrompt }) }
}
