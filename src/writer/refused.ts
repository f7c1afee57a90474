import { LIMITS } from '../core/index.ts';
import type { Journal } from '../journal/index.ts';

/**
 * Whether a settled frame is, or may have been, a dead letter: its points need not be in the store. By its bytes too,
 * since a replayed letter comes back with another position. Where letters have been dropped by their limits, a
 * frame before the oldest one kept may have been among them.
 */
export function frameWasRefused(
  journal: Pick<Journal, 'ledger' | 'stats' | 'deadLetters'>,
  frame: { position: number; device: string; bytes: Uint8Array },
): boolean {
  if (journal.ledger().deadLettered === 0) return false;
  let oldest: number | null = null;
  let before: string | undefined;
  for (;;) {
    const page = journal.deadLetters(LIMITS.deadLettersMaxRows, before);
    for (const letter of page) {
      if (letter.position === frame.position) return true;
      if (letter.device === frame.device && Buffer.compare(letter.bytes, frame.bytes) === 0) return true;
      if (letter.position !== null && (oldest === null || letter.position < oldest)) oldest = letter.position;
    }
    before = page.at(-1)?.id;
    if (before === undefined || page.length < LIMITS.deadLettersMaxRows) break;
  }
  return journal.stats().lettersDropped > 0 && (oldest === null || frame.position < oldest);
}
