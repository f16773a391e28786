/**
 * Runs measurements in processes of their own and looks at their memory from outside: a process in
 * an onnxruntime run cannot look at itself. Whatever ends this process ends the measurement too.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { processMemory } from './machine.ts'
import type { measurements } from './measurements.ts'

type Measurements = typeof measurements
type Name = keyof Measurements
type Result<N extends Name> = Awaited<ReturnType<Measurements[N]>>

/** Largest sizes seen of a process' two kinds of memory, not necessarily at the same moment. */
export type SampledMemory = { readonly anonymousBytes: number; readonly fileBytes: number }

const sampleMs = 5
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs one measurement; its messages go to this process' standard error. */
export async function measure<N extends Name>(
  name: N,
  ...args: Parameters<Measurements[N]>
): Promise<Result<N>> {
  return (await start(name, args)).result
}

/** `measure`, with what was seen of its memory; undefined where the system does not say. */
export async function measureMemory<N extends Name>(
  name: N,
  ...args: Parameters<Measurements[N]>
): Promise<Result<N> & { readonly sampled: SampledMemory | undefined }> {
  let sampled: SampledMemory | undefined
  const { result } = await start(name, args, (pid) => {
    const memory = processMemory(pid)
    if (!memory) return
    sampled = {
      anonymousBytes: Math.max(memory.anonymousBytes, sampled?.anonymousBytes ?? 0),
      fileBytes: Math.max(memory.fileBytes, sampled?.fileBytes ?? 0),
    }
  })
  return { ...result, sampled }
}

async function start<N extends Name>(
  name: N,
  args: Parameters<Measurements[N]>,
  look?: (pid: number) => void,
): Promise<{ readonly result: Result<N> }> {
  const entry = fileURLToPath(new URL('child.ts', import.meta.url))
  const child = fork(entry, [JSON.stringify([name, ...args])], { execArgv: [] })
  running.add(child)
  const timer = look && setInterval(() => look(child.pid!), sampleMs)
  try {
    return await new Promise((resolve, reject) => {
      let answer: { readonly result: Result<N> } | undefined
      child.on('message', (result: Result<N>) => (answer = { result }))
      child.on('error', reject)
      child.on('exit', (code, signal) => {
        if (code === 0 && answer) resolve(answer)
        else reject(new Error(`${name} ended with ${code ?? signal}`))
      })
    })
  } finally {
    clearInterval(timer)
    running.delete(child)
  }
}
