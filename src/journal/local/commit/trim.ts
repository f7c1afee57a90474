import type { BlockInfo } from '../format/block.ts';
import type { JournalState } from '../format/state.ts';

/** Above this part of maxBytes settled blocks go however young they are. */
const SQUEEZE_AT = 0.8;
/** A full journal takes frames again when it is below this part of its limit. */
export const RESUME_AT = 0.9;
/** Blocks that one transaction removes at most, so that none takes long. */
const MAX_BLOCKS = 2_048;

export interface TrimLimits {
  maxBytes: number;
  tailRetentionMs: number;
  tailRetentionBytes: number;
}

export interface Trim {
  removed: number[];
  state: JournalState;
  /** True when there may be more to remove in a next transaction. */
  more: boolean;
  /** True when a block goes that the snapshot of the device cursors does not include. */
  needsSnapshot: boolean;
}

/**
 * Which blocks are removed, oldest first: those settled to the last frame that are older than the tail
 * retention, or more than it allows in bytes, or before `dropTo` because frames were expired up to there, or
 * any while the journal is nearly full. `blocks` are the headers of the blocks kept, from the oldest.
 */
export function trim(
  state: JournalState,
  blocks: Iterable<BlockInfo>,
  limits: TrimLimits,
  nowMs: number,
  dropTo = 0,
): Trim {
  const removed: number[] = [];
  let { tail, blockBytes } = state;
  let needsSnapshot = false;
  if (tail < state.settled) {
    let bytesPastSnapshot = 0;
    const removable: BlockInfo[] = [];
    for (const block of blocks) {
      if (block.next > state.settled || removable.length === MAX_BLOCKS) break;
      const settledBytes = blockBytes - state.pendingBytes;
      const goes =
        block.next <= dropTo ||
        nowMs - block.arrivalMs > limits.tailRetentionMs ||
        settledBytes > limits.tailRetentionBytes ||
        blockBytes > SQUEEZE_AT * limits.maxBytes;
      if (!goes) break;
      removable.push(block);
      blockBytes -= block.sizeBytes;
      if (block.next > state.snapshot.position) bytesPastSnapshot += block.sizeBytes;
    }
    // A new snapshot for less than its own size of blocks would write more than it frees, so it waits as
    // long as there is room.
    const pressed = dropTo > tail || state.blockBytes >= RESUME_AT * limits.maxBytes;
    const worthIt = pressed || bytesPastSnapshot >= state.snapshot.bytes;
    blockBytes = state.blockBytes;
    for (const block of removable) {
      const past = block.next > state.snapshot.position;
      if (past && !worthIt) break;
      needsSnapshot ||= past;
      removed.push(block.first);
      blockBytes -= block.sizeBytes;
      tail = block.next;
    }
  }
  const more = removed.length === MAX_BLOCKS;
  return { removed, state: { ...state, tail, blockBytes }, more, needsSnapshot };
}
