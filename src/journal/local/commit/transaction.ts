import { addReadings } from '../../../core/index.ts';
import type { Clock } from '../../../core/index.ts';
import type { Origin, Settlement } from '../../journal.ts';
import type { Batch, BatchMemory } from './batch.ts';
import { readBlockInfo } from '../format/block.ts';
import { type AddedLetter, keepLetters, type LetterLimits } from './dead-letters.ts';
import { keepContents, type OpenEntry } from '../dedupe/dedupe-log.ts';
import type { DedupeLimits } from '../dedupe/dedupe-window.ts';
import type { DeviceCursor } from '../numbers/device-cursor.ts';
import type { DeviceCursors } from '../numbers/device-cursors.ts';
import { settleState } from './settlement.ts';
import type { OutboxCursor, OutboxRecord } from '../numbers/outbox-cursors.ts';
import type { JournalState } from '../format/state.ts';
import type { Change, Storage } from '../lmdb/storage.ts';
import type { KnownLetter } from './replay.ts';
import { type FoundLetter, storedLetter } from '../format/stored-letter.ts';
import { trim, type TrimLimits } from './trim.ts';

/** A batch that takes no more; `block` is null when all of its frames were refused or known. */
export interface SealedBatch {
  batch: Batch;
  block: Buffer | null;
}

/** What one transaction brings of one connection: see Origin.onDurable. */
export interface Durable {
  lastSeq: number;
  frameBytes: number;
  arrivalMs: number;
}

/** A change on its way to the disk, and whom to tell of it. */
export interface Transaction {
  change: Change;
  /** What each connection is told then. */
  origins: Map<Origin, Durable>;
  cursors: Set<DeviceCursor>;
  /** The dedupe log's last entry then. */
  openEntry: OpenEntry | null;
  /** Nothing to write: what was looked for was not due. */
  empty: boolean;
  /** Trimming has more to do in a next transaction. */
  more: boolean;
}

interface TransactionSurroundings {
  storage: Pick<Storage, 'infos' | 'lettersFrom' | 'contents'>;
  memory: Pick<BatchMemory, 'cursors' | 'shares'>;
  /** Position of a replayed frame → what it was as a dead letter. */
  replayedLetters: ReadonlyMap<number, KnownLetter>;
  openEntry: OpenEntry | null;
  /** Blocks before it go, because frames were expired up to there. */
  dropTo: number;
  settings: TrimLimits & LetterLimits & DedupeLimits & { snapshotBytes: number; clock: Clock; stamps: Clock };
}

