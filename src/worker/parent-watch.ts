/**
 * A thread of the runner that ends the whole process when the parent is gone. The main thread would
 * not hear of it: its event loop stands still during an onnxruntime run, for minutes at worst.
 * `workerData` is the parent's process id.
 */
import { workerData } from 'node:worker_threads'

const parentPid: unknown = workerData
const intervalMs = 500

setInterval(() => {
  if (!hasParent()) process.kill(process.pid, 'SIGKILL')
}, intervalMs)

function hasParent(): boolean {
  if (process.ppid !== parentPid) return false // POSIX hands an orphan to another parent.
  try {
    return process.kill(process.ppid, 0) // Windows does not, so ask after the parent itself.
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}
