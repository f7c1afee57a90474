import type { ByTransport, Ledger, LedgerCounts, Transport } from '../journal.ts';

/**
 * Everything of the journal that is not a block, a device cursor or a dead letter: one small record that
 * every transaction replaces whole, so that its parts never disagree. Values are never changed in place.
 */
export interface JournalState {
  /** Position of the next frame. */
  head: number;
  /** The oldest position kept; equal to `head` when no block is. */
  tail: number;
  /** Frames before it are settled. */
  settled: number;
  /** Bytes of the blocks kept … */
  blockBytes: number;
  /** … and of those among them that hold an unsettled frame. */
  pendingBytes: number;
  /** Where the snapshot of the device cursors ends, its size, and the bytes of blocks written since. */
  snapshot: { position: number; bytes: number; blockBytesSince: number };
  /** Dead letters are kept under ids from `oldest` up to before `next`. */
  letters: { oldest: number; next: number; bytes: number };
  /** Counts in readings since the epoch's beginning. */
  counts: {
    received: ByTransport;
    duplicates: ByTransport;
    rejected: ByTransport;
    stored: ByTransport;
    deadLettered: ByTransport;
    expired: ByTransport;
  };
}

export const NO_READINGS: ByTransport = { ws: 0, http: 0, mqtt: 0 };

export const EMPTY_STATE: JournalState = {
  head: 0,
  tail: 0,
  settled: 0,
  blockBytes: 0,
  pendingBytes: 0,
  snapshot: { position: 0, bytes: 0, blockBytesSince: 0 },
  letters: { oldest: 0, next: 0, bytes: 0 },
  counts: {
    received: NO_READINGS,
    duplicates: NO_READINGS,
    rejected: NO_READINGS,
    stored: NO_READINGS,
    deadLettered: NO_READINGS,
    expired: NO_READINGS,
  },
};

export function addReadings(a: ByTransport, b: ByTransport): ByTransport {
  return { ws: a.ws + b.ws, http: a.http + b.http, mqtt: a.mqtt + b.mqtt };
}

/** The ledger. What is pending is what is left of the received, so that the sum holds by construction. */
export function ledgerOf(state: JournalState): Ledger {
  const ws = countsOf(state, 'ws');
  const http = countsOf(state, 'http');
  const mqtt = countsOf(state, 'mqtt');
  const sum = (key: keyof LedgerCounts): number => ws[key] + http[key] + mqtt[key];
  return {
    received: sum('received'),
    stored: sum('stored'),
    duplicates: sum('duplicates'),
    rejected: sum('rejected'),
    deadLettered: sum('deadLettered'),
    expired: sum('expired'),
    pending: sum('pending'),
    byTransport: { ws, http, mqtt },
  };
}

function countsOf({ counts }: JournalState, transport: Transport): LedgerCounts {
  const received = counts.received[transport];
  const stored = counts.stored[transport];
  const duplicates = counts.duplicates[transport];
  const rejected = counts.rejected[transport];
  const deadLettered = counts.deadLettered[transport];
  const expired = counts.expired[transport];
  const pending = received - stored - duplicates - rejected - deadLettered - expired;
  return { received, stored, duplicates, rejected, deadLettered, expired, pending };
}
