/**
 * The database that the settings mean, for a command that looks at it or changes it and is gone again:
 * the one of `DATABASE_URL`, else that of the data folder, which may run already.
 */
import type { Config } from '../config.ts'
import { UserError } from '../core/errors.ts'
import { EmbeddedPostgres, findEmbedded, hasEmbedded } from '../store/postgres.ts'

/**
 * `existing`: beside whoever runs it, never making one; `any`: the same, and made if there is none;
 * `alone`: while nobody else runs it.
 */
export type Company = 'existing' | 'any' | 'alone'

/**
 * Gives the URL to `work`, and stops afterwards what had to be started for it.
 *
 * @throws {UserError} backup-nothing: there is none yet, and what `EmbeddedPostgres.start` throws
 */
export async function withDatabase<Result>(
  { databaseUrl, dataDir }: Pick<Config, 'databaseUrl' | 'dataDir'>,
  company: Company,
  work: (databaseUrl: string) => Promise<Result>,
): Promise<Result> {
  if (databaseUrl !== undefined) return work(databaseUrl)
  const running = company === 'alone' ? undefined : await findEmbedded(dataDir)
  if (running !== undefined) return work(running)
  if (company === 'existing' && !(await hasEmbedded(dataDir))) {
    throw new UserError('backup-nothing', {})
  }
  const postgres = await EmbeddedPostgres.start({ dataFolder: dataDir })
  try {
    return await work(postgres.url)
  } finally {
    await postgres.close()
  }
}
