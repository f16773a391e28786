/**
 * What the system knows of the processes of a house, read from Linux's /proc. All of them stand in
 * the house's folder or below it (the model's runner where its worker stands, Postgres in its
 * cluster) or name it in their command: none can be left behind unseen.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** A process that runs. */
export type Running = { readonly pid: number; readonly parent: number; readonly command: string }

/** The processes of the house in a folder. */
export function processesIn(folder: string): Running[] {
  const isInside = (path: string): boolean => path === folder || path.startsWith(`${folder}/`)
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      const pid = Number(name)
      const stat = statOf(pid)
      if (stat === undefined) return []
      const command = textOf(pid, 'cmdline').replaceAll('\0', ' ').trim()
      const isOurs = isInside(linkOf(pid, 'cwd')) || command.includes(folder)
      return isOurs ? [{ pid, parent: stat.parent, command }] : []
    })
}

/** Whether a process runs; one that nobody has buried yet does not. */
export function isAlive(pid: number): boolean {
  return statOf(pid) !== undefined
}

/** The process that holds the model of a worker, if there is one now. */
export function runnerOf(worker: number, folder: string): number | undefined {
  const isRunner = ({ parent, command }: Running): boolean =>
    parent === worker && command.includes('runner-process')
  return processesIn(folder).find(isRunner)?.pid
}

/** The server of the database in a folder, if one runs. */
export function serverIn(folder: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(`${folder}/postgres/cluster/postmaster.pid`, 'utf8'))
    return isAlive(pid) ? pid : undefined
  } catch {
    return undefined
  }
}

/** The resident memory of a process, and the most it ever had. */
export function memoryOf(pid: number): { readonly nowBytes: number; readonly mostBytes: number } {
  const status = textOf(pid, 'status')
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
  return { nowBytes: 1024 * kilobytes('VmRSS'), mostBytes: 1024 * kilobytes('VmHWM') }
}

/** Sends a signal. @returns false if there is no such process any more */
export function signalTo(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** Waits until something holds. @throws when it does not within the limit */
export async function until<Value>(
  what: string,
  holds: () => Promise<Value | undefined | false> | Value | undefined | false,
  limitMs = 120_000,
): Promise<Value> {
  const startMs = performance.now()
  for (;;) {
    const answer = await holds()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() - startMs > limitMs) {
      throw new Error(`waited ${limitMs / 1000} s in vain until ${what}`)
    }
    await sleep(10)
  }
}

function statOf(pid: number): { readonly parent: number } | undefined {
  const stat = textOf(pid, 'stat')
  const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (state === undefined || state === '' || /[ZX]/.test(state)) return undefined
  return { parent: Number(parent) }
}

function textOf(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}

function linkOf(pid: number, file: string): string {
  try {
    return readlinkSync(`/proc/${pid}/${file}`)
  } catch {
    return ''
  }
}
