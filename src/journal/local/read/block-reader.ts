import { MillraceError } from '../../../core/index.ts';
import type { BlockMemory } from '../../block-memory.ts';
import type { JournalBlock } from '../../journal.ts';
import { openBlock } from '../format/block.ts';
import type { JournalState } from '../format/state.ts';
import type { Storage } from '../lmdb/storage.ts';

/** Reads blocks as `Journal.read` does, by the state as it is on disk. */
export function committedBlock(
  position: number,
  { head, tail }: JournalState,
  storage: Pick<Storage, 'blockAt'>,
  memory?: BlockMemory,
): JournalBlock | undefined {
  if (position >= head) return undefined;
  if (position < tail) throw expired(position, tail);
  const found = storage.blockAt(position, memory);
  // Trimmed by a transaction that is on disk but not yet told.
  if (found === undefined) throw expired(position, tail);
  const block = openBlock(found.bytes, found.first, memory);
  if (position >= block.next) {
    throw new MillraceError('journal_corrupt', `the journal has no block with position ${position}`);
  }
  return block;
}

function expired(position: number, tail: number): MillraceError {
  return new MillraceError('cursor_expired', `position ${position} is gone: the oldest kept is ${tail}`);
}
