/** First come, first served, one at a time; whoever gives up waiting leaves the order untouched. */
export class Turns {
  #last: Promise<void> = Promise.resolve()
  #waiting = 0

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Waits until all who came before are done; the returned function ends the turn.
   *
   * @throws the signal's reason, at once, when it is aborted before the turn comes
   */
  async take(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted()
    const previous = this.#last
    const turn = Promise.withResolvers<void>()
    // Whoever is next waits for all before, even when this turn is given up.
    this.#last = previous.then(() => turn.promise)
    this.#waiting++
    try {
      await unlessAborted(previous, signal)
    } catch (reason) {
      turn.resolve()
      throw reason
    } finally {
      this.#waiting--
    }
    return turn.resolve
  }
}

async function unlessAborted(wait: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return wait
  const aborted = Promise.withResolvers<never>()
  const onAbort = (): void => aborted.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await Promise.race([wait, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
