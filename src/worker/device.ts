/**
 * A device as its worker keeps it: a runner that is started anew when it dies, and a row that tells
 * everybody that it is there. While no runner can be started the row is away, so that people hear
 * that nobody draws.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { preemptionBounds } from '../core/preemption.ts'
import type { Log } from '../log.ts'
import { publish } from '../queue/events.ts'
import {
  announceDevice,
  announceIntervalMs,
  type Device as DeviceFacts,
  retireDevice,
  saveModelCard,
} from '../store/devices.ts'
import { type Database, inTransaction } from '../store/prisma.ts'
import { Runner } from './runner.ts'
import type { ModelOptions } from './runner-protocol.ts'

/** Which model a device holds and whom it tells. */
export type DeviceOptions = ModelOptions & {
  readonly database: Database
  readonly modelFolder: string
  /** Unique among all workers; host, process and chance unless said. */
  readonly deviceId?: string
  /** How long a cancelled step may take to stop before the runner is killed; see `Runner`. */
  readonly cancelGraceMs?: number
  readonly log: Log
  /** Told of errors that the device outlives. */
  readonly onError: (error: unknown) => void
}

/** The engine draws no picture of more pixels. */
const mostPixels = 2048 * 2048
const firstWaitMs = 500
const longestWaitMs = 30_000

/** As small as a picture can usefully be: it makes every session and reads every weight. */
const warmUp = {
  prompt: 'a small grey stone',
  width: 64,
  height: 64,
  seed: 0,
  evaluations: 1,
  guidance: 0,
  preview: true,
} as const

/** One device with a model on it. */
export class Device {
  /** Called when the device is lost for longer than a restart: others had better draw. */
  onDown: () => void = () => {}
  readonly #options: DeviceOptions
  readonly #closing = new AbortController()
  readonly #announcer: NodeJS.Timeout
  #facts: DeviceFacts
  /** The start that was tried last; rejected while the next one waits. */
  #attempt: Promise<Runner>
  #up = Promise.withResolvers<Runner>()
  #runner: Runner | undefined
  #isWanted = false
  #keeping: Promise<void> = Promise.resolve()
  #telling: Promise<void> = Promise.resolve()

