/**
 * What the devices have been given and not yet ended, and so who has room. A device has room for one
 * job; for one more when it will soon be done with the first, so that short jobs do not leave it
 * idle while the next is on its way; and for a rival, which may take the place of a long one. Which
 * device of a class takes which job is theirs to say: the leader counts by class.
 *
 * Pure: time is an argument.
 */
import type { Device } from '../store/devices.ts'

/** Devices that do the same work, and what each of them can do. */
export type DeviceClass = {
  readonly name: string
  /** How many there are that take new jobs; at least one. */
  readonly devices: number
  /** How many end what they have, and take nothing new. */
  readonly draining: number
  readonly mostPixels: number
  readonly mostBatch: number
}

/** A job at a device or on its way there, or several to be drawn together. */
export type Handed = {
  /** The first job. */
  readonly id: string
  readonly jobs: ReadonlySet<string>
  readonly deviceClass: string
  /** How long the device is expected to take over all of it. */
  readonly expectedMicros: number
  /** Nothing was drawn on such a device yet, so it may take far longer. */
  readonly isGuess: boolean
  /** The running job whose place it may take. */
  readonly rivalOf?: string
  readonly handedAtMs: number
}

/** How far a job is. */
export type Progress = {
  /** Of its evaluations, 0 to 1. */
  readonly part: number
  readonly stepsLeft: number
  readonly atMs: number
}

/** A job that is under way, and how often another has taken its place. */
export type Preemptible = {
  readonly id: string
  readonly expectedMicros: number
  readonly progress: Progress
  readonly preemptions: number
}

/** A device that is expected to be done so soon is given its next job already. */
const soonMs = 300

type Entry = {
  readonly handed: Handed
  readonly left: Set<string>
  progress: Progress | undefined
  preemptions: number
}

/** The classes of these devices that have any that takes new jobs. */
export function classesOf(devices: readonly Device[]): DeviceClass[] {
  const groups = Map.groupBy(devices, ({ deviceClass }) => deviceClass)
  return [...groups].flatMap(([name, ofClass]) => {
    const taking = ofClass.filter(({ isDraining }) => !isDraining)
    if (taking.length === 0) return []
    return {
      name,
      devices: taking.length,
      draining: ofClass.length - taking.length,
      mostPixels: Math.min(...taking.map(({ mostPixels }) => mostPixels)),
      mostBatch: Math.min(...taking.map(({ mostBatch }) => mostBatch)),
    }
  })
}

/** Everything that is handed out. */
export class HandedOut {
  /** In the order in which it was handed out. */
  readonly #entries = new Set<Entry>()
  readonly #byJob = new Map<string, Entry>()

  /** Ids of all jobs that are handed out. */
  get jobIds(): string[] {
    return [...this.#byJob.keys()]
  }

  /** Names of the classes that have been given anything. */
  get classes(): string[] {
    return [...new Set(Array.from(this.#entries, ({ handed }) => handed.deviceClass))]
  }

  /** What a job was handed out as or with. */
  of(id: string): Handed | undefined {
    return this.#byJob.get(id)?.handed
  }

  /** How much of a job is done, 0 to 1. */
  partOf(id: string): number {
    return this.#byJob.get(id)?.progress?.part ?? 0
  }

  /** Something is handed out. */
  add(handed: Handed): void {
    const entry: Entry = { handed, left: new Set(handed.jobs), progress: undefined, preemptions: 0 }
    this.#entries.add(entry)
    for (const id of handed.jobs) this.#byJob.set(id, entry)
  }

  /** A job has ended or come back. */
  delete(id: string): void {
    const entry = this.#byJob.get(id)
    if (entry === undefined) return
    this.#byJob.delete(id)
    entry.left.delete(id)
    if (entry.left.size === 0) this.#entries.delete(entry)
  }

  /**
   * A step of a job is done.
   *
   * @returns the job whose place it has taken with this, its first one
   */
  step(
    id: string,
    { index, evaluations }: { readonly index: number; readonly evaluations: number },
    nowMs: number,
  ): string | undefined {
    const entry = this.#byJob.get(id)
    if (entry === undefined) return undefined
    const isFirst = entry.progress === undefined
    const part = evaluations > 0 ? Math.min(1, index / evaluations) : 0
    entry.progress = { part, stepsLeft: evaluations - index, atMs: nowMs }
    const target = isFirst ? this.#byJob.get(entry.handed.rivalOf ?? '') : undefined
    if (target === undefined) return undefined
    target.preemptions++
    return target.handed.id
  }

  /** Whether a class is to be given one more job now. */
  hasRoom({ name, devices, draining }: DeviceClass): boolean {
    const given = this.#inTurn(name)
    // What a draining device still has must not keep the others waiting.
    const slots = devices + draining
    const running = given.slice(0, slots)
    const nearlyDone = running.filter((entry) => !entry.handed.isGuess && leftMs(entry) < soonMs)
    return given.length < slots + nearlyDone.length
  }

  /** How long until a device of a class will be free for a job that has nothing before it. */
  freeInMs({ name, devices, draining }: DeviceClass, nowMs: number): number {
    const given = this.#inTurn(name)
    const slots = devices + draining
    if (given.length < slots) return 0
    const running = given.slice(0, slots).map((entry) => remainingMs(entry, nowMs))
    const next = given.slice(slots).map((entry) => remainingMs(entry, nowMs))
    return Math.min(...running) + next.reduce((sum, ms) => sum + ms, 0) / devices
  }

  /** How many devices of a class have nothing to do. */
  idleDevices({ name, devices }: DeviceClass): number {
    return Math.max(0, devices - this.#inTurn(name).length)
  }

  /** Single jobs of a class that are under way and have no rival yet. */
  preemptible(name: string): Preemptible[] {
    const contested = new Set(Array.from(this.#entries, ({ handed }) => handed.rivalOf))
    return this.#inTurn(name).flatMap(({ handed, progress, preemptions }) => {
      const { id, jobs, expectedMicros } = handed
      const isAlone = jobs.size === 1 && !contested.has(id)
      return isAlone && progress ? [{ id, expectedMicros, progress, preemptions }] : []
    })
  }

  /** What a class has, without the rivals of what is still there. */
  #inTurn(name: string): Entry[] {
    return [...this.#entries].filter(
      ({ handed: { deviceClass, rivalOf } }) =>
        deviceClass === name && !(rivalOf !== undefined && this.#byJob.has(rivalOf)),
    )
  }
}

/** By what is left to do. */
function leftMs({ handed, progress }: Entry): number {
  return (handed.expectedMicros / 1000) * (1 - (progress?.part ?? 0))
}

/** By the clock as well. */
function remainingMs(entry: Entry, nowMs: number): number {
  const { handed, progress } = entry
  return Math.max(0, leftMs(entry) - (nowMs - (progress?.atMs ?? handed.handedAtMs)))
}
