import { LIMITS } from '../../../core/index.ts';
import { Allowance } from './allowance.ts';
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
  /** Letters that may come yet … */
  readonly all: Allowance;
  /** … and those among them for which it needs nothing of what is common to all devices. */
  readonly own: Allowance;
}

/**
 * How much of the dead letters each device has, so that the rubbish of one pushes out nobody else's: where the limits are
 * reached, devices with more than their part lose their own oldest first. And how fast it gets more: a device that sends
 * rubbish as fast as it can has LIMITS.deadLetterBurst of it kept, then LIMITS.deadLettersPerS, and the others are counted
 * and not kept. Beyond a few of its own these come out of what all devices share, so that many of them together cost the
 * disk no more than one does.
 *
 * In memory, read from the letters when the journal is opened. Of devices without letters the last ones are remembered.
 */
export class LetterShares {
  readonly #byDevice = new Map<string, Share>();
  /** The devices that have more than their part. */
  readonly #over = new Set<Share>();
  /** Those that have no letters, the longest without any first. */
  readonly #empty = new Set<Share>();
  readonly #common = new Allowance(LIMITS.commonLetterBurst, LIMITS.commonLettersPerS);
  readonly #mostLetters: number;
  readonly #mostBytes: number;

  constructor({ maxDeadLetters, maxDeadLetterBytes }: SharedLimits, kept: Iterable<WalkedLetter> = []) {
    this.#mostLetters = maxDeadLetters * LIMITS.deadLetterShare;
    this.#mostBytes = maxDeadLetterBytes * LIMITS.deadLetterShare;
    for (const { id, letter } of kept) if (letter !== null) this.add({ id, letter });
  }

  /** Whether a refused frame that comes now is to become a letter. */
  admits(device: string, nowMs: number): boolean {
    const { all, own } = this.#of(device);
    if (!all.has(nowMs)) return false;
    const from = own.has(nowMs) ? own : this.#common;
    if (!from.has(nowMs)) return false;
    from.take();
    all.take();
    return true;
  }

  /** A letter is kept. Those of acknowledged frames are in nobody's share. */
  add({ id, letter }: FoundLetter): void {
    if (letter.kind !== 'rejected') return;
    const share = this.#of(letter.device);
    share.letters.set(id, letter.size);
    share.bytes += letter.size;
    this.#empty.delete(share);
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
    if (share.letters.size === 0) this.#remember(share);
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
      const all = new Allowance(LIMITS.deadLetterBurst, LIMITS.deadLettersPerS);
      const own = new Allowance(LIMITS.ownLetterBurst, LIMITS.ownLettersPerS);
      share = { device, letters: new Map(), bytes: 0, all, own };
      this.#byDevice.set(device, share);
      this.#remember(share);
    }
    return share;
  }

  /** How fast it had letters is to be known when it has some again. */
  #remember(share: Share): void {
    this.#empty.add(share);
    if (this.#empty.size <= LIMITS.emptyLetterShares) return;
    for (const oldest of this.#empty) {
      this.#empty.delete(oldest);
      this.#byDevice.delete(oldest.device);
      return;
    }
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
