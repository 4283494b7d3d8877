/**
 * Exponential back-off with full jitter: after the n-th failure in a row a random time up to
 * BASE · 2^n, at most CAP. Thousands of clients that lost one server come back spread out.
 *
 * May import: nothing.
 */

export const BASE = 500;
export const CAP = 30_000;

/** Milliseconds to wait after failure number `attempt` (from 0); `random` is from 0 to 1. */
export function backoff(attempt: number, random: number): number {
  return random * Math.min(CAP, BASE * 2 ** Math.min(attempt, 16));
}

/** How long to leave something alone that the server refused with `retryAfter`, the `refusals`-th time (from 1). */
export function refusalDelay(retryAfter: number, refusals: number, random: number): number {
  const grown = Math.max(retryAfter, 50) * 2 ** Math.min(refusals - 1, 5);
  return Math.min(CAP, grown) * (1 + random / 2);
}
