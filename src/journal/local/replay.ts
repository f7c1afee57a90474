import { isDeviceId, LIMITS, MillraceError } from '../../core/index.ts';
import type { ReplayedLetter } from '../journal.ts';
import type { Batch } from './batch.ts';
import { letterId, parseLetterId } from './stored-letter.ts';
import type { LettersState } from './state.ts';
import type { Storage } from './storage.ts';

/** A replay that waits for the next transaction, and its answer by then. */
export interface PendingReplay {
  letters: readonly ReplayedLetter[];
  positions: Map<string, number | null>;
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
  { letters, positions }: PendingReplay,
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
    positions.set(letterId(id), batch.replay({ id, letter }, request, nowMs));
  }
}

/**
 * The ids that replayed frames had as dead letters, by position, until they are settled: one that the store
 * refuses again gets its id back. Bounded; the oldest are forgotten, and get a new id then.
 */
export class ReplayedIds {
  readonly byPosition = new Map<number, number>();

  /** Takes note of a replay that is on disk, and of how far the store has come. */
  update(positions: ReadonlyMap<string, number | null>, settled: number): void {
    for (const [id, position] of positions) {
      if (position !== null) this.byPosition.set(position, parseLetterId(id));
    }
    // Positions grow, so the oldest entries come first.
    for (const position of this.byPosition.keys()) {
      if (position >= settled && this.byPosition.size <= LIMITS.replayedIds) return;
      this.byPosition.delete(position);
    }
  }
}
