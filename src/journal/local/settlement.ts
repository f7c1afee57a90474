import type { Settlement } from '../journal.ts';
import type { BlockInfo } from './block.ts';
import type { JournalState } from './state.ts';

/** The state after a settlement that moves forward. `blocks`: headers from the one that holds the old position on. */
export function settleState(
  state: JournalState,
  settlement: Settlement,
  blocks: Iterable<BlockInfo>,
): JournalState {
  const { position } = settlement;
  let { pendingBytes } = state;
  for (const block of blocks) {
    if (block.next > position) break;
    if (block.next > state.settled) pendingBytes -= block.sizeBytes;
  }
  return {
    ...state,
    settled: position,
    pendingBytes,
    counts: {
      ...state.counts,
      stored: state.counts.stored + settlement.stored,
      deadLettered: state.counts.deadLettered + settlement.deadLettered,
    },
  };
}
