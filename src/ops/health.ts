/**
 * Whether this process does its part, for whatever restarts it when it does not: the database
 * answers, its own devices are alive, the disk has room. What another process must mend (no device
 * anywhere) is told, and is no reason to restart this one.
 */
import { statfs } from 'node:fs/promises'
import { aliveDevices } from '../store/devices.ts'
import type { Database } from '../store/prisma.ts'
import { within } from './deadline.ts'

/** What is looked at. */
export type HealthOptions = {
  readonly database: Database
  /** On the disk that must have room. */
  readonly dataFolder: string
  /** Ids of the devices that this process runs. */
  readonly deviceIds: readonly string[]
  readonly now?: () => number
}

/** A part and whether it is well; figures for whoever looks why. */
export type Check = {
  readonly isOk: boolean
  readonly [figure: string]: boolean | number | string
}

/** How a process is; 200 if `isOk`, else 503. */
export type Health = {
  readonly isOk: boolean
  readonly checks: { readonly database: Check; readonly devices: Check; readonly disk: Check }
}

/** Below it a picture or a row may not find its place. */
export const leastFreeBytes = 200 * 2 ** 20
const answerWithinMs = 2_000

/** Looks at this process' parts; never throws, and takes 2 s at most. */
export async function health(options: HealthOptions): Promise<Health> {
  const { deviceIds, now = Date.now } = options
  let alive: ReadonlySet<string> | undefined
  const [database, disk] = await Promise.all([
    checked(async () => {
      const startMs = performance.now()
      alive = new Set((await aliveDevices(options.database, now())).map(({ id }) => id))
      return { isOk: true, answerMs: Math.round(performance.now() - startMs) }
    }),
    checked(async () => {
      const freeBytes = await freeSpace(options.dataFolder)
      return { isOk: freeBytes >= leastFreeBytes, freeBytes }
    }),
  ])
  const checks = { database, devices: checkDevices(deviceIds, alive), disk }
  return { isOk: Object.values(checks).every(({ isOk }) => isOk), checks }
}

/** While the database is away nobody knows, and that is told already. */
function checkDevices(ours: readonly string[], alive: ReadonlySet<string> | undefined): Check {
  if (alive === undefined) return { isOk: true, reason: 'unknown' }
  const oursAlive = ours.filter((id) => alive.has(id)).length
  return { isOk: oursAlive === ours.length, alive: alive.size, ours: ours.length, oursAlive }
}

/** Free bytes on the disk of a folder, for whoever is not root. */
export async function freeSpace(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/** Careful: the reason is the system's code alone; a driver's message may hold the URL. */
async function checked(look: () => Promise<Check>): Promise<Check> {
  try {
    return await within(answerWithinMs, look())
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'failed'
    return { isOk: false, reason }
  }
}
