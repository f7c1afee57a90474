import type { FollowedJournal } from '../journal/index.ts';
import type { Store, StorePosition } from '../store/index.ts';
import { readingsBetween, settlementOf } from './settlement.ts';

/** Where the writer goes on, and what it has to tell first. */
export interface Resumed {
  position: number;
  /** Set when the store must hear of its position before anything else, or it would speak of other frames. */
  reset: StorePosition | null;
  /** What an operator has to know; null when journal and store fit. */
  alarm: string | null;
}

/**
 * Compares what the store remembers with what is settled. Where the store is ahead, its commit was followed by a
 * crash: the journal is told of it, with the dead letters of the refused frames. Where it is behind, it was put
 * back to an earlier state: what the journal still has is written again.
 */
export async function resume(journal: FollowedJournal, store: Store): Promise<Resumed> {
  const { epoch } = journal;
  const settled = journal.settledPosition();
  const known = store.position();
  if (known === null) {
    if (store.kind === 'influxdb') {
      store.setPosition({ epoch, position: settled, refused: [] });
      return { position: settled, reset: null, alarm: null };
    }
    // A new DuckDB file beside an older journal gets what that still retains.
    const position = journal.tail();
    return { position, reset: position === 0 ? null : { epoch, position, refused: [] }, alarm: null };
  }
  if (known.epoch !== epoch) {
    return { position: settled, reset: { epoch, position: settled, refused: [] }, alarm: null };
  }
  if (known.position > journal.head()) {
    const alarm =
      `the store has frames up to ${known.position}, the journal only up to ${journal.head()}: ` +
      'the journal was put back to an earlier state';
    return { position: settled, reset: { epoch, position: settled, refused: [] }, alarm };
  }
  if (known.position > settled) {
    const received = readingsBetween(journal, settled, known.position);
    await journal.settle(
      await settlementOf(journal, { from: settled, position: known.position, received }, known.refused),
    );
  }
  return { position: Math.max(known.position, journal.tail()), reset: null, alarm: null };
}
