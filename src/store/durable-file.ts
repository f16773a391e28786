/**
 * Files that are whole or absent, also after a power cut: written beside their place, synced,
 * renamed, and the folder synced. A rename alone survives a crash of ours but not of the machine.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Writes `bytes` to `file`, replacing it at once; makes its folder (0700) when needed. */
export async function writeDurably(
  file: string,
  bytes: Uint8Array | string,
  mode: number = 0o600,
): Promise<void> {
  const folder = dirname(file)
  await makeFolder(folder)
  const draft = `${file}.${randomUUID()}.draft`
  try {
    const handle = await open(draft, 'wx', mode)
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(draft, file)
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
  await syncFolder(folder)
}

/** Makes a folder and those above it, and syncs each in which one appeared. */
async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = folder; made !== dirname(first); made = dirname(made)) {
    await syncFolder(dirname(made))
  }
}

/** Makes names that appeared in or left `folder` survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // Windows cannot open folders, and NTFS logs renames.
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
