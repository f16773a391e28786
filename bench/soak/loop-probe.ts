/**
 * Loaded into a process before its own modules: looks each millisecond how long its event loop has
 * kept everybody waiting, and answers whoever started it, who asks by a message.
 */
import { z } from 'zod'

/** Since it was asked last: the longest wait, and the longest time at work between two looks. */
export const blockage = z.object({ waitedMs: z.number(), workedMs: z.number() })
/** What a loop has done to those who wait. */
export type Blockage = z.infer<typeof blockage>

const everyMs = 1

let worst: Blockage = { waitedMs: 0, workedMs: 0 }
let lookedAtMs = performance.now()
let usage = process.threadCpuUsage()

function look(): void {
  const nowMs = performance.now()
  const { user, system } = process.threadCpuUsage(usage)
  // Careful: a machine that is busy with others holds a thread up too, which is no work of ours.
  const waitedMs = Math.max(worst.waitedMs, nowMs - lookedAtMs - everyMs)
  const workedMs = Math.max(worst.workedMs, (user + system) / 1000)
  worst = { waitedMs, workedMs }
  lookedAtMs = nowMs
  usage = process.threadCpuUsage()
}

// Whoever reads the schema alone is not looked at.
if (process.send) {
  setInterval(look, everyMs).unref()
  process.on('message', () => {
    look()
    process.send?.(worst)
    worst = { waitedMs: 0, workedMs: 0 }
  })
  process.channel?.unref()
}
