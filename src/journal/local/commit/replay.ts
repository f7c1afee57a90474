import { isDeviceId, LIMITS, MillraceError } from '../../../core/index.ts';
import type { ReplayedLetter } from '../../journal.ts';
import type { Batch } from './batch.ts';
import { letterId, parseLetterId } from '../format/stored-letter.ts';
import type { LettersState } from '../format/state.ts';
import type { Storage } from '../lmdb/storage.ts';

/** A dead letter by its id, and the number that its frame had on its connection. */
export interface KnownLetter {
  id: number;
  seq: number | null;
}

/** A replay that waits for the next transaction, and its answer by then. */
export interface PendingReplay {
  letters: readonly ReplayedLetter[];
  positions: Map<string, number | null>;
  /** What the letters were that became frames, by their new positions. */
  known: Map<number, KnownLetter>;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Puts dead letters into a new batch. It has to be called when no transaction is under way and the batch goes
 * into the next one: only then does what the storage says about a letter hold until its commit. Letters that
 * are gone, or named twice, are left out. Throws `internal` over the limits of one
 * replay, before anything is taken.
 */
export function replayInto(
  batch: Batch,
  { letters, positions, known }: PendingReplay,
  state: LettersState,
  storage: Pick<Storage, 'letter'>,
  nowMs: number,
): void {
  if (letters.length > LIMITS.maxReplayLetters) {
    throw new MillraceError('internal', `${letters.length} dead letters are too many for one replay`);
  }
  const taken = new Set<number>();
  const found = [];
  let bytes = 0;
  for (const request of letters) {
    const id = parseLetterId(request.id);
    const letter = id < state.oldest || taken.has(id) ? undefined : storage.letter(id);
    if (letter === undefined || !isDeviceId(letter.device)) continue;
    taken.add(id);
    bytes += letter.bytes.length;
    found.push({ request, id, letter });
  }
  // One letter may be larger than the limit and must not stay for ever.
  if (bytes > LIMITS.maxReplayBytes && found.length > 1) {
    throw new MillraceError('internal', `${bytes} bytes of dead letters are too many for one replay`);
  }
  for (const { request, id, letter } of found) {
    const position = batch.replay({ id, letter }, request, nowMs);
    positions.set(letterId(id), position);
    if (position !== null) known.set(position, { id, seq: letter.seq });
  }
}

/**
 * What replayed frames were as dead letters, by position, until they are settled: one that the store refuses again
 * gets its id and its number back. Bounded; the oldest are forgotten, and get a new id and no number then.
 */
export class ReplayedLetters {
  readonly byPosition = new Map<number, KnownLetter>();

  /** Takes note of a replay that is on disk, and of how far the store has come. */
  update(known: ReadonlyMap<number, KnownLetter>, settled: number): void {
    for (const [position, letter] of known) this.byPosition.set(position, letter);
    // Positions grow, so the oldest entries come first.
    for (const position of this.byPosition.keys()) {
      if (position >= settled && this.byPosition.size <= LIMITS.replayedIds) return;
      this.byPosition.delete(position);
    }
  }
}
