import type { ByTransport, DeadLetterInput, Journal, Settlement } from '../journal/index.ts';
import type { RefusedFrame } from '../store/index.ts';

export const NO_READINGS: Readonly<ByTransport> = { ws: 0, http: 0, mqtt: 0 };

/**
 * What the journal is told once the store has everything before `position`: of the readings `received` since
 * the settlement before, those of refused frames become dead letters and the others are stored. The frames
 * must still be in the journal.
 */
export function settlementOf(
  journal: Pick<Journal, 'read'>,
  position: number,
  received: Readonly<ByTransport>,
  refused: readonly RefusedFrame[],
): Settlement {
  const stored = { ...received };
  const deadLetters: DeadLetterInput[] = [];
  for (const { position: at, readings, code, message } of refused) {
    const frame = journal.read(at)?.frames(at)[Symbol.iterator]().next();
    if (frame === undefined || frame.done === true) continue;
    const { device, transport, arrivalMs, bytes } = frame.value;
    // A replayed frame counts only for those of its readings that are not stored yet.
    const counted = Math.min(readings, frame.value.readings);
    stored[transport] -= counted;
    deadLetters.push({
      device,
      transport,
      atMs: arrivalMs,
      code,
      message,
      readings: counted,
      position: at,
      bytes: bytes.slice(),
    });
  }
  return { position, stored, expired: NO_READINGS, deadLetters };
}

/** Readings of the frames at [from, to), as the journal holds them. */
export function readingsBetween(journal: Pick<Journal, 'read'>, from: number, to: number): ByTransport {
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
