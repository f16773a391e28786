/**
 * The machine under a measurement: what it is, how much of it others used meanwhile, and how much
 * memory a process took. Memory comes from Linux' `/proc/PID/status`; elsewhere only a process' own
 * peak is known, and what is not known is left out, not guessed.
 * Source: man-pages, proc_pid_status(5) and proc_pid_clear_refs(5).
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { arch, availableParallelism, cpus, release, totalmem, type } from 'node:os'
import runtime from 'onnxruntime-node/package.json' with { type: 'json' }

/** What a figure depends on before any code of ours runs, by name. */
export function machineFacts(): Record<string, string> {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: String(availableParallelism()),
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    system: `${type()} ${release()} ${arch()}`,
    node: process.versions.node,
    onnxruntime: runtime.version,
  }
}

/** Starts to watch the processors; yields the share of them that others used, 0 to 1. */
export function watchOthers(): () => number {
  const now = (): { busyMs: number; totalMs: number; ownMs: number } => {
    const times = cpus().map((cpu) => cpu.times)
    const totalMs = times.reduce((sum, t) => sum + t.user + t.nice + t.sys + t.irq + t.idle, 0)
    const { user, system } = process.cpuUsage()
    const idleMs = times.reduce((sum, t) => sum + t.idle, 0)
    return { busyMs: totalMs - idleMs, totalMs, ownMs: (user + system) / 1000 }
  }
  const start = now()
  return () => {
    const end = now()
    const othersMs = end.busyMs - start.busyMs - (end.ownMs - start.ownMs)
    return Math.max(0, othersMs / (end.totalMs - start.totalMs))
  }
}

/** Memory of a process in bytes; file pages are those of mapped files that are in memory. */
export type ProcessMemory = {
  readonly residentBytes: number
  readonly peakBytes: number
  readonly anonymousBytes: number
  readonly fileBytes: number
}

/** Memory of process `pid`, or undefined where the system does not say or the process has ended. */
export function processMemory(pid: number): ProcessMemory | undefined {
  let status: string
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return undefined
  }
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024
  const memory = {
    residentBytes: field('VmRSS'),
    peakBytes: field('VmHWM'),
    anonymousBytes: field('RssAnon'),
    fileBytes: field('RssFile'),
  }
  // A process that is just ending has a status without memory.
  return Object.values(memory).every(Number.isFinite) ? memory : undefined
}

/** This process' largest memory since it began, or since the last `forgetPeak`. */
export function peakBytes(): number {
  // Careful: on Linux maxRSS may be the parent's, from before the process became this program.
  return processMemory(process.pid)?.peakBytes ?? process.resourceUsage().maxRSS * 1024
}

/** Makes the peak start anew; false where the system cannot. */
export function forgetPeak(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5')
    return true
  } catch {
    return false
  }
}
