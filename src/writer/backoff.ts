/**
 * Exponential backoff with full jitter: a random wait from 1 ms up to the doubling bound, in milliseconds.
 * Never 0: a store that refuses at once must not keep the event loop to itself.
 */
export function backoffMs(attempt: number, baseMs: number, maxMs: number, random: () => number): number {
  return Math.max(1, Math.round(random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30))));
}
