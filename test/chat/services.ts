/**
 * The floors below the chat for its tests: a real database and a real folder of blobs; time and
 * outlook are the test's.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import type { Invocation } from '../../src/chat/adapter.ts'
import type { Services } from '../../src/chat/services.ts'
import type { Outlook } from '../../src/core/eta.ts'
import { RateLimit } from '../../src/jobs/rate-limit.ts'
import { FolderBlobs } from '../../src/store/blobs/folder.ts'
import { readModelCard } from '../../src/store/devices.ts'
import { closeDatabase, openDatabase } from '../../src/store/prisma.ts'
import { newAsked } from '../jobs/admission.ts'

/** What is not known of any job's future. */
export const unknownOutlook: Outlook = { position: 1, estimate: undefined, hasDevice: true }

/** Services on a database; closed when the file ends. Call it where `after` may be called. */
export function newServices(
  databaseUrl: string,
  facts: {
    readonly now: () => number
    readonly outlookOf?: Services['outlookOf']
    readonly servedGuilds?: ReadonlySet<string>
  },
): Services {
  const { now, outlookOf = () => unknownOutlook, servedGuilds } = facts
  const database = openDatabase(databaseUrl)
  const rateLimit = new RateLimit()
  const folder = mkdtempSync(join(tmpdir(), 'zimagine-test-'))
  after(async () => {
    await rateLimit.close()
    await closeDatabase(database)
    rmSync(folder, { recursive: true, force: true })
  })
  return {
    database,
    blobs: new FolderBlobs(folder),
    admission: {
      database,
      rateLimit,
      ...(servedGuilds && { servedGuilds }),
      predictWaitMs: () => 0,
      now,
    },
    cancelling: { database, cancelDispatch: async () => 'absent', now },
    outlookOf,
    servedNow: () => [],
    removeShown: () => undefined,
    modelCard: () => readModelCard(database),
    now,
  }
}

type Said = Invocation extends infer Each
  ? Each extends { readonly kind: infer Kind }
    ? { readonly kind: Kind } & Omit<Each, 'kind' | keyof ReturnType<typeof newAsked>>
    : never
  : never

/** Somebody says something. */
export function newInvocation(
  said: Said,
  by: Parameters<typeof newAsked>[0] & { readonly locale?: string } = {},
): Invocation {
  return { ...newAsked(by), ...said }
}
