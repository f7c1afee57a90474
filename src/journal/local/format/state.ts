import {
  MillraceError,
  NO_READINGS,
  byTransport,
  totalReadings,
  type Transport,
  type ByTransport,
} from '../../../core/index.ts';
import type { Ledger, LedgerCounts } from '../../journal.ts';

/**
 * Everything of the journal that is not a block, a device cursor, a dead letter or a dedupe entry: one small
 * record that every transaction replaces whole, so that its parts never disagree. Values are never changed in
 * place.
 */
export interface JournalState {
  /** Position of the next frame. */
  head: number;
  /** The oldest position kept; equal to `head` when no block is. */
  tail: number;
  /** Frames before it are settled. */
  settled: number;
  /** The frames that were given up last: [from, to), as far as they follow each other. */
  givenUp: { from: number; to: number };
  /** How many outboxes of devices were forgotten for newer ones (numbers/outbox-cursors.ts). */
  outboxesForgotten: number;
  /** Bytes of the blocks kept … */
  blockBytes: number;
  /** … and of those among them that hold an unsettled frame. */
  pendingBytes: number;
  /** Where the snapshot of the device cursors ends, its size, and the bytes of blocks written since. */
  snapshot: { position: number; bytes: number; blockBytesSince: number };
  letters: LettersState;
  contents: ContentsState;
  /** Counts in readings since the epoch's beginning. */
  counts: Readonly<Record<CountName, ByTransport>>;
}

/** The dead letters: kept under ids from `oldest` up to before `next`, with holes where some were replayed. */
export interface LettersState {
  oldest: number;
  next: number;
  count: number;
  bytes: number;
  /** Not after the oldest became a dead letter; null when none is kept. */
  oldestMs: number | null;
  /** Letters that the limits removed, since the epoch's beginning, and those of acknowledged frames among them. */
  dropped: number;
  droppedAcked: number;
  /** How many of the kept letters are of kind `rejected`, and an id that none of those lies below. */
  rejected: { oldest: number; count: number };
}

/** The log behind the dedupe window: entries from `oldest` up to before `next`, with so many frames in them. */
export interface ContentsState {
  oldest: number;
  next: number;
  frames: number;
}

/** What the state counts by transport. */
export type CountName = Exclude<keyof LedgerCounts, 'pending'>;
export const COUNT_NAMES: readonly CountName[] = [
  'received',
  'stored',
  'duplicates',
  'rejected',
  'deadLettered',
  'expired',
];

export const EMPTY_STATE: JournalState = {
  head: 0,
  tail: 0,
  settled: 0,
  givenUp: { from: 0, to: 0 },
  outboxesForgotten: 0,
  blockBytes: 0,
  pendingBytes: 0,
  snapshot: { position: 0, bytes: 0, blockBytesSince: 0 },
  letters: {
    oldest: 0,
    next: 0,
    count: 0,
    bytes: 0,
    oldestMs: null,
    dropped: 0,
    droppedAcked: 0,
    rejected: { oldest: 0, count: 0 },
  },
  contents: { oldest: 0, next: 0, frames: 0 },
  counts: {
    received: NO_READINGS,
    stored: NO_READINGS,
    duplicates: NO_READINGS,
    rejected: NO_READINGS,
    deadLettered: NO_READINGS,
    expired: NO_READINGS,
  },
};

/** A state record as format 1 has it; format 2 lacks `letters.rejected` only. */
export interface StateOfFormat1 extends Omit<
  JournalState,
  'letters' | 'contents' | 'counts' | 'givenUp' | 'outboxesForgotten'
> {
  letters: { oldest: number; next: number; bytes: number };
  /** The last three had no transports at first; only WebSockets brought frames then. */
  counts: Readonly<Record<CountName, ByTransport | number>>;
}

/**
 * A state record as it was found, of format 1 or of the present one, as the present one. Throws
 * `journal_corrupt` for a record without counts.
 */
export function readState(found: JournalState | StateOfFormat1): JournalState {
  const counts: Record<CountName, ByTransport> = { ...EMPTY_STATE.counts };
  for (const name of COUNT_NAMES) {
    const count = found.counts[name];
    if (typeof count !== 'number' && typeof count !== 'object') {
      throw new MillraceError('journal_corrupt', `the journal's state record lacks its count of ${name}`);
    }
    counts[name] = typeof count === 'number' ? { ...NO_READINGS, ws: count } : { ...NO_READINGS, ...count };
  }
  const { oldest, next } = found.letters;
  return {
    ...found,
    // Format 1 knew no holes. A time before every letter's makes the first transaction look at them. Which of
    // them are rejected, opening counts.
    letters: {
      count: next - oldest,
      oldestMs: next > oldest ? 0 : null,
      dropped: 0,
      // Format 2 counted all of them alone.
      droppedAcked: 'dropped' in found.letters ? found.letters.dropped : 0,
      rejected: EMPTY_STATE.letters.rejected,
      ...found.letters,
    },
    contents: 'contents' in found ? found.contents : EMPTY_STATE.contents,
    // Records of earlier versions do not tell.
    givenUp: 'givenUp' in found ? found.givenUp : EMPTY_STATE.givenUp,
    outboxesForgotten: 'outboxesForgotten' in found ? found.outboxesForgotten : 0,
    counts,
  };
}

/** The ledger. What is pending is what is left of the received, so that the sum holds by construction. */
export function ledgerOf(state: JournalState): Ledger {
  const counts = byTransport((transport) => countsOf(state, transport));
  const sum = (key: keyof LedgerCounts): number => totalReadings(byTransport((each) => counts[each][key]));
  return {
    received: sum('received'),
    stored: sum('stored'),
    duplicates: sum('duplicates'),
    rejected: sum('rejected'),
    deadLettered: sum('deadLettered'),
    expired: sum('expired'),
    pending: sum('pending'),
    byTransport: counts,
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
