/** `backup` and `restore`: from words on the command line to an archive and back, and what came of it. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { readConfig } from '../config.ts'
import { UserError } from '../core/errors.ts'
import { backup } from '../ops/backup.ts'
import { withDatabase } from '../ops/database.ts'
import { restore } from '../ops/restore.ts'
import { openBlobs } from '../store/blobs/open.ts'
import type { Surroundings } from './imagine.ts'

/** Saves database and pictures into a file, beside whoever uses them. */
export async function runBackup(args: readonly string[], around: Surroundings): Promise<void> {
  const { environment, say, signal } = around
  const { file } = readArguments(args, 'npm run backup -- FILE')
  const config = readConfig(environment)
  const blobs = openBlobs(config.blobUrl, config.blobCredentials)
  const { tables, blobs: saved } = await withDatabase(config, 'existing', (databaseUrl) =>
    backup({ databaseUrl, blobs, file, signal }),
  )
  const rows = Object.values(tables).reduce((sum, count) => sum + count, 0)
  console.log(say('cli.backup-done', { file: resolve(file), rows, pictures: saved.count }))
  if (saved.lost.length > 0) console.log(say('cli.backup-lost', { count: saved.lost.length }))
}

/** Puts a file's database and pictures in the place of what is there. */
export async function runRestore(args: readonly string[], around: Surroundings): Promise<void> {
  const { environment, say, signal } = around
  const { file, isForced } = readArguments(args, 'npm run restore -- FILE [--force]')
  const config = readConfig(environment)
  const blobs = openBlobs(config.blobUrl, config.blobCredentials)
  const { manifest, waitingAgain } = await withDatabase(config, 'alone', (databaseUrl) =>
    restore({ databaseUrl, blobs, file, isForced, signal }),
  )
  const rows = Object.values(manifest.tables).reduce((sum, count) => sum + count, 0)
  const pictures = manifest.blobs.count
  console.log(say('cli.restore-done', { createdAt: manifest.createdAt, rows, pictures }))
  if (waitingAgain > 0) console.log(say('cli.restore-waiting', { count: waitingAgain }))
}

/** One file, and `--force` where the usage has it. @throws {UserError} usage-wrong */
function readArguments(
  args: readonly string[],
  usage: string,
): { file: string; isForced: boolean } {
  const force = { type: 'boolean' } as const
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options: { force },
    strict: false, // Not strict: Node's own complaints are English.
    allowPositionals: true,
    tokens: true,
  })
  const mayForce = usage.includes('--force')
  const isKnown = tokens.every(
    (token) => token.kind !== 'option' || (mayForce && token.name === 'force'),
  )
  const [file, ...others] = positionals
  if (!isKnown || file === undefined || others.length > 0) {
    throw new UserError('usage-wrong', { usage })
  }
  return { file, isForced: values.force === true }
}
