/** What the system knows of processes, as tests need it; reads Linux's /proc. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Clock ticks of the processor a second; every Linux that we run on has 100. */
const ticksPerSecond = 100

/** Whether a process runs; one that nobody has buried yet does not. */
export function isAlive(pid: number): boolean {
  const state = readStat(pid)?.[0]
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** Children of this process that run. */
export function children(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => Number(readStat(pid)?.[1]) === process.pid && isAlive(pid))
}

/** Processor time that a process has used. */
export function cpuSeconds(pid: number): number {
  const stat = readStat(pid) ?? []
  return (Number(stat[11]) + Number(stat[12])) / ticksPerSecond
}

/** Waits until something holds; fails when it does not within a minute, far above what is needed. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!(await holds())) {
    assert.ok(performance.now() < deadline, `waited in vain until ${what}`)
    await sleep(10)
  }
}

/** The fields of /proc/PID/stat from the third on: state, parent, ... */
function readStat(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
