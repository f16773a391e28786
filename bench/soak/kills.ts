/**
 * Kills bot, worker, the worker's runner and Postgres, one in each round, while members go on asking
 * for pictures. Most rounds wait for a moment of a job; whoever would carry the job on then stands
 * still until its row and blob have said in which phase it is, and only what they said is counted. At
 * the end everything that was accepted has to have ended, been told and been paid for, once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { JobEvents } from '../../src/queue/events.ts'
import { findEmbedded } from '../../src/store/postgres.ts'
import type { Database } from '../../src/store/prisma.ts'
import { closeDatabase } from '../../src/store/prisma.ts'
import { Random } from '../fairness/random.ts'
import { openDatabaseOf } from './community.ts'
import { Guests, raiseCaps } from './guests.ts'
import { House, type HouseProcess } from './house.ts'
import { Moments, type Phase } from './moments.ts'
import { atLeast, type Figure, none, type Part, told } from './part.ts'
import { isAlive, signalTo, until } from './processes.ts'
import { accounts, fatedJobs, fates, watchRows } from './witness.ts'

type Victim = 'bot' | 'worker' | 'runner' | 'postgres'

/** Whoever can be in the middle of it, more often who carries the job on. */
const victims: Readonly<Record<Phase | 'any', readonly Victim[]>> = {
  denoising: ['worker', 'runner', 'postgres', 'runner', 'bot'],
  'blob to settle': ['worker', 'postgres', 'runner', 'postgres', 'bot'],
  'settle to delivery': ['bot', 'postgres', 'bot', 'worker'],
  any: ['worker', 'bot', 'postgres', 'runner'],
}
const phases: readonly Phase[] = ['denoising', 'blob to settle', 'settle to delivery']
/** Two of each phase, then one at any time. */
const turns: readonly (Phase | 'any')[] = [...phases, ...phases, 'any']

const jobsAtOnce = 5
const momentWithinMs = 20_000
/** What was on its way to the database when its sender was stopped has arrived after that. */
const arrivesMs = 25
const allEndWithinMs = 180_000

/** Kill -9, over and over. */
export const kills: Part = {
  name: 'kills',
  what: 'kill -9 of bot, worker, runner and Postgres while pictures are drawn',
  run: async ({ rounds }, say) => {
    const house = new House()
    try {
      const figures = await new Killing(house, say).run(rounds)
      const left = await house.left()
      const whole = await house.start('start')
      await whole.stop()
      left.push(...(await house.left()))
      return [...figures, none('processes left after SIGTERM', left)]
    } finally {
      await house.close()
    }
  },
}

class Killing {
  readonly #house: House
  readonly #say: (line: string) => void
  readonly #random = new Random(1)
  readonly #guests = new Guests()
  readonly #hits = new Map<Phase, number>()
  readonly #killed = new Map<Victim, number>()
  #bot!: HouseProcess
  #worker!: HouseProcess

  constructor(house: House, say: (line: string) => void) {
    this.#house = house
    this.#say = say
  }

