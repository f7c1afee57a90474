import type { Settlement } from '../journal.ts';
import type { BlockInfo } from './block.ts';
import type { JournalState } from './state.ts';

/**
 * The state after a settlement. One that does not move the position forward changes nothing, so that doing
 * it again after a crash never counts twice. `blocks` are the headers from the block that holds the old
 * position on.
 */
export function settleState(
  state: JournalState,
  settlement: Settlement,
  blocks: Iterable<BlockInfo>,
): JournalState {
  const { position } = settlement;
  if (position <= state.settled) return state;
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
