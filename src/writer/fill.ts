import { LIMITS, Slice, type Clock } from '../core/index.ts';
import type { BlockMemory, FollowedJournal } from '../journal/index.ts';
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
  memory: BlockMemory,
  slice = new Slice(),
): Promise<boolean> {
  // What is written a second time is not counted a second time, so no batch mixes the two.
  const settled = journal.settledPosition();
  const end = batch.first < settled ? settled : Infinity;
  for (;;) {
    const block = journal.read(batch.next, memory);
    if (block === undefined) return false;
    batch.lastMs = clock.nowMs();
    batch.sinceMs ??= batch.lastMs;
    let looked = batch.readings;
    // The memory is this batch's alone meanwhile. Reading a block anew after each pause costs more than decoding it.
    const frame = block.walk(batch.next);
    while (frame.next()) {
      if (batch.full(pace.maxRows) || frame.position >= end || !batch.add(frame)) return true;
      if (batch.readings - looked < READINGS_BETWEEN_LOOKS) continue;
      looked = batch.readings;
      await slice.pause();
    }
    await slice.pause();
  }
}

/**
 * Whether a batch that is not full has waited long enough, or nothing comes any more; else the milliseconds left, null
 * for an empty one.
 */
export function waitsMs(batch: WriteBatch, pace: Pace, clock: Clock): number | null {
  if (batch.sinceMs === null) return null;
  const nowMs = clock.nowMs();
  const quietMs = LIMITS.storeBatchMinDelayMs - (nowMs - batch.lastMs);
  return Math.max(0, Math.min(quietMs, pace.delayMs(batch.readings) - (nowMs - batch.sinceMs)));
}
