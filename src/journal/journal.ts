import type { ByTransport, Transport } from '../core/index.ts';
import type { BlockMemory } from './block-memory.ts';

/** An outbox of a device as the journal knows it, from when it is new until it is forgotten. */
export interface OutboxLife {
  id: string;
  /** Another number each time that the journal meets it as a new one. */
  life: number;
  /** What the outbox's numbers belong to: the journal and this life of it. */
  epoch: string;
}

/**
 * Where frames come from: one per device connection. The journal keeps it while frames of it are in
 * flight and calls it back once per commit.
 */
export interface Origin {
  readonly device: string;
  readonly transport: Transport;
  /** The outbox that numbers the frames; without one the numbers are the device's own. It does not change after the first frame. */
  readonly outbox?: OutboxLife | null;
  /**
   * Everything up to `seq` is on disk (synced). Called in order, once per commit that held any of it, with the
   * bytes of all frames that it took from this origin and the arrival of the first of them, in milliseconds.
   */
  onDurable(seq: number, frameBytes: number, arrivalMs: number): void;
  /** A frame of it is known by its content. Told before the durability that covers it. */
  onDuplicate?(): void;
  /** The journal failed; what was in flight is not acknowledged. */
  onFailed(): void;
}

export interface DeadLetterInput {
  device: string;
  transport: Transport;
  /** Arrival of the frame, in milliseconds since the UTC epoch. */
  atMs: number;
  code: string;
  message: string;
  /** Readings that it stands for in the ledger: 1 for a frame that cannot be decoded. */
  readings: number;
  /** The frame's number on its connection; null where the way in has none, or where nobody knows it any more. */
  seq: number | null;
  /** The frame's place in the journal; null for a frame that was refused before the ack. */
  position: number | null;
  bytes: Uint8Array;
}

/** A frame that is refused before its ack: the number is told with it. */
export type RejectedFrame = Omit<DeadLetterInput, 'seq'>;

export interface DeadLetter extends DeadLetterInput {
  id: string;
  /** Which refusal: before the ack (`rejected`) or by the store after it (`deadLettered`). */
  kind: 'rejected' | 'deadLettered';
}

/** One frame as it is read back; `seq` is 0 for one that came back from the dead letters. `bytes` is a view: copy what must outlive the iteration step. */
export interface JournalFrame {
  position: number;
  device: string;
  seq: number;
  transport: Transport;
  arrivalMs: number;
  readings: number;
  bytes: Uint8Array;
}

/**
 * Frames one after the other, where they lie: `bytes[start..end)` of the block. It is the same object for all of them, which
 * costs nothing per frame.
 */
export interface FrameCursor extends Omit<JournalFrame, 'bytes'> {
  /** The whole block's. */
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Goes to the next frame, the first one to begin with; false behind the last one. */
  next(): boolean;
}

/**
 * A committed block: frames at positions [first, next). Frames are decoded while iterating, over as many turns of the
 * event loop as it takes: the block stays as it was read.
 */
export interface JournalBlock {
  first: number;
  next: number;
  readings: number;
  sizeBytes: number;
  /** When the block was begun; a replayed frame in it may have arrived long before. */
  arrivalMs: number;
  /** `readings` by transport, without a look at the frames. */
  readingsByTransport(): ByTransport;
  frames(from?: number): Iterable<JournalFrame>;
  /** The same frames; `next()` leads to the first one at or behind `from`. */
  walk(from?: number): FrameCursor;
}

/** A dead letter that passes its checks by now and goes back to the frames. */
export interface ReplayedLetter {
  id: string;
  /** Readings of the frame, as its check counts them. */
  readings: number;
  /**
   * As in `append`. It matters for a frame that was refused before its ack only: the content of one that the
   * store refused is its own.
   */
  content: string | null;
}

/** Counts in readings; received = the sum of the others, at every instant. */
export interface LedgerCounts {
  received: number;
  stored: number;
  duplicates: number;
  rejected: number;
  deadLettered: number;
  expired: number;
  pending: number;
}

/** The sums, and the same by transport: each of them balances. */
export interface Ledger extends LedgerCounts {
  byTransport: Readonly<Record<Transport, LedgerCounts>>;
}

/** Whole milliseconds [fromMs, toMs) that the times of some rows lie in. */
export interface RowTimes {
  fromMs: number;
  toMs: number;
}

/** What became of the frames at [from, position). One is made at a time. */
export interface Settlement {
  /** settledPosition() when the readings were counted: the journal refuses to count any of them twice. */
  from: number;
  /** Everything before it is settled. */
  position: number;
  /** Readings written to the store. */
  stored: ByTransport;
  /**
   * Readings given up by a limit that the operator chose. When there are any, the blocks before `position` are
   * removed in the same transaction, whatever the tail retention, so that they make room.
   */
  expired: ByTransport;
  /** What the store refused. Their `readings` are counted as deadLettered. */
  deadLetters: readonly DeadLetterInput[];
  /** The times of the frames' rows; left out where nobody has looked at them. The journal does not keep it. */
  times?: RowTimes;
}