  private constructor(options: DeviceOptions, runner: Runner) {
    const { name } = runner.facts
    this.#options = options
    this.#attempt = Promise.resolve(runner)
    this.#facts = {
      id: options.deviceId ?? newDeviceId(),
      deviceClass: deviceClassOf(name),
      model: name,
      mostPixels,
      mostBatch: preemptionBounds.mostPartials,
      isDraining: false,
    }
    this.#announcer = setInterval(() => void this.#announce(), announceIntervalMs)
  }

  /**
   * Loads the model and tells everybody; returns before the model is warm.
   *
   * @throws {UserError} what `Runner.start` throws; nothing is left behind
   */
  static async open(options: DeviceOptions, signal?: AbortSignal): Promise<Device> {
    const runner = await startRunner(options, signal)
    const device = new Device(options, runner)
    try {
      const { name, parameters, defaults } = runner.facts
      const { width, height, evaluations, guidance } = defaults
      const card = { name, parameters, defaults: { width, height, evaluations, guidance } }
      await saveModelCard(options.database, card)
      await device.#tellUp()
    } catch (error) {
      await device.close()
      await runner.close()
      throw error
    }
    device.#use(runner)
    return device
  }

  /** What it tells of itself. */
  get facts(): DeviceFacts {
    return this.#facts
  }

  /** The runner's process, if there is one. */
  get runnerPid(): number | undefined {
    return this.#runner?.pid
  }

  /** The runner, once a start that is under way is through. @throws {UserError} that start's */
  runner(): Promise<Runner> {
    this.#isWanted = true
    return this.#attempt
  }

  /** Resolves when there is a runner, or the signal is aborted. */
  async whenUp(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    const aborted = Promise.withResolvers<void>()
    const onAbort = (): void => aborted.resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    await Promise.race([this.#up.promise, aborted.promise])
    signal.removeEventListener('abort', onAbort)
  }

  /** Tells everybody that the device takes nothing new. */
  async drain(): Promise<void> {
    this.#facts = { ...this.#facts, isDraining: true }
    await this.#announce()
  }

  /** Takes the device away and ends its runner, even when the database cannot be told. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearInterval(this.#announcer)
    await this.#telling
    await this.#tellDown().catch(this.#options.onError)
    await this.#keeping
    await this.#runner?.close()
  }

  #use(runner: Runner): void {
    this.#runner = runner
    this.#up.resolve(runner)
    void this.#warmUp(runner)
    void this.#replace(runner)
  }

  /** Careful: what follows the exit runs before any drawing hears of it, and asks for a runner. */
  async #replace(runner: Runner): Promise<void> {
    await runner.exited
    this.#runner = undefined
    this.#up = Promise.withResolvers()
    if (!this.#closing.signal.aborted) this.#keeping = this.#bringUp()
  }

  /** Starts runners until one is there. */
  async #bringUp(): Promise<void> {
    const { onError, log } = this.#options
    const { signal } = this.#closing
    let isDown = false
    for (let waitMs = firstWaitMs; !signal.aborted; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
      try {
        this.#attempt = startRunner(this.#options, signal)
        const runner = await this.#attempt
        if (isDown) await this.#tellUp().catch(onError)
        log.warn({ pid: runner.pid }, 'the runner died; another one has taken its place')
        return this.#use(runner)
      } catch (error) {
        if (signal.aborted) return
        onError(error)
      }
      if (!isDown) this.onDown()
      isDown = true
      await this.#tellDown().catch(onError)
      await sleep(waitMs, undefined, { signal }).catch(() => {})
    }
  }

  /** Careful: a signal could kill the runner, so a warm-up that is in the way just stops asking. */
  async #warmUp(runner: Runner): Promise<void> {
    try {
      for await (const _ of runner.generate(warmUp)) if (this.#isWanted) return
    } catch (error) {
      // Whatever it is, it is told to whoever draws next.
      this.#options.log.debug({ error }, 'the warm-up ended early')
    }
  }

  #announce(): Promise<void> {
    if (this.#runner === undefined) return this.#telling
    const { database, onError } = this.#options
    this.#telling = this.#telling
      .then(() => announceDevice(database, this.#facts))
      .catch((error: unknown) => onError(error))
    return this.#telling
  }

  async #tellUp(): Promise<void> {
    const { id } = this.#facts
    await inTransaction(this.#options.database, async (transaction) => {
      await announceDevice(transaction, this.#facts)
      await publish({ type: 'device', device: id, state: 'up' }, transaction)
    })
  }

  async #tellDown(): Promise<void> {
    const { id } = this.#facts
    await inTransaction(this.#options.database, async (transaction) => {
      await retireDevice(transaction, id)
      await publish({ type: 'device', device: id, state: 'down' }, transaction)
    })
  }
}

async function startRunner(options: DeviceOptions, signal?: AbortSignal): Promise<Runner> {
  const { modelFolder, precision, threads, cancelGraceMs, log } = options
  return Runner.start({
    modelFolder,
    ...(precision && { precision }),
    ...(threads !== undefined && { threads }),
    ...(cancelGraceMs !== undefined && { cancelGraceMs }),
    ...(signal && { signal }),
    log: (output) => log.debug({ output }, 'the runner says something'),
  })
}

/** Containers have the same process ids, hosts the same names: chance tells them apart. */
function newDeviceId(): string {
  const host = hostname().replaceAll(/[^\w.-]/g, '-')
  return `${host.slice(0, 32)}:${process.pid}:${randomBytes(4).toString('hex')}`
}

/** Devices with the same model do the same work. */
function deviceClassOf(model: string): string {
  return model.replaceAll(/[^\w.-]/g, '-').slice(0, 64)
}
