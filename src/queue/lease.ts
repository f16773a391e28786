/**
 * The nouns of the queue: a dispatch is what the scheduler hands over, a lease is one worker's hold
 * on it. A lease is lost when nobody beats its heart in time; its attempt number then fences out
 * whoever held it before.
 */
import { z } from 'zod'

/** A job handed to the devices of one class; order among dispatches is the order of `dispatch`. */
export type Dispatch = {
  /** 1 to 64 of `A-Za-z0-9_-`. */
  readonly jobId: string
  /** 1 for the first; a job dispatched anew gets one larger than any of its dispatches and leases. */
  readonly attempt: number
  /** 1 to 64 of `A-Za-z0-9_.-`: who may take it. */
  readonly deviceClass: string
  /** A few facts for the worker, at most 4 KiB as JSON; all else is in the job's row. */
  readonly payload?: Payload
}

/** Small facts that travel with a dispatch. */
export type Payload = Readonly<Record<string, string | number | boolean>>

/** How a lease ends for good; the charge and the words are the caller's. */
export type Outcome = 'done' | 'failed' | 'cancelled'

/** Why a lease's signal is aborted. */
export class LeaseEnded extends Error {
  /** `cancelled`: still ours to settle. `lost`: somebody else's by now, settle would be stale. */
  readonly why: 'cancelled' | 'lost'

  constructor(why: 'cancelled' | 'lost') {
    super(`the lease is ${why}`)
    this.name = 'LeaseEnded'
    this.why = why
  }
}

/** What pg-boss calls one fetched job: with its retry count it names one attempt. */
export type Claim = { readonly name: string; readonly id: string; readonly retryCount: number }

/** One worker's exclusive hold on a dispatch. */
export class Lease {
  readonly jobId: string
  /** The fence: of all leases of a job, the newest has the largest. */
  readonly attempt: number
  /** How often it will still be handed to another worker should this one die. */
  readonly retriesLeft: number
  readonly payload: Payload
  /** Row of the queue behind this lease. */
  readonly claim: Claim
  readonly #ending = new AbortController()

  constructor(claim: Claim, data: DispatchData, retriesLeft: number) {
    this.claim = claim
    this.jobId = data.jobId
    this.attempt = data.attempt + claim.retryCount
    this.retriesLeft = retriesLeft
    this.payload = data.payload
    if (data.cancelled) this.end('cancelled')
  }

  /** Aborted with a `LeaseEnded` when the job is cancelled or the lease is lost. */
  get signal(): AbortSignal {
    return this.#ending.signal
  }

  /** Aborts the signal; the queue's to call. Without effect the second time. */
  end(why: 'cancelled' | 'lost'): void {
    this.#ending.abort(new LeaseEnded(why))
  }
}

/** What a dispatch is in the queue's own rows; `cancelled` is added there by a cancel. */
export const dispatchData = z.object({
  jobId: z.string().regex(/^[\w-]{1,64}$/),
  attempt: z.int().positive(),
  payload: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  cancelled: z.boolean().exactOptional(),
})

/** See `dispatchData`. */
export type DispatchData = z.infer<typeof dispatchData>
