/**
 * Guilds that ask for a lot: rows with their caps raised as far as they go, without quotas, and wishes
 * that go through the same admission as everybody's, only not through chat.
 */
import { randomUUID } from 'node:crypto'
import { defaultSettings, settingRanges } from '../../src/core/guild.ts'
import type { JobSpec } from '../../src/core/job-spec.ts'
import { RateLimit } from '../../src/jobs/rate-limit.ts'
import { submit } from '../../src/jobs/submit.ts'
import { ensureGuild, saveSettings } from '../../src/store/guilds.ts'
import { findEmbedded } from '../../src/store/postgres.ts'
import { closeDatabase, type Database, openDatabase } from '../../src/store/prisma.ts'
import { setQuota } from '../../src/store/quota.ts'
import type { House } from './house.ts'

/** A guild of ours; chats do not know it, so nobody shows its jobs. */
export type Community = { readonly name: string; readonly weight: number }

/** What a community wants. */
export type Wish = Pick<JobSpec, 'width' | 'height' | 'count' | 'evaluations'>

/** The database that runs in a house. */
export async function openDatabaseOf(house: House): Promise<Database> {
  const url = await findEmbedded(house.folder)
  if (url === undefined) throw new Error('internal: no database runs in the house')
  return openDatabase(url)
}

/** Asks for pictures in the name of communities. */
export class Asker {
  readonly #database: Database
  readonly #rateLimit = new RateLimit()
  #asked = 0

  constructor(database: Database) {
    this.#database = database
  }

  /** Makes a guild's row, of this weight. */
  async found({ name, weight }: Community): Promise<void> {
    const guild = await ensureGuild(this.#database, { platform: 'discord', platformId: name })
    const most = Object.fromEntries(
      (['memberQueued', 'guildQueued', 'memberPerMinute', 'guildPerMinute'] as const).map((cap) => [
        cap,
        settingRanges[cap].most,
      ]),
    )
    const settings = { ...defaultSettings, ...most, weight, hasPreviews: false }
    await saveSettings(this.#database, guild, settings, Date.now())
    await setQuota(this.#database, guild, { scope: 'everyone' }, null)
  }

  /** One more wish of a member of a guild. @returns the job's id */
  async ask(community: Community, wish: Wish, member = 'only'): Promise<string> {
    const seed = this.#asked++
    const { job } = await submit(
      {
        database: this.#database,
        rateLimit: this.#rateLimit,
        predictWaitMs: () => 0,
        now: Date.now,
      },
      {
        platform: 'discord',
        guild: community.name,
        channel: 'pictures',
        member,
        roleIds: [],
        isModerator: false,
        isOperator: false,
        invocationId: randomUUID(),
        replyTo: { channel: 'pictures' },
      },
      {
        ...wish,
        kind: 'imagine',
        prompt: 'a red fox in the snow',
        seed,
        guidance: 0,
        isRaw: false,
        isPrivate: false,
      },
    )
    return job.id
  }

  /** Lets go of the database as well. */
  async close(): Promise<void> {
    await this.#rateLimit.close()
    await closeDatabase(this.#database)
  }
}
