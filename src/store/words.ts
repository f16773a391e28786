/** Word lists of guilds, changed; `guilds.ts` reads them. */
import type { StoredGuild } from './guilds.ts'
import type { Transaction } from './prisma.ts'

/** How many words a guild's list has. */
export async function countWords(
  transaction: Transaction,
  guild: Pick<StoredGuild, 'row'>,
): Promise<number> {
  return transaction.word.count({ where: { guildId: guild.row } })
}

/** Adds a word as `checkedWord` gives it. @returns false if it was there */
export async function addWord(
  transaction: Transaction,
  guild: Pick<StoredGuild, 'row'>,
  word: string,
): Promise<boolean> {
  const { count } = await transaction.word.createMany({
    data: [{ guildId: guild.row, word }],
    skipDuplicates: true,
  })
  return count === 1
}

/** Takes a word off the list. @returns false if it was not there */
export async function removeWord(
  transaction: Transaction,
  guild: Pick<StoredGuild, 'row'>,
  word: string,
): Promise<boolean> {
  const { count } = await transaction.word.deleteMany({ where: { guildId: guild.row, word } })
  return count === 1
}