export interface JournalStats {
  /** `filling`: above 80 % of a limit, still taking frames. */
  state: 'open' | 'filling' | 'full' | 'failed';
  /** Bytes of blocks kept, and those of them that are not settled yet. */
  bytes: number;
  pendingBytes: number;
  maxBytes: number;
  /** Arrival of the oldest frame that is not settled; null when all are. */
  oldestPendingMs: number | null;
  /** Bytes accepted and not yet on disk. */
  queuedBytes: number;
  /** Dead letters that its limits removed, since the epoch's beginning. */
  lettersDropped: number;
  /** How many of the dropped letters were of acknowledged frames. */
  ackedLettersDropped: number;
  /** For people: why it failed, or which limit is near or reached, and how far. */
  reason?: string;
}

/**
 * The only source of truth before the store. One process writes; positions count frames from 0 without a
 * hole and are never reused within an epoch.
 */
export interface Journal {
  /** Names this journal; another one after it was replaced. Survives a crash. */
  readonly epoch: string;
  /** The position that the next committed frame will have: all before it is on disk. */
  head(): number;
  /** The oldest position that can still be read. */
  tail(): number;
  /** The devices that ever had a number: how many, at least, and whether one is among them. */
  readonly devices: Readonly<{ names: number; has(device: string): boolean }>;
  /** The last durable number of the device, or of its outbox; 0 for a new one. */
  deviceSeq(device: string, outbox?: OutboxLife | null): number;
  /**
   * The life of a device's outbox that goes on, or a new one, which begins with its first frame. Of each device the
   * LIMITS.outboxesPerDevice that were used last are remembered; one that was forgotten begins another life.
   */
  outbox(device: string, id: string): OutboxLife;

  /**
   * Takes a checked frame. The bytes are copied before it returns. `seq` must be the next of the device, or of the origin's outbox.
   * Durability is told by origin.onDurable. The caller asks `accepting()` first; appends are taken even when
   * full, so that what a socket has already delivered is not dropped.
   *
   * `content` names the record by its bytes, for transports that number nothing: up to 64 characters of latin1,
   * such as the 16 bytes of a hash. A frame with the content of
   * one that the same device brought within the dedupe window is counted as a duplicate and not kept. Returns
   * false for a duplicate and tells its origin; its durability is told all the same.
   */
  append(
    origin: Origin,
    seq: number,
    bytes: Uint8Array,
    readings: number,
    arrivalMs: number,
    content?: string | null,
  ): boolean;
  /** Takes a refused frame: its number counts, it becomes a dead letter in the same commit. */
  reject(origin: Origin, seq: number, letter: RejectedFrame): void;
  /** False when full, failed or too far behind the disk: new connections are refused and acks withheld. */
  accepting(): boolean;
  /** Called when `accepting()` or the state changes. Returns the way to stop it. */
  onStateChange(listener: (state: JournalStats['state'], accepting: boolean) => void): () => void;
  /** Resolves when everything taken so far is on disk; rejects with `journal_failed`. */
  flush(): Promise<void>;

  /**
   * The committed block that holds `position`, or undefined at the head. Throws `cursor_expired` below tail(). With
   * `memory` it may be read into that, and is there until the next one is.
   */
  read(position: number, memory?: BlockMemory): JournalBlock | undefined;
  /** Called after each commit with the new head. Returns the way to stop it. */
  onCommit(listener: (head: number) => void): () => void;

  /** The writer's durable progress: frames before it are settled. */
  settledPosition(): number;
  /** Moves it forward with its counts and dead letters, in one transaction, and trims behind it. */
  settle(settlement: Settlement): Promise<void>;

  /** The frames [from, to) that were given up last, by limits that the operator chose. */
  givenUp(): { from: number; to: number };

  ledger(): Ledger;
  /** Newest first; `before` is the id of the last one seen. */
  deadLetters(limit: number, before?: string): DeadLetter[];
  deadLetter(id: string): DeadLetter | undefined;
  /**
   * Takes dead letters back as frames, with their first arrival, in one commit with their removal; they count
   * as pending then. Resolves when that is on disk, with each frame's position: null for a duplicate; ids that
   * are no (longer a) dead letter are left out. What the store refuses again comes back under the id that it
   * had, unless the process ended in between. Throws `internal` for more than LIMITS.maxReplayLetters, or
   * LIMITS.maxReplayBytes of frames, in one call.
   */
  replay(letters: readonly ReplayedLetter[]): Promise<Map<string, number | null>>;
  stats(): JournalStats;
  close(): Promise<void>;
}

/** What the way to the store needs of a journal, which another process may write. */
export interface FollowedJournal extends Pick<
  Journal,
  | 'epoch'
  | 'head'
  | 'tail'
  | 'read'
  | 'onCommit'
  | 'settledPosition'
  | 'settle'
  | 'givenUp'
  | 'ledger'
  | 'deadLetters'
> {
  stats(): Pick<
    JournalStats,
    'bytes' | 'pendingBytes' | 'maxBytes' | 'oldestPendingMs' | 'ackedLettersDropped'
  >;
}
