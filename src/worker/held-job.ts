/**
 * A job that this worker holds a lease on, from the moment it is taken until it has ended. While it
 * waits for the device its row and its picture to start from are fetched.
 */
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import type { JobSpec } from '../core/job-spec.ts'
import type { PictureSpec } from '../engine/pipeline.ts'
import type { Lease } from '../queue/lease.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import { findJob, type StoredJob } from '../store/jobs.ts'
import type { Database } from '../store/prisma.ts'
import type { Ends } from './ends.ts'
import type { Progress } from './progress.ts'

/** What must be known of a job before it is drawn. */
export type Prepared = { readonly job: StoredJob; readonly image: Uint8Array | undefined }

/** What the scheduler says with a dispatch; what it does not say is as the house's defaults are. */
export type DispatchFacts = z.infer<typeof dispatchFacts>

const dispatchFacts = z
  .object({
    /** What it is thought to take here. */
    estimateMicros: z.number().default(0),
    /** The id of the first job of its batch. */
    batch: z.string().exactOptional(),
    /** The id of a job that it may interrupt. */
    rival: z.string().exactOptional(),
    hasPreviews: z.boolean().default(true),
    hasRecipe: z.boolean().default(true),
  })
  .readonly()

/** How long the picture to start from may be out of reach; the device may be waiting for it. */
const inputLimitMs = 5_000

/** A lease and what has become of its job. */
export class HeldJob {
  readonly lease: Lease
  readonly facts: DispatchFacts
  /** Undefined if there is no such job any more. */
  readonly prepared: Promise<Prepared | undefined>
  readonly progress: Progress
  /** Whether it is drawn once more because memory may have been short. */
  isRedone = false

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
    // Another version's leader may say more or less than we know; a job is drawn all the same.
    this.facts = dispatchFacts.safeParse(lease.payload).data ?? dispatchFacts.parse({})
    this.progress = around.progressOf(this.facts)
    this.prepared = prepare(lease, around.ends, around.database, around.blobs)
    // Whoever begins it hears of it.
    this.prepared.catch(() => {})
  }

  /** The job's id. */
  get id(): string {
    return this.lease.jobId
  }
}

/** A job as the engine is asked for it. */
export function pictureSpecOf(
  spec: JobSpec,
  image: Uint8Array | undefined,
  hasPreviews: boolean,
): PictureSpec {
  const { prompt, negativePrompt, width, height, seed, count, evaluations, guidance } = spec
  return {
    prompt,
    width,
    height,
    seed,
    count,
    evaluations,
    guidance,
    preview: hasPreviews,
    ...(negativePrompt !== undefined && { negativePrompt }),
    ...(image && { image, ...(spec.strength !== undefined && { strength: spec.strength }) }),
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
  const image = await ends.persist(lease, () => blobs.get(key), inputLimitMs)
  if (image === undefined) throw new UserError('image-missing', {})
  return { job, image }
}