/** Puts batches and settlements, in their order, and the trimming behind them into one change. */
export function buildTransaction(
  before: JournalState,
  batches: readonly SealedBatch[],
  settlements: readonly Settlement[],
  { storage, memory, replayedLetters, openEntry, dropTo, settings }: TransactionSurroundings,
): Transaction {
  const { cursors, shares } = memory;
  const origins = new Map<Origin, Durable>();
  const moved = new Set<DeviceCursor>();
  const single = new Map<string, number>();
  /** Devices whose outboxes no block speaks of, or not by name. */
  const recorded = new Set<string>();
  const blocks: { first: number; bytes: Buffer }[] = [];
  const nowMs = settings.clock.nowMs();
  const stampMs = settings.stamps.nowMs();
  const added: AddedLetter[] = [];
  const replayed: FoundLetter[] = [];
  let state = before;
  for (const { batch, block } of batches) {
    state = batchState(state, batch, block);
    if (block !== null) blocks.push({ first: batch.builder.first, bytes: block });
    for (const letter of batch.letters)
      added.push({ id: null, letter: storedLetter(letter, 'rejected', stampMs) });
    replayed.push(...batch.replayed);
    for (const slot of batch.slots) {
      const { origin, cursor, device, lastSeq, frameBytes } = slot;
      const earlier = origins.get(origin);
      // Most transactions hold one batch, and then its slots are all there is to say.
      if (earlier === undefined) origins.set(origin, slot);
      else origins.set(origin, { ...earlier, lastSeq, frameBytes: earlier.frameBytes + frameBytes });
      if (cursor === null || lastSeq <= cursor.committing) continue;
      cursor.committing = lastSeq;
      moved.add(cursor);
      if (isOutbox(cursor)) {
        if (cursors.outboxes.use(cursor) || block === null) recorded.add(device);
      } else if (block === null) single.set(device, lastSeq);
    }
  }
  state = { ...state, outboxesForgotten: cursors.outboxes.forgotten };
  const outboxes = new Map<string, OutboxRecord>();
  for (const device of recorded) outboxes.set(device, cursors.outboxes.record(device, state.head));
  for (const settlement of settlements) {
    // Done before, and asked again after a crash: it must not count twice.
    if (settlement.position <= state.settled) continue;
    state = settleState(state, settlement, storage.infos(state.settled));
    for (const input of settlement.deadLetters) {
      const known = input.position === null ? undefined : replayedLetters.get(input.position);
      const letter = known === undefined ? input : { ...input, seq: known.seq };
      added.push({ id: known?.id ?? null, letter: storedLetter(letter, 'deadLettered', stampMs) });
    }
  }
  const trimmed = trim(state, storage.infos(state.tail), settings, nowMs, dropTo);
  const kept = keepLetters(trimmed.state, { replayed, added }, storage, shares, settings, nowMs);
  const contents = keepContents(
    before.contents,
    batches.map(({ batch }) => batch.contents),
    openEntry,
    (from) => storage.contents(from),
    settings,
    nowMs,
    stampMs,
  );
  state = { ...kept.state, contents: contents.state };
  const { blockBytesSince } = state.snapshot;
  // A large snapshot is worth writing less often.
  const due = blockBytesSince >= Math.max(settings.snapshotBytes, 8 * state.snapshot.bytes);
  const snapshot = trimmed.needsSnapshot || due ? cursors.encodeSnapshot(state.head) : null;
  if (snapshot !== null) state = withSnapshot(state, snapshot);
  return {
    change: {
      state,
      blocks,
      removedBlocks: trimmed.removed,
      letters: kept.letters,
      removedLetters: kept.removedLetters,
      contents: contents.put,
      removedContents: contents.removed,
      cursors: single,
      outboxes,
      snapshot,
    },
    origins,
    cursors: moved,
    openEntry: contents.open,
    empty:
      batches.length === 0 &&
      settlements.length === 0 &&
      trimmed.removed.length === 0 &&
      kept.removedLetters.length === 0 &&
      contents.removed.length === 0,
    more: trimmed.more || kept.more || contents.more,
  };
}

/** A last snapshot of the device cursors; null when nothing came since the one before. */
export function closingChange(state: JournalState, cursors: DeviceCursors): Change | null {
  if (state.snapshot.position === state.head) return null;
  const snapshot = cursors.encodeSnapshot(state.head);
  return {
    state: withSnapshot(state, snapshot),
    blocks: [],
    removedBlocks: [],
    letters: [],
    removedLetters: [],
    contents: null,
    removedContents: [],
    cursors: new Map(),
    outboxes: new Map(),
    snapshot,
  };
}

function isOutbox(cursor: DeviceCursor | OutboxCursor): cursor is OutboxCursor {
  return 'life' in cursor;
}

function withSnapshot(state: JournalState, snapshot: Buffer): JournalState {
  return { ...state, snapshot: { position: state.head, bytes: snapshot.length, blockBytesSince: 0 } };
}

function batchState(state: JournalState, batch: Batch, block: Buffer | null): JournalState {
  const { counts, letters, snapshot } = state;
  const size = block?.length ?? 0;
  return {
    ...state,
    head: block === null ? state.head : readBlockInfo(block).next,
    blockBytes: state.blockBytes + size,
    pendingBytes: state.pendingBytes + size,
    snapshot: { ...snapshot, blockBytesSince: snapshot.blockBytesSince + size },
    letters: { ...letters, dropped: letters.dropped + batch.lettersDropped },
    counts: {
      ...counts,
      received: addReadings(counts.received, batch.received),
      duplicates: addReadings(counts.duplicates, batch.duplicates),
      rejected: addReadings(counts.rejected, batch.rejected),
      deadLettered: addReadings(counts.deadLettered, batch.deadLettered),
    },
  };
}
