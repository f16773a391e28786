/**
 * A worker: one device and the loop that draws on it, from its start to its drain. It runs in the
 * bot's process or in its own; either way it meets the rest of the house only at Postgres and the
 * blob store, which whoever starts it opens before and closes after it.
 */
import type { Queue } from '../queue/pg-boss.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { Device as DeviceFacts } from '../store/devices.ts'
import { Device, type DeviceOptions } from './device.ts'
import { Loop } from './loop.ts'
import type { PictureCheck } from './pictures.ts'

/** What a worker works with. */
export type WorkerOptions = DeviceOptions & {
  readonly queue: Queue
  readonly blobs: BlobStore
  /** Looks at every picture before it is stored; without it none is looked at. */
  readonly checkPicture?: PictureCheck
  readonly now: () => number
  /** How long `close` waits for what is being drawn; 30,000 by default. */
  readonly drainMs?: number
}

/** A worker at work. */
export type Worker = {
  /** Its device as it tells of it. */
  readonly device: () => DeviceFacts
  /** The process that holds the model, while there is one. */
  readonly runnerPid: () => number | undefined
  /** Takes nothing new, ends or gives back what it has, and leaves nothing running. */
  readonly close: () => Promise<void>
}

const defaultDrainMs = 30_000

/**
 * Loads the model, tells everybody of the device and begins to draw; the model warms up meanwhile.
 *
 * @throws {UserError} what `Runner.start` throws; the signal's reason when the start is given up
 */
export async function startWorker(options: WorkerOptions, signal?: AbortSignal): Promise<Worker> {
  const device = await Device.open(options, signal)
  const loop = new Loop({ ...options, device })
  const close = async (): Promise<void> => {
    await device.drain()
    await loop.drain(options.drainMs ?? defaultDrainMs)
    await device.close()
  }
  return { device: () => device.facts, runnerPid: () => device.runnerPid, close }
}
