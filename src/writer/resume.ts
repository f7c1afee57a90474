import type { FollowedJournal } from '../journal/index.ts';
import type { Store, StorePosition } from '../store/index.ts';
import { type Hole, passedOver } from './holes.ts';
import { readingsBetween, settlementOf } from './settlement.ts';

/** Where the writer goes on, and what it has to tell first. */
export interface Resumed {
  position: number;
  /** Set when the store must hear of its position before anything else, or it would speak of other frames. */
  reset: StorePosition | null;
  /** Frames that are passed over: to be written down before anything else, or nobody would know of them again. */
  holes: Hole[];
}

/**
 * Compares what the store remembers with what is settled. Where the store is ahead, its commit was followed by a
 * crash: the journal is told of it, with the dead letters of the refused frames. Where it is behind, it was lost,
 * replaced or put back to an earlier state: what the journal still has is written again, and what it has not is a
 * hole. Of a store that keeps no position nothing can be told here.
 */
export async function resume(journal: FollowedJournal, store: Store): Promise<Resumed> {
  const { epoch } = journal;
  const settled = journal.settledPosition();
  const known = store.position();
  if (known === null && !store.traits.keepsPosition) {
    store.setPosition({ epoch, position: settled, refused: [] });
    return { position: settled, reset: null, holes: [] };
  }
  if (known === null || known.epoch !== epoch) {
    // A new store beside an older journal, or one of another journal: it has none of these frames.
    const position = journal.tail();
    const reset = known === null && position === 0 ? null : { epoch, position, refused: [] };
    return { position, reset, holes: passedOver(journal, 0, position) };
  }
  const head = journal.head();
  if (known.position > head) {
    const holes: Hole[] = [{ lacking: 'journal', epoch, from: head, to: known.position }];
    return { position: settled, reset: { epoch, position: settled, refused: [] }, holes };
  }
  if (known.position > settled) {
    const received = readingsBetween(journal, settled, known.position);
    await journal.settle(
      await settlementOf(journal, { from: settled, position: known.position, received }, known.refused),
    );
  }
  const position = Math.max(known.position, journal.tail());
  return { position, reset: null, holes: passedOver(journal, known.position, position) };
}
