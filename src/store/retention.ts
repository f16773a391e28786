/**
 * What leaves the rows with time: names of pictures that have had their days, previews of work that is
 * over, guilds that removed the bot long ago. Pictures themselves go when no row names them any more.
 */
import { findGuilds, type StoredGuild } from './guilds.ts'
import type { Database } from './prisma.ts'

const guildsAtOnce = 200
const jobsAtOnce = 1_000

/** All guilds, in the order of their rows. */
export async function* everyGuild(
  database: Database,
): AsyncGenerator<StoredGuild, void, undefined> {
  for (let last = 0; ;) {
    const rows = await database.guild.findMany({
      where: { id: { gt: last } },
      orderBy: { id: 'asc' },
      take: guildsAtOnce,
      select: { id: true },
    })
    if (rows.length === 0) return
    const ids = rows.map(({ id }) => id)
    yield* await findGuilds(database, ids)
    last = ids.at(-1)!
  }
}

/**
 * Lets jobs of a guild that had ended before a time forget their pictures; everything else about them
 * stays. Kept with their pictures: favourites, and what a report is open about.
 *
 * @returns how many jobs forgot theirs
 */
export async function forgetPictures(
  database: Database,
  guild: { readonly row: number },
  beforeMs: number,
): Promise<number> {
  const before = new Date(beforeMs)
  for (let forgotten = 0; ;) {
    const count = await database.$executeRaw`
      UPDATE jobs SET result_keys = '{}', input_keys = '{}' WHERE id IN (
        SELECT id FROM jobs
        WHERE guild_id = ${guild.row} AND created_at < ${before} AND settled_at < ${before}
          AND input_keys || result_keys <> '{}'
          AND NOT EXISTS (SELECT 1 FROM favourites WHERE job_id = jobs.id)
          AND NOT EXISTS (SELECT 1 FROM reports WHERE job_id = jobs.id AND state = 'open')
        LIMIT ${jobsAtOnce})`
    forgotten += count
    if (count < jobsAtOnce) return forgotten
  }
}

/** Those of some keys that a job names. */
export async function keysOfJobs(
  database: Database,
  keys: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await database.$queryRaw<{ key: string }[]>`
    SELECT key FROM unnest(${[...keys]}::text[]) AS key
    WHERE EXISTS (SELECT 1 FROM jobs WHERE result_keys @> ARRAY[key])
       OR EXISTS (SELECT 1 FROM jobs WHERE input_keys @> ARRAY[key])`
  return new Set(rows.map(({ key }) => key))
}

/** Keys of the pictures in what was said in a guild of the playground since a time. */
export async function keysOfTalk(
  database: Database,
  guild: { readonly row: number },
  sinceMs: number,
): Promise<string[]> {
  const rows = await database.$queryRaw<{ key: string }[]>`
    SELECT DISTINCT match[1] AS key
    FROM web_messages, regexp_matches(content::text, '([0-9a-f]{64}\\.(?:png|jpg|webp))', 'g') AS match
    WHERE guild_id = ${guild.row} AND created_at >= ${new Date(sinceMs)} AND deleted_at IS NULL`
  return rows.map(({ key }) => key)
}

/** Deletes previews of jobs that have ended, and those that nobody has renewed since a time. */
export async function deleteOldPreviews(database: Database, beforeMs: number): Promise<number> {
  const { count } = await database.preview.deleteMany({
    where: {
      OR: [{ updatedAt: { lt: new Date(beforeMs) } }, { job: { settledAt: { not: null } } }],
    },
  })
  return count
}

/**
 * Deletes the guilds that removed the bot before a time, and with them every row that is theirs. What
 * stays is a note of it, for whoever asks whether it was done.
 */
export async function purgeGuilds(
  database: Database,
  { beforeMs, nowMs }: { readonly beforeMs: number; readonly nowMs: number },
): Promise<number> {
  const removedAt = { lt: new Date(beforeMs) }
  const guilds = await database.guild.findMany({ where: { removedAt } })
  let purged = 0
  for (const { id, platform, platformId } of guilds) {
    // Careful: one that invited the bot again a moment ago is not gone.
    const { count } = await database.guild.deleteMany({ where: { id, removedAt } })
    if (count === 0) continue
    const facts = { guild: `${platform}:${platformId}` }
    await database.auditEntry.create({
      data: { action: 'guild.purge', facts, createdAt: new Date(nowMs) },
    })
    purged += count
  }
  return purged
}
