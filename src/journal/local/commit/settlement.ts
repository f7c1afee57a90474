import {
  MillraceError,
  NO_READINGS,
  addReadings,
  totalReadings,
  type ByTransport,
} from '../../../core/index.ts';
import type { DeadLetterInput, Settlement } from '../../journal.ts';
import type { BlockInfo } from '../format/block.ts';
import type { JournalState } from '../format/state.ts';

export interface PendingSettlement {
  settlement: Settlement;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Whether there is anything to do: what was done before is asked again after a crash. Throws for frames that are not
 * there, and where a settlement that was reported as failed is on disk, with some of the same frames.
 */
export function isDue({ from, position }: Settlement, { settled, head }: JournalState): boolean {
  if (position > head) {
    throw new MillraceError('internal', `position ${position} cannot be settled: nothing is there yet`);
  }
  if (position <= settled) return false;
  if (from !== settled) {
    const frames = `frames ${from} to ${position - 1}`;
    throw new MillraceError('internal', `${frames} cannot be settled: it is done up to ${settled}`);
  }
  return true;
}

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
    givenUp: expiredTo(settlement) === 0 ? state.givenUp : withGivenUp(state, position),
    pendingBytes,
    counts: {
      ...state.counts,
      stored: addReadings(state.counts.stored, settlement.stored),
      deadLettered: addReadings(state.counts.deadLettered, readingsOf(settlement.deadLetters)),
      expired: addReadings(state.counts.expired, settlement.expired),
    },
  };
}

/** What was given up from where the settled frames end; what was before goes on where it ends there. */
function withGivenUp({ givenUp, settled }: JournalState, to: number): JournalState['givenUp'] {
  return { from: givenUp.to === settled ? givenUp.from : settled, to };
}

function readingsOf(letters: readonly DeadLetterInput[]): ByTransport {
  const readings = { ...NO_READINGS };
  for (const letter of letters) readings[letter.transport] += letter.readings;
  return readings;
}

/** The position before which a settlement's blocks go at once. */
export function expiredTo({ position, expired }: Settlement): number {
  return totalReadings(expired) > 0 ? position : 0;
}
