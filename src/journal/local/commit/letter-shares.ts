import { LIMITS } from '../../../core/index.ts';
import type { FoundLetter, WalkedLetter } from '../format/stored-letter.ts';

/** Limits of which each device has a share. */
export interface SharedLimits {
  maxDeadLetters: number;
  maxDeadLetterBytes: number;
}

/** What one device has of the dead letters: frames of it that were refused before their ack. */
interface Share {
  device: string;
  /** Sizes by id, the oldest first. */
  readonly letters: Map<number, number>;
  bytes: number;
  /** Letters that may come at once yet … */
  room: number;
  /** … as of this time. */
  atMs: number;
}

/**
 * How much of the dead letters each device has, so that the rubbish of one pushes out nobody else's: where the limits are
 * reached, devices with more than their part lose their own oldest first. And how fast it gets more: a device that sends
 * rubbish as fast as it can has LIMITS.deadLetterBurst of it kept, then LIMITS.deadLettersPerS, and the others are counted
 * and not kept. In memory, read from the letters when the journal is opened; a device without letters has no entry.
 */
export class LetterShares {
  readonly #byDevice = new Map<string, Share>();
  /** The devices that have more than their part. */
  readonly #over = new Set<Share>();
  readonly #mostLetters: number;
  readonly #mostBytes: number;

  constructor({ maxDeadLetters, maxDeadLetterBytes }: SharedLimits, kept: Iterable<WalkedLetter> = []) {
    this.#mostLetters = maxDeadLetters * LIMITS.deadLetterShare;
    this.#mostBytes = maxDeadLetterBytes * LIMITS.deadLetterShare;
    for (const { id, letter } of kept) if (letter !== null) this.add({ id, letter });
  }

  /** Whether a refused frame that comes now is to become a letter. */
  admits(device: string, nowMs: number): boolean {
    const share = this.#of(device);
    // The clock may have been put back.
    const elapsedMs = Math.max(0, nowMs - share.atMs);
    share.atMs = nowMs;
    share.room = Math.min(LIMITS.deadLetterBurst, share.room + (elapsedMs / 1_000) * LIMITS.deadLettersPerS);
    if (share.room < 1) return false;
    share.room--;
    return true;
  }

  /** A letter is kept. Those of acknowledged frames are in nobody's share. */
  add({ id, letter }: FoundLetter): void {
    if (letter.kind !== 'rejected') return;
    const share = this.#of(letter.device);
    share.letters.set(id, letter.size);
    share.bytes += letter.size;
    this.#weigh(share);
  }

  /** A letter is kept no more. */
  remove(device: string, id: number): void {
    const share = this.#byDevice.get(device);
    const size = share?.letters.get(id);
    if (share === undefined || size === undefined) return;
    share.letters.delete(id);
    share.bytes -= size;
    this.#weigh(share);
    if (share.letters.size === 0) this.#byDevice.delete(device);
  }

  /** The oldest letter of the device that has the most beyond its part; null where none has. */
  surplus(): { device: string; id: number; size: number } | null {
    let most: Share | null = null;
    for (const share of this.#over) {
      if (most === null || this.#parts(share) > this.#parts(most)) most = share;
    }
    for (const [id, size] of most?.letters ?? []) return { device: most?.device ?? '', id, size };
    return null;
  }

  #of(device: string): Share {
    let share = this.#byDevice.get(device);
    if (share === undefined) {
      share = { device, letters: new Map(), bytes: 0, room: LIMITS.deadLetterBurst, atMs: 0 };
      this.#byDevice.set(device, share);
    }
    return share;
  }

  /** How many times its part it has. */
  #parts({ letters, bytes }: Share): number {
    return Math.max(letters.size / this.#mostLetters, bytes / this.#mostBytes);
  }

  #weigh(share: Share): void {
    if (share.letters.size > LIMITS.deadLetterLeast && this.#parts(share) > 1) this.#over.add(share);
    else this.#over.delete(share);
  }
}
