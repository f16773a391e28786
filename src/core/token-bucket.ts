/**
 * A token bucket: two numbers, filled when looked at, in proportion to the time since the last
 * look. One that has anything in it admits a cost of any size and may so go into debt; therefore in
 * any time t it admits at most burst + rate x t + one cost.
 */

/** What is in a bucket, and when that was true. Tokens below 0 are a debt. */
export type TokenBucket = { readonly tokens: number; readonly atMs: number }

/** How fast a bucket fills, and where it is full. */
export type TokenRate = { readonly perMs: number; readonly burst: number }

/** The bucket as it is now; a clock that went backwards fills nothing. */
export function refilled(bucket: TokenBucket, rate: TokenRate, nowMs: number): TokenBucket {
  const elapsedMs = Math.max(0, nowMs - bucket.atMs)
  return {
    tokens: Math.min(rate.burst, bucket.tokens + elapsedMs * rate.perMs),
    atMs: Math.max(bucket.atMs, nowMs),
  }
}

/** Takes a cost out of a bucket, into debt if need be; a cost below 0 gives back. */
export function taken(bucket: TokenBucket, cost: number): TokenBucket {
  return { ...bucket, tokens: bucket.tokens - cost }
}

/** Milliseconds until the bucket admits again: 0 if it does now. */
export function waitMs(bucket: TokenBucket, rate: TokenRate, nowMs: number): number {
  const { tokens } = refilled(bucket, rate, nowMs)
  return tokens > 0 ? 0 : Math.floor(-tokens / rate.perMs) + 1
}
