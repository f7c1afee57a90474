/** Time as the client needs it. Thousands of clients can share one implementation over a single timer. */
export interface Timers {
  /** Monotonic milliseconds from an arbitrary zero. */
  nowMs(): number;
  /** Calls `run` once, no sooner than after `delayMs`. Returns the way to cancel it. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemTimers: Timers = {
  nowMs: () => performance.now(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
