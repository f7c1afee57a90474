import { MillraceError, isNumbered } from '../../../core/index.ts';
import { openBlock } from '../format/block.ts';
import { restoreWindow } from '../dedupe/dedupe-log.ts';
import { DedupeWindow } from '../dedupe/dedupe-window.ts';
import { DeviceCursors } from '../numbers/device-cursors.ts';
import type { BatchMemory } from '../commit/batch.ts';
import { LetterShares } from '../commit/letter-shares.ts';
import type { JournalSettings } from '../commit/settings.ts';
import type { Storage } from '../lmdb/storage.ts';

/** What a journal keeps in memory of its files. */
export type Memory = BatchMemory;

/** Throws `journal_corrupt` where the head that was found is behind the one that was told durable. */
export function checkNotBack(head: number, before: number): void {
  if (head >= before) return;
  const lost = `frames ${head} to ${before - 1} were on disk and are not any more`;
  throw new MillraceError('journal_corrupt', `the journal has gone back: ${lost}`);
}

/** Reads it from disk. Throws `journal_corrupt`. */
export function restoreMemory(storage: Storage, settings: JournalSettings): Memory {
  const window = new DedupeWindow(settings, settings.clock.nowMs());
  const { oldest, frames } = storage.state.contents;
  restoreWindow(window, storage.contents(oldest), frames, settings);
  const { count, oldest: from } = storage.state.letters.rejected;
  const shares = new LetterShares(settings, count === 0 ? [] : storage.lettersFrom(from));
  return { cursors: restoreCursors(storage), window, shares };
}

/**
 * Fills the device cursors from disk: the snapshot, single records, and the tables of the blocks since, whose
 * checksums and order are checked on the way. Throws `journal_corrupt`.
 */
function restoreCursors(storage: Storage): DeviceCursors {
  const cursors = new DeviceCursors(storage.state.outboxesForgotten);
  const snapshot = storage.snapshot();
  let position = snapshot === undefined ? storage.state.tail : cursors.restoreSnapshot(snapshot);
  for (const { device, seq } of storage.cursors()) cursors.restore(device, seq);
  const recordedAt = new Map<string, number>();
  for (const { device, record } of storage.outboxes()) {
    cursors.outboxes.restore(device, record);
    recordedAt.set(device, record.at);
  }
  while (position < storage.state.head) {
    const found = storage.blockAt(position);
    if (found === undefined || found.first !== position) {
      throw new MillraceError('journal_corrupt', `the journal has lost its block at position ${position}`);
    }
    const block = openBlock(found.bytes, found.first);
    for (const { device, life, transport, replayed, lastSeq } of block.devices()) {
      if (!isNumbered(transport) || replayed) continue;
      const isNews = block.next > (recordedAt.get(device) ?? 0);
      if (life === null) cursors.restore(device, lastSeq);
      else cursors.outboxes.restoreSeq(device, life, lastSeq, isNews);
    }
    position = block.next;
  }
  return cursors;
}
