/** When to connect again after a connection ended: the contract's close codes and HTTP refusals. */
export type Verdict =
  /** The server plans to be back: connect again soon, the backoff starts over. */
  | 'return'
  /** Connect again after a growing delay. */
  | 'retry'
  /** Connecting again would end the same way until something changes. */
  | 'stop';

/** Delays grow as baseDelayMs × 2^attempt up to maxDelayMs. */
export const RECONNECT = { baseDelayMs: 500, maxDelayMs: 30_000 } as const;

/** What a WebSocket close code asks for. */
export function verdictOfClose(closeCode: number): Verdict {
  if (closeCode === 1001 || closeCode === 1012) return 'return';
  // 1009 is what WebSocket libraries send by themselves where the server means 4509, frame too large.
  if (closeCode === 1009) return 'stop';
  return closeCode >= 4500 && closeCode <= 4999 ? 'stop' : 'retry';
}

/** What an HTTP status before the upgrade asks for. */
export function verdictOfStatus(status: number): Verdict {
  return status >= 500 || status === 429 || status === 408 ? 'retry' : 'stop';
}

/**
 * Exponential backoff with full jitter: uniform in [0, base × 2^attempt), so that a fleet which lost its
 * server together does not come back together. `random` gives [0, 1).
 */
export function reconnectDelayMs(attempt: number, random: () => number): number {
  const ceiling = Math.min(RECONNECT.maxDelayMs, RECONNECT.baseDelayMs * 2 ** Math.min(attempt, 20));
  return random() * ceiling;
}
