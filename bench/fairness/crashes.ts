/**
 * Scenario J: workers that die or are cut off, and a leader that starts anew from tags of up to a
 * second ago and from the rows of now. The rows are the truth: which jobs wait, which run, at which
 * attempt and on which device, and which were delivered.
 */
import { FairQueue, type FairQueueSnapshot } from '../../src/core/fair-queue.ts'
import { Service, lagBoundMicros } from './measure.ts'
import { queuedJob } from './policy.ts'
import { Random } from './random.ts'
import { type Scenario, atMost, within } from './scenario.ts'
import { Agenda } from './simulation.ts'
import { type SimulatedJob, backlog, costMicros, newJob } from './workload.ts'

const devices = 4
const endMicros = 1200e6
const leaseMicros = 60e6
const writeMicros = 1e6
const lossMicros = 90e6

type Row = { readonly job: SimulatedJob; attempt: number; executions: number; deliveries: number }

class House {
  queue = new FairQueue({ capacity: devices })
  readonly rows = new Map<string, Row>()
  readonly agenda = new Agenda()
  readonly service: Service
  crashes = 0
  readonly #random: Random
  #written: FairQueueSnapshot
  readonly #runningOn: (string | undefined)[] = Array(devices).fill(undefined)

  constructor(jobs: readonly SimulatedJob[], weights: ReadonlyMap<string, number>, random: Random) {
    this.#random = random
    this.service = new Service(weights)
    for (const job of jobs) {
      this.rows.set(job.id, { job, attempt: 0, executions: 0, deliveries: 0 })
      this.queue.enqueue(queuedJob(job))
    }
    this.#written = this.queue.snapshot()
  }

  run(): void {
    for (let device = 0; device < devices; device++) this.#runNext(device)
    for (let at = writeMicros; at < endMicros; at += writeMicros) {
      this.agenda.plan(at, () => (this.#written = this.queue.snapshot()))
    }
    for (let at = lossMicros; at < endMicros; at += lossMicros * (0.5 + this.#random.next())) {
      this.agenda.plan(at, () => this.#loseWorker(Math.floor(this.#random.next() * devices)))
    }
    this.agenda.plan((0.3 + 0.4 * this.#random.next()) * endMicros, () => this.#loseLeader())
    this.agenda.runUntil(endMicros)
  }

  #runNext(device: number): void {
    const next = this.queue.dispatch(this.agenda.nowMicros / 1000)
    if (next === undefined) throw new Error('internal: a guild ran out of jobs')
    const row = this.rows.get(next.id)!
    const attempt = ++row.attempt
    row.executions++
    this.#runningOn[device] = next.id
    this.agenda.plan(this.agenda.nowMicros + row.job.trueMicros, () => {
      // A worker that was lost in between has forgotten this job.
      if (this.#runningOn[device] !== next.id || row.attempt !== attempt) return
      this.#deliver(row, attempt)
      this.#runNext(device)
    })
  }

  /** The row decides: only the attempt that it names may deliver. */
  #deliver(row: Row, attempt: number): void {
    if (row.deliveries > 0 || row.attempt !== attempt) return
    if (!this.queue.settle(row.job.id, row.job.trueMicros)) return
    row.deliveries++
    this.service.add(row.job.guild, row.job.trueMicros)
  }

  /** A worker dies, or is cut off and tries to deliver once it is back; its lease runs out. */
  #loseWorker(device: number): void {
    const id = this.#runningOn[device]
    if (id === undefined) return
    this.crashes++
    const row = this.rows.get(id)!
    const { attempt } = row
    this.#runningOn[device] = undefined
    this.agenda.plan(this.agenda.nowMicros + leaseMicros, () => {
      this.queue.returnToHead(id)
      row.attempt++
      this.#deliver(row, attempt)
      this.#runNext(device)
    })
  }

  /** A new leader: old tags, with the jobs that the rows know now. */
  #loseLeader(): void {
    const now = this.queue.snapshot()
    const { open, strict } = this.#written
    this.queue = FairQueue.restore({ ...now, open, strict }, { capacity: devices })
    this.queue.check()
  }
}

export const crashes: Scenario = {
  name: 'J',
  what: 'workers lost every 90 s, a leader lost once, 4 devices, 1200 s',
  figures: [
    within('share of one of two guilds', 0.5, 0.01, 'every seed'),
    atMost('lag as part of 5 x bound + 4 s', 1, 'every seed'),
    atMost('deliveries of any job', 1, 'every seed'),
    atMost('executions beyond one, for each crash', 1, 'every seed'),
  ],
  run: (seed) => {
    const random = new Random(seed)
    const weights = new Map([
      ['one', 1],
      ['other', 1],
    ])
    const jobs = [...weights.keys()].flatMap((guild) =>
      backlog(4000, () => {
        const estimateMicros = Math.round(costMicros(1024) * Math.exp(0.3 * random.normal()))
        return newJob(guild, 1024, 0, { estimateMicros })
      }),
    )
    const house = new House(jobs, weights, random)
    house.run()
    const rows = [...house.rows.values()]
    const boundMicros = (devices + 1) * lagBoundMicros(jobs, weights) + devices * writeMicros
    const again = rows.reduce((sum, { executions }) => sum + Math.max(0, executions - 1), 0)
    return [
      house.service.share('one'),
      house.service.lagMicros / boundMicros,
      Math.max(...rows.map(({ deliveries }) => deliveries)),
      again / house.crashes,
    ]
  },
}
