import type { JournalStats, Ledger } from '../journal/index.ts';
import type { CircuitState } from './circuit.ts';

/** How the way from the journal to the store stands. */
export interface WriterStatus {
  /** `waiting`: the store did not take the last write, which is tried again; `failed`: the writer itself cannot go on, and tries again. */
  state: 'running' | 'waiting' | 'failed';
  circuit: CircuitState;
  /** Why it waits or failed, for people. */
  reason: string | null;
  /** Until the next try; null where none is waited for. */
  retryInMs: number | null;
  /** Since when the state is what it is, in milliseconds since the UTC epoch. */
  sinceMs: number;
  /** Readings that are not in the store yet, and the age of the oldest frame of them. */
  pendingReadings: number;
  oldestPendingAgeMs: number | null;
  /** What an operator has to know and the writer cannot mend; null when all is well. */
  alarm: string | null;
  /** How many writer processes ended one after another without any frame settled in between. */
  endedInARow: number;
  /** Frames that the store lacks, and the journal, as far as the alarm tells of them. */
  storeMissingFrames: number;
  journalMissingFrames: number;
}

/** Readings that wait for the store, and for how long the oldest frame has. */
export function backlogOf(
  journal: { ledger(): Pick<Ledger, 'pending'>; stats(): Pick<JournalStats, 'oldestPendingMs'> },
  nowMs: number,
): Pick<WriterStatus, 'pendingReadings' | 'oldestPendingAgeMs'> {
  const { oldestPendingMs } = journal.stats();
  return {
    pendingReadings: journal.ledger().pending,
    oldestPendingAgeMs: oldestPendingMs === null ? null : Math.max(0, nowMs - oldestPendingMs),
  };
}
