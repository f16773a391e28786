/**
 * A backup put back: read through and checked to its last byte first, then the pictures, then all rows
 * in one transaction. What fails on the way leaves the database as it was, and at worst some pictures
 * that nobody names, which the next sweep removes.
 */
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { type BlobStore, contentTypeOf, isKey, keyOf } from '../store/blobs/blob-store.ts'
import { Filling } from '../store/dump.ts'
import { migrate, migrationNames, migrationsFolder } from '../store/migrate.ts'
import { type Manifest, manifestForm, sha256 } from './backup.ts'
import { type TarEntry, TarError, readEntries } from './tar.ts'

/** Where from and where to. */
export type RestoreOptions = {
  readonly databaseUrl: string
  readonly blobs: BlobStore
  readonly file: string
  /** Replaces what is in the database. */
  readonly isForced: boolean
  readonly signal?: AbortSignal
}

/** What was put back; jobs that a device held when the backup was made wait again. */
export type Restored = { readonly manifest: Manifest; readonly waitingAgain: number }

const partName = /^tables\/(\w+)\/\d{6}\.jsonl$/
const blobName = /^blobs\/(.+)$/
const rowsAtOnce = 500

/**
 * Restores a backup into a database that nobody uses.
 *
 * @throws {UserError} backup-unreadable, backup-broken, backup-newer, database-unreachable,
 *   restore-in-use, restore-not-empty, restore-other-version, blobs-unreachable, and the signal's
 *   reason
 */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { databaseUrl, blobs, file, isForced, signal } = options
  const archive = await open(file).catch((error: unknown) => {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new UserError('backup-unreadable', { file, reason }, { cause: error })
  })
  try {
    const manifest = await check(archive, file, signal)
    const ours = await migrationNames()
    const foreign = manifest.migrations.find((migration) => !ours.includes(migration))
    if (foreign !== undefined) throw new UserError('backup-newer', { file, migration: foreign })
    const filling = await Filling.open(databaseUrl, { isForced })
    let waitingAgain: number
    try {
      // Rows fit the tables that they were saved from; what came later is made of them afterwards.
      await migrate(databaseUrl, migrationsFolder, manifest.migrations.at(-1))
      await filling.requireMigrations(manifest.migrations)
      await restoreBlobs(archive, blobs, signal)
      await filling.begin()
      await restoreRows(archive, filling, signal)
      waitingAgain = await filling.finish(manifest.sequences)
    } finally {
      await filling.close()
    }
    await migrate(databaseUrl)
    return { manifest, waitingAgain }
  } finally {
    await archive.close()
  }
}

/** Reads all of an archive and compares it with its list. @throws {UserError} backup-broken */
async function check(
  archive: FileHandle,
  file: string,
  signal: AbortSignal | undefined,
): Promise<Manifest> {
  const broken = (reason: string, cause?: unknown): UserError =>
    new UserError('backup-broken', { file, reason }, { cause })
  const parts = new Map<string, string>()
  const keys = createHash('sha256')
  let blobs = 0
  let list: Buffer | undefined
  try {
    for await (const { name, read } of readEntries(archive)) {
      signal?.throwIfAborted()
      if (list !== undefined) throw broken('manifest')
      const bytes = await read()
      const key = blobName.exec(name)?.[1]
      if (name === 'manifest.json') list = bytes
      else if (partName.test(name)) parts.set(name, sha256(bytes))
      else if (key === undefined || !isKey(key)) throw broken('format')
      else if (keyOf(bytes, contentTypeOf(key)) !== key) throw broken('content')
      else {
        keys.update(`${key}\n`)
        blobs += 1
      }
    }
  } catch (error) {
    if (error instanceof TarError) throw broken(error.fault, error)
    throw error
  }
  const manifest = manifestForm.safeParse(parseJson(list)).data
  if (manifest === undefined) throw broken('manifest')
  const isWhole =
    parts.size === Object.keys(manifest.parts).length &&
    Object.entries(manifest.parts).every(([name, hash]) => parts.get(name) === hash) &&
    blobs === manifest.blobs.count &&
    keys.digest('hex') === manifest.blobs.sha256
  if (!isWhole) throw broken('content')
  return manifest
}

function parseJson(bytes: Buffer | undefined): unknown {
  try {
    return JSON.parse(bytes?.toString() ?? '')
  } catch {
    return undefined
  }
}

async function restoreBlobs(
  archive: FileHandle,
  blobs: BlobStore,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const [key, entry] of named(archive, blobName)) {
    signal?.throwIfAborted()
    await blobs.put(await entry.read(), contentTypeOf(key))
  }
}

async function restoreRows(
  archive: FileHandle,
  filling: Filling,
  signal: AbortSignal | undefined,
): Promise<void> {
  for await (const [table, entry] of named(archive, partName)) {
    const lines = (await entry.read()).toString().split('\n').slice(0, -1)
    const rows = lines.map((line) => z.string().parse(JSON.parse(line)))
    for (let first = 0; first < rows.length; first += rowsAtOnce) {
      signal?.throwIfAborted()
      await filling.insert(table, rows.slice(first, first + rowsAtOnce))
    }
  }
}

/** The entries whose name matches, with what the match has found. */
async function* named(
  archive: FileHandle,
  pattern: RegExp,
): AsyncGenerator<readonly [string, TarEntry], void, undefined> {
  for await (const entry of readEntries(archive)) {
    const found = pattern.exec(entry.name)?.[1]
    if (found !== undefined) yield [found, entry]
  }
}
