/**
 * One bot process leads, whichever holds the advisory lock; the others ask again each second. A
 * leader that loses its lock, by its connection, its silence or its end, is told to stop, and
 * another one leads within 10 s. Two may overlap for a moment, when one was frozen and does not know
 * yet: what a leader writes is fenced by the state and attempt of the job's row, not by leading.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { AdvisoryLock } from '../store/advisory-lock.ts'

/** "zimagine" in ASCII: a number that no other program on the database is likely to lock. */
const leaderKey = 0x7a696d6167696e65n
const askAgainMs = 1_000

/** Whose lead it is, and until when it is wanted. */
export type LeaderOptions = {
  readonly databaseUrl: string
  /** Aborted when this process is to lead no more. */
  readonly signal: AbortSignal
  /** Told of errors that leading outlives: a database that is away, a `run` that failed. */
  readonly onError: (error: unknown) => void
}

/**
 * Waits for the lead, calls `run` while it has it, and waits again when it is lost or `run` ends,
 * until the signal is aborted. `run` is given a signal that is aborted when it must stop; the lock
 * is let go after it has. Never rejects.
 */
export async function whileLeading(
  run: (signal: AbortSignal) => Promise<void>,
  { databaseUrl, signal, onError }: LeaderOptions,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const lock = await AdvisoryLock.take(databaseUrl, leaderKey)
      if (lock !== undefined) await lead(lock, run, signal)
    } catch (error) {
      if (!signal.aborted) onError(error)
    }
    await sleep(askAgainMs, undefined, { signal }).catch(() => undefined)
  }
}

/**
 * Runs parts until each of them has ended; the first that fails ends the others. Nothing goes on
 * after this: who leads next must not meet what is left of who led before.
 *
 * @throws what the first part to fail threw
 */
export async function together(
  signal: AbortSignal,
  parts: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const failed = new AbortController()
  const ending = AbortSignal.any([signal, failed.signal])
  const running = parts.map((part) => part(ending))
  try {
    await Promise.all(running)
  } finally {
    failed.abort()
    await Promise.allSettled(running)
  }
}

async function lead(
  lock: AdvisoryLock,
  run: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const ending = AbortSignal.any([signal, lock.lost])
  try {
    await run(ending)
  } catch (error) {
    // Being told to stop is no failure, whatever it interrupted.
    if (!ending.aborted) throw error
  } finally {
    await lock.release()
  }
}
