/**
 * Which job is handed out next, and to which class of devices: by the fair queue alone. A device
 * with room takes the job whose turn it is, with mates if it draws small jobs together; a device
 * without may be given the rival of a long job (`core/preemption.ts`; its worker asks that again).
 */
import { mayPreempt } from '../core/preemption.ts'
import type { QueuedJob } from '../core/queued-job.ts'
import type { Estimates } from './estimates.ts'
import type { DeviceClass, HandedOut } from './handed-out.ts'
import type { Order } from './order.ts'

/** How far ahead of its turn a job may be drawn because it fits a batch: scheduling.md, 3.4. */
const batchWindowMicros = 1_000_000

/** What is to be handed out together; the fair queue has it as running. */
export type Pick = {
  readonly deviceClass: string
  /** More than one: a batch. */
  readonly jobs: readonly QueuedJob[]
  readonly rivalOf?: string
}

/** What a pick is made from. */
export type Choice = {
  readonly order: Order
  readonly handed: HandedOut
  readonly estimates: Estimates
  /** The fastest first. */
  readonly classes: readonly DeviceClass[]
  /** Jobs that cannot be handed over just now. */
  readonly paused: ReadonlySet<string>
}

/** What to hand out now; nothing, if nobody has room or nothing is fit for who has. */
export function pickNext(choice: Choice, nowMs: number): Pick | undefined {
  const { order, handed, classes } = choice
  if (order.queue.queuedJobs === 0) return undefined
  for (const deviceClass of classes) {
    if (!handed.hasRoom(deviceClass)) continue
    const accepts = acceptsOf(choice, deviceClass)
    const head = order.queue.dispatch(nowMs, accepts)
    if (head === undefined) continue
    const jobs = [head, ...matesOf(head, choice, deviceClass)]
    return { deviceClass: deviceClass.name, jobs }
  }
  for (const deviceClass of classes) {
    const rival = pickRival(choice, deviceClass, nowMs)
    if (rival !== undefined) return rival
  }
  return undefined
}

/** Mates for a batch, unless other devices are idle and would draw them sooner. */
function matesOf(head: QueuedJob, choice: Choice, deviceClass: DeviceClass): QueuedJob[] {
  const { order, handed, classes } = choice
  if (head.batchKey === undefined || deviceClass.mostBatch < 2) return []
  const idle = classes.reduce((sum, each) => sum + handed.idleDevices(each), 0)
  const idleOthers = Math.max(0, idle - 1)
  const most = Math.min(deviceClass.mostBatch - 1, order.queue.queuedJobs - idleOthers)
  const accepts = acceptsOf(choice, deviceClass)
  return order.queue.dispatchMates(head.batchKey, batchWindowMicros, most, accepts)
}

/** A job that may take the place of one that a device of this class is drawing. */
function pickRival(choice: Choice, deviceClass: DeviceClass, nowMs: number): Pick | undefined {
  const { order, handed, estimates } = choice
  const { queue } = order
  const accepts = acceptsOf(choice, deviceClass)
  for (const running of handed.preemptible(deviceClass.name)) {
    const { id, expectedMicros, progress, preemptions } = running
    const doneMicros = Math.round(order.estimateOf(id) * progress.part)
    const next = queue.rival(id, doneMicros, nowMs, accepts)
    if (next === undefined) continue
    const newcomerMicros = estimates.onDevice(deviceClass.name, order.workOf(next.id))
    const preemptible = {
      remainingMicros: expectedMicros * (1 - progress.part),
      stepsLeft: progress.stepsLeft,
      preemptions,
      partialsOnDevice: 1,
    }
    if (!mayPreempt(newcomerMicros, preemptible)) continue
    // It is its turn only as long as the running job is charged no more than it has done.
    queue.charge(id, doneMicros)
    const picked = queue.dispatch(nowMs, accepts)
    queue.charge(id, order.estimateOf(id))
    if (picked) return { deviceClass: deviceClass.name, jobs: [picked], rivalOf: id }
  }
  return undefined
}

/** A job too large for every device goes to any: the device knows best how to say so. */
function acceptsOf(
  { order, classes, paused }: Choice,
  { mostPixels }: DeviceClass,
): (job: QueuedJob) => boolean {
  const largest = Math.max(...classes.map((each) => each.mostPixels))
  return ({ id }) => {
    if (paused.has(id)) return false
    const { width, height } = order.workOf(id)
    return width * height <= mostPixels || width * height > largest
  }
}
