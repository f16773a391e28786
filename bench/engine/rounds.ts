/**
 * Times several things in turn, round after round, so that whatever slows the machine down for a
 * while slows all of them alike and their ratios still say something.
 */
import { setTimeout as pause } from 'node:timers/promises'

/** One timed call; processor time is that of all threads and does not count waiting for others. */
export type Timing = { readonly seconds: number; readonly processorSeconds: number }

/** What is timed, by name. */
export type Calls = Readonly<Record<string, () => Promise<unknown>>>

/** A run's threads turn idly for some 60 ms after it, which the next call must not pay for. */
const pauseMs = 100

/** Times one call. */
export async function time(call: () => Promise<unknown>): Promise<Timing> {
  const startMs = performance.now()
  const start = process.cpuUsage()
  await call()
  const seconds = (performance.now() - startMs) / 1000
  const { user, system } = process.cpuUsage(start)
  return { seconds, processorSeconds: (user + system) / 1e6 }
}

/** Calls everything once untimed, then `rounds` times in turn; yields each one's timings by round. */
export async function inTurn<C extends Calls>(
  rounds: number,
  calls: C,
): Promise<Record<keyof C, Timing[]>>
export async function inTurn(rounds: number, calls: Calls): Promise<Record<string, Timing[]>> {
  const timings = Object.fromEntries(
    Object.keys(calls).map((name): [string, Timing[]] => [name, []]),
  )
  for (let round = 0; round <= rounds; round++) {
    for (const [name, call] of Object.entries(calls)) {
      await pause(pauseMs)
      const timing = await time(call)
      if (round > 0) timings[name]!.push(timing)
    }
  }
  return timings
}
