/** Waiting for a name to be called, without missing the call that comes just before the wait. */

/** Sleepers by name; a count of calls closes the gap between looking and sleeping. */
export class Wakes {
  readonly #counts = new Map<string, number>()
  readonly #sleepers = new Map<string, Set<() => void>>()

  /** How often a name was called; taken before looking, given to `sleep` after. */
  count(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  /** Wakes all who sleep under a name. */
  call(name: string): void {
    this.#counts.set(name, this.count(name) + 1)
    for (const wake of this.#sleepers.get(name) ?? []) wake()
  }

  /** Wakes all. */
  callAll(): void {
    for (const name of this.#sleepers.keys()) this.call(name)
  }

  /** Sleeps until the name is called, `ms` are over or the signal is aborted, whichever is first. */
  async sleep(name: string, since: number, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.count(name) !== since) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = (): void => resolve()
    const sleepers = this.#sleepers.get(name) ?? new Set()
    this.#sleepers.set(name, sleepers.add(wake))
    const timer = setTimeout(wake, ms)
    signal.addEventListener('abort', wake)
    await promise
    signal.removeEventListener('abort', wake)
    clearTimeout(timer)
    sleepers.delete(wake)
  }
}
