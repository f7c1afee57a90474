import { LIMITS } from '../core/index.ts';
import type { FollowedJournal } from '../journal/index.ts';

interface SettledFrame {
  position: number;
  device: string;
  bytes: Uint8Array;
}

/**
 * Those of the settled frames that are, or may have been, dead letters: their points need not be in the store. By
 * their bytes too, since a replayed letter comes back with another position. Where letters of acknowledged frames have been dropped
 * by their limits, a frame before the oldest one kept may have been among them. Walks the letters once, page by page.
 */
export async function refusedAmong<Frame extends SettledFrame>(
  journal: Pick<FollowedJournal, 'ledger' | 'stats' | 'deadLetters'>,
  frames: readonly Frame[],
): Promise<Set<Frame>> {
  const refused = new Set<Frame>();
  if (journal.ledger().deadLettered === 0 && journal.stats().ackedLettersDropped === 0) return refused;
  const byPosition = new Map(frames.map((frame) => [frame.position, frame]));
  const byDevice = new Map<string, Frame[]>();
  for (const frame of frames) byDevice.set(frame.device, [...(byDevice.get(frame.device) ?? []), frame]);
  let oldest: number | null = null;
  let before: string | undefined;
  for (;;) {
    const page = journal.deadLetters(LIMITS.deadLettersMaxRows, before);
    for (const { position, device, bytes } of page) {
      const known = position === null ? undefined : byPosition.get(position);
      if (known !== undefined) refused.add(known);
      for (const frame of byDevice.get(device) ?? [])
        if (Buffer.compare(bytes, frame.bytes) === 0) refused.add(frame);
      if (position !== null && (oldest === null || position < oldest)) oldest = position;
    }
    before = page.at(-1)?.id;
    if (before === undefined || page.length < LIMITS.deadLettersMaxRows) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (journal.stats().ackedLettersDropped > 0)
    for (const frame of frames) if (oldest === null || frame.position < oldest) refused.add(frame);
  return refused;
}
