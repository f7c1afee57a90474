import type { Ledger, Transport } from '../journal.ts';

/** Readings by the way that they came in. */
export type ByTransport = Record<Transport, number>;

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
    stored: number;
    deadLettered: number;
    expired: number;
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
    stored: 0,
    deadLettered: 0,
    expired: 0,
  },
};

export function addReadings(a: ByTransport, b: ByTransport): ByTransport {
  return { ws: a.ws + b.ws, http: a.http + b.http, mqtt: a.mqtt + b.mqtt };
}

/** The ledger. What is pending is what is left of the received, so that the sum holds by construction. */
export function ledgerOf({ counts }: JournalState): Ledger {
  const received = total(counts.received);
  const duplicates = total(counts.duplicates);
  const rejected = total(counts.rejected);
  const { stored, deadLettered, expired } = counts;
  const pending = received - stored - duplicates - rejected - deadLettered - expired;
  return { received, stored, duplicates, rejected, deadLettered, expired, pending };
}

function total(readings: ByTransport): number {
  return readings.ws + readings.http + readings.mqtt;
}
