/** What commands, router and notifier work with: made once by the composition root. */
import type { Outlook } from '../core/eta.ts'
import type { Lane } from '../core/queued-job.ts'
import type { Cancelling } from '../jobs/cancel.ts'
import type { Admission } from '../jobs/submit.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { ModelCard } from '../store/devices.ts'
import type { ShownMessage } from '../store/privacy.ts'
import type { Database } from '../store/prisma.ts'

/** A guild in line, for whoever looks at the queue. */
export type ServedGuild = {
  readonly guild: string
  readonly lane: Lane
  readonly weight: number
  readonly waitingJobs: number
  readonly queuedMicros: number
  readonly runningJobs: number
}

/** The floors below, as the chat needs them. */
export type Services = {
  readonly database: Database
  readonly blobs: BlobStore
  readonly admission: Admission
  readonly cancelling: Cancelling
  /** How long a waiting job will probably wait. */
  readonly outlookOf: (jobId: string, guild: string) => Outlook
  /** Who is being served, first the one whose turn is next. */
  readonly servedNow: () => readonly ServedGuild[]
  /** What the model is and likes; none before a worker has ever told. */
  readonly modelCard: () => Promise<ModelCard | undefined>
  /**
   * Takes the messages of jobs away, whose rows are gone already, as fast as their platforms let us;
   * it may go on after this returns.
   */
  readonly removeShown: (messages: readonly ShownMessage[]) => void
  readonly now: () => number
}
