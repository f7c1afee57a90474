/** Exponential backoff with full jitter: a random wait between 0 and the doubling bound, in milliseconds. */
export function backoffMs(attempt: number, baseMs: number, maxMs: number, random: () => number): number {
  return Math.round(random() * Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30)));
}
