/**
 * Guilds' word lists, made ready: kept for a moment, since a guild that draws a lot would have the
 * same thousand words read and built twenty times a second. A change made in this process holds at
 * once, one made in another within `keptMs`.
 */
import { WordList } from '../core/moderation.ts'
import { type StoredGuild, wordsOf } from '../store/guilds.ts'
import type { Database } from '../store/prisma.ts'

/** How long a list is taken for what the database says. */
export const keptMs = 2_000

const mostGuilds = 500

type Kept = { readonly list: Promise<WordList>; readonly sinceMs: number }

/** Of each database, lists by the row of their guild, oldest first. */
const listsOf = new WeakMap<Database, Map<number, Kept>>()

/** The words that a guild does not draw. */
export async function wordListOf(
  database: Database,
  guild: StoredGuild,
  nowMs: number,
): Promise<WordList> {
  const lists = listsOf.get(database) ?? new Map<number, Kept>()
  listsOf.set(database, lists)
  const kept = lists.get(guild.row)
  if (kept && nowMs >= kept.sinceMs && nowMs - kept.sinceMs < keptMs) return kept.list
  const list = wordsOf(database, guild).then((words) => new WordList(words))
  const [oldest] = lists.keys()
  if (lists.size >= mostGuilds && oldest !== undefined) lists.delete(oldest)
  lists.delete(guild.row)
  lists.set(guild.row, { list, sinceMs: nowMs })
  try {
    return await list
  } catch (error) {
    forgetWords(database, guild)
    throw error
  }
}

/** Has a guild's list read anew; to be called when a change of it has been committed. */
export function forgetWords(database: Database, { row }: Pick<StoredGuild, 'row'>): void {
  listsOf.get(database)?.delete(row)
}
