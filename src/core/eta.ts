/**
 * How long a job will wait, as a range and the facts behind it; the words are for others to find.
 * The speed of a lane's virtual time tells how soon a tag is reached, and so counts on newcomers as
 * they have been coming; work over capacity counts on none, and is the least it can be.
 *
 *   wait = max(work that goes first / capacity, (S of the job - V) / speed of V) + until a device is
 *          free
 *
 * The speed is the geometric mean of that of the last half minute and that of the last four: bursts
 * begin and end. Over the guilds of the fairness bench its error is a tenth less than that of the
 * last minute's speed alone.
 */
import type { LaneBacklog, Place } from './backlog.ts'

/** Virtual times of a lane that has been busy, oldest first. */
export type SpeedHistory = readonly { readonly atMs: number; readonly virtualMicros: number }[]

/** What is to be told of a wait, in milliseconds; the facts are for the reason. */
export type WaitEstimate = {
  readonly likelyMs: number
  readonly fromMs: number
  readonly toMs: number
  readonly ownPicturesAhead: number
  readonly otherGuildsWaiting: number
}

/** What is known of a waiting job's future. */
export type Outlook = {
  /** 1: next. */
  readonly position: number
  /** None while too little is known. */
  readonly estimate: WaitEstimate | undefined
  /** Whether any device is there to draw it. */
  readonly hasDevice: boolean
}

const recentMs = 30_000
const historyMs = 240_000
const leastHistoryMs = 5_000
const earliest = 0.6
const latest = 2

/** The history with what the lane is now; one in which nobody waits begins anew. */
export function recorded(history: SpeedHistory, lane: LaneBacklog, nowMs: number): SpeedHistory {
  if (lane.guilds.length === 0) return []
  const recent = history.filter(({ atMs }) => nowMs - atMs <= historyMs)
  return [...recent, { atMs: nowMs, virtualMicros: lane.virtualMicros }]
}

/** Virtual microseconds in a millisecond; not known of less than five seconds. */
export function virtualSpeed(history: SpeedHistory): number | undefined {
  const last = history.at(-1)
  if (last === undefined) return undefined
  const speedSince = (sinceMs: number): number => {
    const first = history.find(({ atMs }) => atMs >= sinceMs) ?? last
    const elapsedMs = last.atMs - first.atMs
    return elapsedMs < leastHistoryMs ? NaN : (last.virtualMicros - first.virtualMicros) / elapsedMs
  }
  const speed = Math.sqrt(speedSince(last.atMs - recentMs) * speedSince(last.atMs - historyMs))
  return Number.isNaN(speed) ? undefined : speed
}

/** What an estimate is made of. */
export type WaitFacts = {
  readonly place: Place
  readonly lane: LaneBacklog
  /** Of all devices, in reference devices. */
  readonly capacity: number
  /** Until a device is free: 0 if one is. */
  readonly residualMs: number
  readonly speed: number | undefined
}

/** How long a job at this place will wait; not told while too little is known to say anything. */
export function waitEstimate(facts: WaitFacts): WaitEstimate | undefined {
  const { place, lane, capacity, residualMs, speed } = facts
  const firstMicros = lane.guilds.reduce((sum, { startMicros, weight, queuedMicros }) => {
    const before = weight * Math.max(0, place.startMicros - startMicros)
    return sum + Math.min(queuedMicros, before)
  }, 0)
  const leastMs = firstMicros / (capacity * lane.share * 1000)
  // Who is first in a lane that has most of the devices gets the next one that is free; in another
  // lane nobody knows yet how often it is its turn.
  if (speed === undefined && leastMs === 0 && lane.share < 0.5) return undefined
  const distanceMicros = Math.max(0, place.startMicros - lane.virtualMicros)
  const bySpeedMs = speed === undefined || speed <= 0 ? 0 : distanceMicros / speed
  const likelyMs = Math.max(leastMs, bySpeedMs) + residualMs
  return {
    likelyMs,
    fromMs: earliest * likelyMs,
    toMs: latest * likelyMs,
    ownPicturesAhead: place.picturesAhead,
    otherGuildsWaiting: place.otherGuilds,
  }
}
