import { isNumbered, NO_READINGS, Slice, type ByTransport } from '../core/index.ts';
import type { DeadLetterInput, FollowedJournal, Settlement } from '../journal/index.ts';
import type { RefusedFrame } from '../store/index.ts';

/**
 * What the journal is told once the store has the frames at [from, position): of the readings `received` with them,
 * those of refused frames become dead letters and the others are stored. The frames must still be in the journal;
 * each of its blocks is read once.
 */
export async function settlementOf(
  journal: Pick<FollowedJournal, 'read'>,
  { from, position, received }: { from: number; position: number; received: Readonly<ByTransport> },
  refused: readonly RefusedFrame[],
): Promise<Settlement> {
  const stored = { ...received };
  const deadLetters: DeadLetterInput[] = [];
  const inOrder = refused.toSorted((a, b) => a.position - b.position);
  const slice = new Slice();
  let next = 0;
  for (let wanted = inOrder[0]; wanted !== undefined; wanted = inOrder[next]) {
    const block = journal.read(wanted.position);
    if (block === undefined) break;
    for (const frame of block.frames(wanted.position)) {
      const refusal = inOrder[next];
      if (refusal === undefined) break;
      if (refusal.position !== frame.position) continue;
      next++;
      const { device, transport, seq, arrivalMs, bytes } = frame;
      const { code, message } = refusal;
      // A replayed frame counts only for those of its readings that are not stored yet.
      const readings = Math.min(refusal.readings, frame.readings);
      stored[transport] -= readings;
      deadLetters.push({
        device,
        transport,
        atMs: arrivalMs,
        code,
        message,
        readings,
        // One that was replayed has the number 0; the journal knows what it was.
        seq: isNumbered(transport) && seq > 0 ? seq : null,
        position: frame.position,
        bytes: bytes.slice(),
      });
    }
    await slice.pause();
  }
  return { from, position, stored, expired: NO_READINGS, deadLetters };
}

/** Readings of the frames at [from, to), as the journal holds them. */
export function readingsBetween(
  journal: Pick<FollowedJournal, 'read'>,
  from: number,
  to: number,
): ByTransport {
  const readings = { ...NO_READINGS };
  for (let at = from; at < to;) {
    const block = journal.read(at);
    if (block === undefined) break;
    for (const frame of block.frames(at)) {
      if (frame.position >= to) break;
      readings[frame.transport] += frame.readings;
    }
    at = block.next;
  }
  return readings;
}