  async run(rounds: number): Promise<Figure[]> {
    const house = this.#house
    this.#bot = await house.start('bot')
    const database = await openDatabaseOf(house)
    const events = await JobEvents.open((await findEmbedded(house.folder))!, () => {})
    const moments = new Moments(events, house.blobFolder)
    try {
      await watchRows(database)
      await raiseCaps(database)
      this.#worker = await house.start('worker')
      const startMs = performance.now()
      for (let round = 0; round < rounds; round++) await this.#round(round, database, moments)
      const seconds = (performance.now() - startMs) / 1000
      await this.#settled(database)
      const jobs = await fatedJobs(database)
      const states = Map.groupBy(jobs, ({ state }) => state)
      const figures = [
        ...phases.map((phase) =>
          atLeast(`hits ${phase}`, this.#hits.get(phase) ?? 0, Math.floor(0.15 * rounds)),
        ),
        ...Array.from(this.#killed, ([victim, count]) => told(`killed: ${victim}`, count)),
        told('a round takes on average, s', seconds / rounds),
        ...Array.from(states, ([state, { length }]) => told(`jobs ${state}`, length)),
        ...(await fates(database, this.#guests.accepted)),
        ...(await accounts(database)),
      ]
      await this.#worker.stop()
      return figures
    } finally {
      moments.close()
      await events.close()
      await closeDatabase(database)
      if (this.#bot.isRunning) await this.#bot.stop()
    }
  }

  async #round(round: number, database: Database, moments: Moments): Promise<void> {
    const startMs = performance.now()
    const turn = turns[round % turns.length]!
    const choice = victims[turn]
    const victim = choice[Math.floor(round / phases.length) % choice.length]!
    await this.#ask(database)
    const momentMs = performance.now()
    const phase =
      turn === 'any'
        ? await this.#atAnyTime(victim)
        : await this.#at(turn, victim, database, moments)
    this.#killed.set(victim, (this.#killed.get(victim) ?? 0) + 1)
    if (phase !== undefined) this.#hits.set(phase, (this.#hits.get(phase) ?? 0) + 1)
    const killedMs = performance.now()
    await this.#raise(victim, database)
    const seconds = (ms: number): string => (ms / 1000).toFixed(1)
    this.#say(
      `${round + 1}: ${victim}, wanted ${turn}, was ${phase ?? '-'} ` +
        `(${seconds(momentMs - startMs)} + ${seconds(killedMs - momentMs)} + ` +
        `${seconds(performance.now() - killedMs)} s)`,
    )
  }

  /** So that a few jobs are under way. */
  async #ask(database: Database): Promise<void> {
    const jobs = await fatedJobs(database)
    const open = jobs.filter(({ isDelivered }) => !isDelivered).length
    const wishes = Array.from({ length: Math.max(1, jobsAtOnce - open) }, () => {
      const steps = 12 + 8 * Math.floor(3 * this.#random.next())
      const side = 96 + 32 * Math.floor(3 * this.#random.next())
      return this.#guests.ask(this.#bot.url, `--size ${side}x${side} --steps ${steps}`)
    })
    await Promise.all(wishes)
  }

  async #atAnyTime(victim: Victim): Promise<undefined> {
    await sleep(this.#random.next() * 1_500)
    await this.#kill(victim)
  }

  /** Kills in a phase. @returns the phase in which the job was, as its row and blob say */
  async #at(
    phase: Phase,
    victim: Victim,
    database: Database,
    moments: Moments,
  ): Promise<Phase | undefined> {
    const mover = phase === 'settle to delivery' ? this.#bot : this.#worker
    const job = await moments.next(phase, () => signalTo(mover.pid, 'SIGSTOP'), momentWithinMs)
    try {
      // Postgres has to be asked before it is killed; its jobs' mover stands still all the same.
      if (victim !== 'postgres') await this.#kill(victim)
      await sleep(arrivesMs)
      return job === undefined ? undefined : await moments.phaseOf(database, job)
    } finally {
      if (victim === 'postgres') await this.#kill(victim)
      if (mover.isRunning) signalTo(mover.pid, 'SIGCONT')
    }
  }

  async #kill(victim: Victim): Promise<void> {
    if (victim === 'bot') await this.#bot.kill()
    else if (victim === 'worker') await this.#worker.kill()
    else {
      const pid = victim === 'runner' ? this.#worker.runner : this.#house.server
      if (pid === undefined) return
      signalTo(pid, 'SIGKILL')
      await until(`${victim} is dead`, () => !isAlive(pid), 5_000)
    }
  }

  /** Starts again what nobody else does, and waits until the database answers. */
  async #raise(victim: Victim, database: Database): Promise<void> {
    if (victim === 'bot') this.#bot = await this.#house.start('bot')
    if (victim === 'worker') this.#worker = await this.#house.start('worker')
    await until('the database answers', () =>
      database.$queryRaw`SELECT 1`.then(
        () => true,
        () => false,
      ),
    )
  }

  async #settled(database: Database): Promise<void> {
    const open = async () => (await fatedJobs(database)).filter(({ isDelivered }) => !isDelivered)
    await until(
      'everything is delivered',
      async () => (await open()).length === 0,
      allEndWithinMs,
    ).catch(async () => this.#say(`open: ${JSON.stringify(await open())}`))
  }
}
