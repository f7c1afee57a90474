import { Slice, type Clock } from '../core/index.ts';
import type { FollowedJournal } from '../journal/index.ts';
import type { WriteBatch } from './batch.ts';
import type { Pace } from './pace.ts';

/** Readings decoded between two looks at the clock: some tens of microseconds. */
const READINGS_BETWEEN_LOOKS = 256;

/**
 * Takes committed frames into the batch, in slices; true when it can take no more. Throws what the journal throws
 * where it cannot be read; the batch is good up to there.
 */
export async function fill(
  batch: WriteBatch,
  journal: FollowedJournal,
  pace: Pace,
  clock: Clock,
  slice = new Slice(),
): Promise<boolean> {
  // What is written a second time is not counted a second time, so no batch mixes the two.
  const settled = journal.settledPosition();
  const end = batch.first < settled ? settled : Infinity;
  for (;;) {
    const block = journal.read(batch.next);
    if (block === undefined) return false;
    batch.sinceMs ??= clock.nowMs();
    let looked = batch.readings;
    // A block stays as it is for as long as it is walked. Reading it anew after each pause costs more than decoding it.
    for (const frame of block.frames(batch.next)) {
      if (batch.full(pace.maxRows) || frame.position >= end || !batch.add(frame)) return true;
      if (batch.readings - looked < READINGS_BETWEEN_LOOKS) continue;
      looked = batch.readings;
      await slice.pause();
    }
    await slice.pause();
  }
}

/** Whether a batch that is not full has waited long enough; else the milliseconds left, null for an empty one. */
export function waitsMs(batch: WriteBatch, pace: Pace, clock: Clock): number | null {
  if (batch.sinceMs === null) return null;
  return Math.max(0, pace.delayMs(batch.readings) - (clock.nowMs() - batch.sinceMs));
}
