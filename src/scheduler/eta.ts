/**
 * Waiting times for everybody, in any process: computed from the row that the leader writes of the
 * backlog (`backlog-row.ts`), which is read about each second and kept, so that asking costs
 * nothing and never waits. Whether a device is there the devices' own rows say too: the leader may
 * not have written of one that is new.
 */
import { type Outlook, waitEstimate } from '../core/eta.ts'
import type { Lane } from '../core/queued-job.ts'
import { aliveDevices } from '../store/devices.ts'
import type { Database } from '../store/prisma.ts'
import { readState } from '../store/states.ts'
import { type Backlog, backlogName, backlogRow, type GuildLine, laneOf } from './backlog-row.ts'

const readIntervalMs = 1_000
/** The leader writes far more often; after so long there is none, and nobody is given a device. */
const staleMs = 15_000

/** What a waiting-time reader works with. */
export type OutlooksOptions = {
  readonly database: Database
  /** Told when the row could not be read; the last one is kept for a while. */
  readonly onError: (error: unknown) => void
  readonly now: () => number
}

/** A job's place as far as it is known. */
type Place = Omit<Backlog['places'][string], 'lane'>

/** What can be told of the future now. */
export class Outlooks {
  readonly #options: OutlooksOptions
  readonly #timer: NodeJS.Timeout
  readonly #openedAtMs: number
  #read: { readonly value: Backlog; readonly updatedAtMs: number } | undefined
  /** Devices that told, when the row was read, that they take jobs. */
  #deviceCount = 0
  #reading: Promise<void> = Promise.resolve()
  #isReading = false

  private constructor(options: OutlooksOptions) {
    this.#options = options
    this.#openedAtMs = options.now()
    this.#timer = setInterval(() => {
      if (!this.#isReading) void this.refresh()
    }, readIntervalMs)
    this.#timer.unref()
  }

  /** Reads the backlog now and then about each second, until it is closed. */
  static async open(options: OutlooksOptions): Promise<Outlooks> {
    const outlooks = new Outlooks(options)
    await outlooks.refresh()
    return outlooks
  }

  /** Reads now: whoever heard of a device need not wait for it. */
  refresh(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#readRows())
    return this.#reading
  }

  /** In reference devices; 0 if nobody draws. */
  get capacity(): number {
    return this.#backlog?.capacity ?? 0
  }

  /** Whether any device takes jobs. */
  get hasDevice(): boolean {
    const ageMs = this.#options.now() - this.#openedAtMs
    // After a start nobody leads for a moment; later on, devices that nobody gives jobs are none.
    const isLed = this.#backlog !== undefined || ageMs < staleMs
    return isLed && (this.#deviceCount > 0 || (this.#backlog?.devices ?? 0) > 0)
  }

  /**
   * The future of a waiting job. Of one that is far from its turn, or so new that the row does not
   * know it, it is that of the end of its guild's line. `position` is that in its guild's line.
   */
  ofJob(jobId: string, guildId: string): Outlook {
    const backlog = this.#backlog
    const known = backlog?.places[jobId]
    if (backlog && known) {
      const whose = { guild: guildId, lane: known.lane }
      return { ...outlookAt(backlog, known, whose), hasDevice: this.hasDevice }
    }
    const line = backlog?.guilds.find((each) => each.guild === guildId && each.waitingJobs > 0)
    return this.ofNext(guildId, line?.lane ?? 'fast')
  }

  /** The future of a job that a guild would ask for now. */
  ofNext(guildId: string, lane: Lane): Outlook {
    const { hasDevice } = this
    const backlog = this.#backlog
    if (backlog === undefined) return { position: 1, estimate: undefined, hasDevice }
    const line = backlog.guilds.find((each) => each.guild === guildId && each.lane === lane)
    const { virtualMicros } = backlog.lanes[lane]
    const place = line
      ? endOf(line)
      : { startMicros: virtualMicros, jobsAhead: 0, picturesAhead: 0 }
    return { ...outlookAt(backlog, place, { guild: guildId, lane }), hasDevice }
  }

  /** How long a new job of a guild would probably wait; 0 while too little is known. */
  predictWaitMs(guildId: string): number {
    return this.ofNext(guildId, 'fast').estimate?.likelyMs ?? 0
  }

  /** Who waits or is served, first the one whose turn is next. */
  servedNow(): readonly GuildLine[] {
    return this.#backlog?.guilds ?? []
  }

  /** Reads no more. */
  close(): void {
    clearInterval(this.#timer)
  }

  /** The backlog, unless it is too old to mean anything. */
  get #backlog(): Backlog | undefined {
    if (this.#read === undefined) return undefined
    const ageMs = this.#options.now() - this.#read.updatedAtMs
    return ageMs < staleMs ? this.#read.value : undefined
  }

  async #readRows(): Promise<void> {
    const { database, now, onError } = this.#options
    this.#isReading = true
    try {
      const devices = await aliveDevices(database, now())
      this.#deviceCount = devices.filter(({ isDraining }) => !isDraining).length
      this.#read = await readState(database, backlogName, backlogRow)
    } catch (error) {
      onError(error)
    } finally {
      this.#isReading = false
    }
  }
}

/** Behind all that the guild has in line. */
function endOf({
  startMicros,
  queuedMicros,
  weight,
  waitingJobs,
  waitingPictures,
}: GuildLine): Place {
  return {
    startMicros: startMicros + queuedMicros / weight,
    jobsAhead: waitingJobs,
    picturesAhead: waitingPictures,
  }
}

function outlookAt(
  backlog: Backlog,
  { startMicros, jobsAhead, picturesAhead }: Place,
  { guild, lane }: { readonly guild: string; readonly lane: Lane },
): Omit<Outlook, 'hasDevice'> {
  const { devices, capacity, residualMs, lanes, guilds } = backlog
  const others = guilds.filter((each) => each.lane === lane && each.guild !== guild)
  const position = jobsAhead + 1
  // Without a device nothing moves, and nobody knows when it will.
  if (devices === 0 || capacity === 0) return { position, estimate: undefined }
  const estimate = waitEstimate({
    place: {
      lane,
      startMicros,
      jobsAhead,
      picturesAhead,
      microsAhead: 0,
      otherGuilds: others.filter(({ waitingJobs }) => waitingJobs > 0).length,
    },
    lane: laneOf(backlog, lane),
    capacity,
    residualMs,
    speed: lanes[lane].speed,
  })
  return { position, estimate }
}
