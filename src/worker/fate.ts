/**
 * What a failure means for its job. A picture that lacked memory is drawn once more with less; a
 * device that went away under a job is not the job's fault until it has happened too often; what the
 * engine refuses it would refuse again; anything else is our own fault, told with an apology.
 */
import { type ErrorCode, UserError } from '../core/errors.ts'
import type { JobError } from '../store/jobs.ts'
import type { Part } from './drawing.ts'
import type { HeldJob } from './held-job.ts'

/** What becomes of a job that went wrong; what is unexpected is for the log as well. */
export type Fate =
  | { readonly kind: 'redo'; readonly isFrugal: boolean }
  | { readonly kind: 'give-back' }
  | { readonly kind: 'retry'; readonly reason: ErrorCode }
  | { readonly kind: 'failed'; readonly error: JobError; readonly isUnexpected: boolean }

/** There is no runner for a job, for a reason of its own. */
export class DeviceDown extends Error {
  constructor(cause: unknown) {
    super('the device is down', { cause })
  }
}

/** What the engine says of a job, whose facts people may read: no paths, no addresses. */
const refusals: ReadonlySet<ErrorCode> = new Set([
  'spec-invalid',
  'image-unsupported',
  'image-broken',
  'image-too-large',
  'image-missing',
  'picture-refused',
])

/** Below this area a device that is only perhaps short of memory draws as ever: tiles have seams. */
const largePixels = 1024 * 1024

const deaths: ReadonlySet<ErrorCode> = new Set(['runner-crashed', 'runner-stopped'])

/** What an error means for a job. */
export function fateOf(error: unknown, { lease, isRedone }: HeldJob, part: Part | undefined): Fate {
  const isUserError = error instanceof UserError
  if (isUserError && refusals.has(error.code)) return failed(error)
  if (isUserError && part && !isRedone && lacksMemory(error)) {
    const { width = 0, height = 0 } = part.spec
    const isCertain = error.code === 'runner-out-of-memory'
    return { kind: 'redo', isFrugal: isCertain || width * height >= largePixels }
  }
  if (isUserError && error.code === 'runner-out-of-memory') return failed(error)
  if (error instanceof DeviceDown && !part) return { kind: 'give-back' }
  if (error instanceof DeviceDown || (isUserError && deaths.has(error.code))) {
    if (lease.retriesLeft > 0) {
      const reason = isUserError ? error.code : 'runner-start-failed'
      return { kind: 'retry', reason }
    }
    return failed(new UserError('device-lost', {}))
  }
  return failed(new UserError('drawing-failed', {}), true)
}

/** Careful: a system without memory kills with SIGKILL, and so do people; nobody says which. */
function lacksMemory({ code, params }: UserError): boolean {
  return (
    code === 'runner-out-of-memory' || (code === 'runner-crashed' && params.signal === 'SIGKILL')
  )
}

function failed({ code, params }: UserError, isUnexpected = false): Fate {
  return { kind: 'failed', error: { code, params }, isUnexpected }
}
