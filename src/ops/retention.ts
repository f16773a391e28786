/**
 * Keeping nothing longer than was promised: run now and then by the process that leads. A guild that
 * removed the bot is purged after `purgeDays`; pictures leave after their guild's `retentionDays`,
 * favourites and pictures with an open report aside; then every blob that no row names is deleted, an
 * hour after it was stored at the earliest, for a job's row follows its blobs.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type BlobStore, sweep } from '../store/blobs/blob-store.ts'
import type { Database } from '../store/prisma.ts'
import {
  deleteOldPreviews,
  everyGuild,
  forgetPictures,
  keysOfJobs,
  keysOfTalk,
  purgeGuilds,
} from '../store/retention.ts'

/** What to go through, and how long a removed guild is kept. */
export type RetentionOptions = {
  readonly database: Database
  readonly blobs: BlobStore
  readonly purgeDays: number
  readonly nowMs: number
  /** Ends it between two steps: whoever leads no more. */
  readonly signal?: AbortSignal
}

/** What has left, and how much was there. */
export type Swept = {
  readonly guilds: number
  /** Jobs that forgot their pictures. */
  readonly jobs: number
  readonly previews: number
  readonly blobs: number
  /** Every blob there was, before any left. */
  readonly found: { readonly count: number; readonly sizeBytes: number }
}

const dayMs = 86_400_000
const graceMs = 3_600_000
const sweepEveryMs = 3_600_000
/** Not at once: a start has other things to do. */
const firstSweepMs = 60_000

/** Goes through everything once; safe to be ended anywhere and to be done twice. */
export async function sweepOld(options: RetentionOptions): Promise<Swept> {
  const { database, purgeDays, nowMs, signal } = options
  const guilds = await purgeGuilds(database, { beforeMs: nowMs - purgeDays * dayMs, nowMs })
  const talk = new Set<string>()
  let jobs = 0
  for await (const guild of everyGuild(database)) {
    signal?.throwIfAborted()
    const beforeMs = nowMs - guild.settings.retentionDays * dayMs
    jobs += await forgetPictures(database, guild, beforeMs)
    if (guild.platform === 'web') {
      for (const key of await keysOfTalk(database, guild, beforeMs)) talk.add(key)
    }
  }
  const previews = await deleteOldPreviews(database, nowMs - graceMs)
  const found = { count: 0, sizeBytes: 0 }
  const counted = {
    async *list() {
      for await (const blob of options.blobs.list()) {
        signal?.throwIfAborted()
        found.count += 1
        found.sizeBytes += blob.sizeBytes
        yield blob
      }
    },
    delete: (key: string) => options.blobs.delete(key),
  }
  const blobs = await sweep(counted, new Date(nowMs - graceMs), async (keys) => {
    const used = await keysOfJobs(database, keys)
    return new Set(keys.filter((key) => used.has(key) || talk.has(key)))
  })
  return { guilds, jobs, previews, blobs, found }
}

/** Sweeps each hour until the signal is aborted; a sweep that fails is told, and tried again. */
export async function keepSweeping(
  options: Omit<RetentionOptions, 'nowMs' | 'signal'> & {
    readonly now: () => number
    readonly onSwept: (swept: Swept) => void
    readonly onError: (error: unknown) => void
  },
  signal: AbortSignal,
): Promise<void> {
  const { now, onSwept, onError } = options
  await sleep(firstSweepMs, undefined, { signal }).catch(() => undefined)
  while (!signal.aborted) {
    try {
      onSwept(await sweepOld({ ...options, nowMs: now(), signal }))
    } catch (error) {
      if (!signal.aborted) onError(error)
    }
    await sleep(sweepEveryMs, undefined, { signal }).catch(() => undefined)
  }
}
