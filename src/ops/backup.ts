/**
 * A backup: the rows of one moment and the pictures that they name, in one archive, while everything
 * runs. Rows first, from a snapshot, then the pictures: they are named by what they hold, so whatever
 * is there under a name later is what was there at that moment. The list of contents comes last, so an
 * archive that has one is whole; the file appears under its name when it is, and not before.
 *
 * Layout: `tables/NAME/000001.jsonl` (one row's text a line), `blobs/KEY`, `manifest.json`.
 */
import { createHash, randomUUID } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { type BlobStore, DamagedBlob } from '../store/blobs/blob-store.ts'
import { Snapshot } from '../store/dump.ts'
import { syncFolder } from '../store/durable-file.ts'
import { writeEnd, writeEntry } from './tar.ts'

/** What is in a backup, as its list of contents says. */
export type Manifest = z.infer<typeof manifestForm>

/** The list of contents, as it is read. */
export const manifestForm = z.object({
  format: z.literal(1),
  /** When it was begun, as ISO 8601 has it. */
  createdAt: z.string(),
  migrations: z.array(z.string()),
  /** Rows of each table. */
  tables: z.record(z.string(), z.int().nonnegative()),
  sequences: z.record(z.string(), z.object({ value: z.string(), isCalled: z.boolean() })),
  /** SHA-256 of each part of a table, by the name of its entry. */
  parts: z.record(z.string(), z.string()),
  blobs: z.object({
    count: z.int().nonnegative(),
    sizeBytes: z.int().nonnegative(),
    /** SHA-256 of all keys in their order, a line each. */
    sha256: z.string(),
    /** Pictures that rows name and that were gone or damaged. */
    lost: z.array(z.string()),
  }),
})

/** Where from and where to. */
export type BackupOptions = {
  readonly databaseUrl: string
  readonly blobs: BlobStore
  /** An archive that is there already is replaced. */
  readonly file: string
  readonly signal?: AbortSignal
}

const partBytes = 4 * 2 ** 20
const blobsAtOnce = 4

/**
 * Writes a backup.
 *
 * @throws {UserError} database-unreachable, backup-nothing, backup-unwritable, blobs-unreachable, and
 *   the signal's reason
 */
export async function backup(options: BackupOptions): Promise<Manifest> {
  const { databaseUrl, signal } = options
  const file = resolve(options.file)
  const draft = `${file}.${randomUUID()}.draft`
  const snapshot = await Snapshot.open(databaseUrl)
  try {
    const archive = await open(draft, 'wx', 0o600)
    let manifest: Manifest
    try {
      const rows = await saveRows(snapshot, archive, signal)
      const blobs = await saveBlobs(snapshot, options.blobs, archive, signal)
      manifest = { format: 1, ...rows, blobs }
      await writeEntry(archive, 'manifest.json', Buffer.from(JSON.stringify(manifest)))
      await writeEnd(archive)
      await archive.sync()
    } finally {
      await archive.close()
    }
    await rename(draft, file)
    await syncFolder(dirname(file))
    return manifest
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {})
    throw asUnwritable(error, file)
  } finally {
    await snapshot.close()
  }
}

async function saveRows(
  snapshot: Snapshot,
  archive: FileHandle,
  signal: AbortSignal | undefined,
): Promise<Omit<Manifest, 'format' | 'blobs'>> {
  const createdAt = new Date().toISOString()
  const tables: Record<string, number> = {}
  const parts: Record<string, string> = {}
  for (const table of await snapshot.tables()) {
    let rows = 0
    let number = 0
    let lines: string[] = []
    let sizeBytes = 0
    const save = async (): Promise<void> => {
      number += 1
      const name = `tables/${table}/${String(number).padStart(6, '0')}.jsonl`
      const bytes = Buffer.from(lines.join(''))
      parts[name] = sha256(bytes)
      await writeEntry(archive, name, bytes)
      lines = []
      sizeBytes = 0
    }
    for await (const some of snapshot.rows(table)) {
      signal?.throwIfAborted()
      for (const row of some) {
        const line = `${JSON.stringify(row)}\n`
        lines.push(line)
        sizeBytes += line.length
        rows += 1
        if (sizeBytes >= partBytes) await save()
      }
    }
    if (lines.length > 0) await save()
    tables[table] = rows
  }
  const [migrations, sequences] = [await snapshot.migrations(), await snapshot.sequences()]
  return { createdAt, migrations, tables, sequences, parts }
}

/** A picture that was deleted since, or is damaged, is no reason to have no backup of the others. */
async function saveBlobs(
  snapshot: Snapshot,
  blobs: BlobStore,
  archive: FileHandle,
  signal: AbortSignal | undefined,
): Promise<Manifest['blobs']> {
  const keys = createHash('sha256')
  const lost: string[] = []
  let [count, sizeBytes] = [0, 0]
  for await (const some of snapshot.blobKeys()) {
    for (let first = 0; first < some.length; first += blobsAtOnce) {
      signal?.throwIfAborted()
      const wanted = some.slice(first, first + blobsAtOnce)
      const found = await Promise.all(wanted.map((key) => readUndamaged(blobs, key)))
      for (const [k, key] of wanted.entries()) {
        const bytes = found[k]
        if (bytes === undefined) {
          lost.push(key)
          continue
        }
        await writeEntry(archive, `blobs/${key}`, bytes)
        keys.update(`${key}\n`)
        count += 1
        sizeBytes += bytes.length
      }
    }
  }
  return { count, sizeBytes, sha256: keys.digest('hex'), lost }
}

async function readUndamaged(blobs: BlobStore, key: string): Promise<Uint8Array | undefined> {
  return blobs.get(key).catch((error: unknown) => {
    if (error instanceof DamagedBlob) return undefined
    throw error
  })
}

/** The fingerprint of bytes. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function asUnwritable(error: unknown, file: string): unknown {
  const isOfSystem = error instanceof Error && 'syscall' in error && 'code' in error
  if (error instanceof UserError || !isOfSystem) return error
  return new UserError('backup-unwritable', { file, reason: String(error.code) }, { cause: error })
}
