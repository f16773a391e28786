/**
 * A job that this worker holds a lease on, from the moment it is taken until it has ended. While it
 * waits for the device its row and its picture to start from are fetched.
 */
import { UserError } from '../core/errors.ts'
import type { Lease } from '../queue/lease.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { findJob, type StoredJob } from '../store/jobs.ts'
import type { Database } from '../store/prisma.ts'
import { type DispatchFacts, type Drawing, readDispatchFacts } from './drawing.ts'
import type { Ends } from './ends.ts'
import type { Progress } from './progress.ts'

/** What must be known of a job before it is drawn. */
export type Prepared = { readonly job: StoredJob; readonly image: Uint8Array | undefined }

/** How long a blob store may be away before a job fails for it. */
export const blobLimitMs = 30_000

/** A lease and what has become of its job. */
export class HeldJob {
  readonly lease: Lease
  readonly facts: DispatchFacts
  /** Undefined if there is no such job any more. */
  readonly prepared: Promise<Prepared | undefined>
  readonly progress: Progress
  /** None before it is begun. */
  drawing: Drawing | undefined

  constructor(
    lease: Lease,
    around: {
      readonly database: Database
      readonly blobs: BlobStore
      readonly ends: Ends
      readonly progressOf: (facts: DispatchFacts) => Progress
    },
  ) {
    this.lease = lease
    this.facts = readDispatchFacts(lease.payload)
    this.progress = around.progressOf(this.facts)
    this.prepared = prepare(lease, around.ends, around.database, around.blobs)
    // Whoever begins it hears of it.
    this.prepared.catch(() => {})
  }

  get id(): string {
    return this.lease.jobId
  }
}

async function prepare(
  lease: Lease,
  ends: Ends,
  database: Database,
  blobs: BlobStore,
): Promise<Prepared | undefined> {
  const job = await ends.persist(lease, () => findJob(database, lease.jobId))
  if (job === undefined) return undefined
  const key = job.spec.image
  if (key === undefined) return { job, image: undefined }
  const image = await ends.persist(lease, () => blobs.get(key), blobLimitMs)
  if (image === undefined) throw new UserError('image-missing', {})
  return { job, image }
}
