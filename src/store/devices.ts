/**
 * The devices that draw, as each worker tells of itself every few seconds: a row `device/ID` in
 * `states`. One that has not been heard of for `aliveMs` is taken for dead; its leases tell the same
 * of its jobs. What the model is and likes is kept when no device is left, under `model`.
 */
import { z } from 'zod'
import type { Database, Transaction } from './prisma.ts'
import { forgetState, readState, readStates, writeState } from './states.ts'

/** A device as its worker tells of it. */
export type Device = {
  /** 1 to 64 of `A-Za-z0-9_.:@/-`, unique: host, process and device. */
  readonly id: string
  /** Which dispatches it takes, 1 to 64 of `A-Za-z0-9_.-`: devices of one class do the same work. */
  readonly deviceClass: string
  /** Name of the model it holds. */
  readonly model: string
  /** The largest picture it draws, in pixels. */
  readonly mostPixels: number
  /** Jobs it draws together at most (1: it does not batch). */
  readonly mostBatch: number
  /** It ends what it has and takes nothing new. */
  readonly isDraining: boolean
}

/** What a model is called and draws by default, for whoever does not hold it. */
export type ModelCard = {
  readonly name: string
  readonly parameters: number
  readonly defaults: {
    readonly width: number
    readonly height: number
    readonly evaluations: number
    readonly guidance: number
  }
}

/** How often a worker tells of its device. */
export const announceIntervalMs = 3_000

/** After so long without a word a device is taken for dead. */
export const aliveMs = 10_000

const deviceSchema: z.ZodType<Device> = z.object({
  id: z.string(),
  deviceClass: z.string(),
  model: z.string(),
  mostPixels: z.number(),
  mostBatch: z.number(),
  isDraining: z.boolean(),
})

const cardSchema: z.ZodType<ModelCard> = z.object({
  name: z.string(),
  parameters: z.number(),
  defaults: z.object({
    width: z.number(),
    height: z.number(),
    evaluations: z.number(),
    guidance: z.number(),
  }),
})

const prefix = 'device/'

/** A worker tells that its device is there; again within `aliveMs`, or it is taken for dead. */
export async function announceDevice(
  database: Database | Transaction,
  device: Device,
): Promise<void> {
  await writeState(database, `${prefix}${device.id}`, { ...device })
}

/** A worker takes its device away. */
export async function retireDevice(database: Database | Transaction, id: string): Promise<void> {
  await forgetState(database, `${prefix}${id}`)
}

/** The devices that have been heard of within `aliveMs`. */
export async function aliveDevices(
  database: Database | Transaction,
  nowMs: number,
): Promise<Device[]> {
  const devices = await readStates(database, prefix, deviceSchema)
  return devices
    .filter(({ updatedAtMs }) => nowMs - updatedAtMs < aliveMs)
    .map(({ value }) => value)
}

/** Keeps what the model is and likes. */
export async function saveModelCard(
  database: Database | Transaction,
  card: ModelCard,
): Promise<void> {
  await writeState(database, 'model', { ...card, defaults: { ...card.defaults } })
}

/** What the model that was last announced is and likes; none before the first worker's start. */
export async function readModelCard(
  database: Database | Transaction,
): Promise<ModelCard | undefined> {
  return (await readState(database, 'model', cardSchema))?.value
}
