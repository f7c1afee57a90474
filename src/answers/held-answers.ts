import { LIMITS, MillraceError } from '../core/index.ts';

/** Room for a large answer; given back in parts as it is sent. */
export interface Reservation {
  /** Keeps so many bytes of it, of which there may only be less from now on. */
  shrink(bytes: number): void;
}

/**
 * The bytes of all answers that are held. Small answers are only counted, as their number is bounded elsewhere; one that
 * grows beyond LIMITS.heldAnswerFreeBytes reserves room for the largest that it may become, or two that grow side by
 * side could wait for each other's room for ever.
 */
export class HeldAnswers {
  readonly #maxBytes: number;
  readonly #waitMs: number;
  /** Bytes that are held now. */
  #held = 0;
  #reserved = 0;
  readonly #waiting = new Set<{ bytes: number; enter: () => void }>();

  constructor(maxBytes: number = LIMITS.heldAnswerBytes, waitMs: number = LIMITS.heldAnswerWaitMs) {
    this.#maxBytes = maxBytes;
    this.#waitMs = waitMs;
  }

  get held(): number {
    return this.#held;
  }

  get reserved(): number {
    return this.#reserved;
  }

  /** Bytes are held from now on, or, where negative, not any more. */
  count(bytes: number): void {
    this.#held += bytes;
  }

  /** Rejects with `too_many_queries` when there is no room in time, and with the signal's reason. */
  async reserve(bytes: number, signal: AbortSignal): Promise<Reservation> {
    signal.throwIfAborted();
    if (this.#waiting.size === 0 && this.#fits(bytes)) this.#reserved += bytes;
    else await this.#wait(bytes, signal);
    let left = bytes;
    return {
      shrink: (kept) => {
        if (kept >= left) return;
        this.#reserved -= left - kept;
        left = kept;
        this.#admit();
      },
    };
  }

  #fits(bytes: number): boolean {
    return this.#reserved === 0 || this.#reserved + bytes <= this.#maxBytes;
  }

  async #wait(bytes: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abandon);
        this.#waiting.delete(waiter);
      };
      const waiter = {
        bytes,
        enter: () => {
          end();
          resolve();
        },
      };
      const abandon = (): void => {
        end();
        this.#admit();
        reject(signal.reason);
      };
      const timer = setTimeout(() => {
        end();
        this.#admit();
        const message = `large answers hold ${this.#reserved} bytes already, ${this.#maxBytes} may be held`;
        reject(new MillraceError('too_many_queries', message));
      }, this.#waitMs);
      this.#waiting.add(waiter);
      signal.addEventListener('abort', abandon, { once: true });
    });
  }

  /** Lets in who has waited longest, as far as there is room. */
  #admit(): void {
    for (const { bytes, enter } of this.#waiting) {
      if (!this.#fits(bytes)) return;
      this.#reserved += bytes;
      enter();
    }
  }
}
