import { type Clock, steadyClock } from '../../core/index.ts';

/** The steady clock, and waiting on it. */
export interface Timing extends Clock {
  /** Calls `run` once after `delayMs`. Returns the way to cancel it. */
  after(delayMs: number, run: () => void): () => void;
}

export const systemTiming: Timing = {
  nowMs: () => steadyClock.nowMs(),
  after: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
