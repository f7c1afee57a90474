import { MillraceError, type ErrorCode } from '../core/index.ts';

/** A connection for which bytes are held in memory. */
export interface ByteHolder {
  /** Lets all of them go, and ends what they are for. */
  cut(error: MillraceError): void;
}

/**
 * Bytes that are held for connections, over all of them. Beyond the limit the holders of most are cut, one after
 * another: whoever has little is never concerned by those who have much.
 */
export class HeldBytes {
  readonly limit: number;
  readonly #code: ErrorCode;
  readonly #what: string;
  readonly #held = new Map<ByteHolder, number>();
  #bytes = 0;

  /** `code` is that of the error with which holders are cut, and `what` says in its message what the bytes are. */
  constructor(limit: number, code: ErrorCode, what: string) {
    this.limit = limit;
    this.#code = code;
    this.#what = what;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** What is held for one now; with 0 it is forgotten. It may be cut before this returns. */
  set(holder: ByteHolder, bytes: number): void {
    this.#bytes += bytes - (this.#held.get(holder) ?? 0);
    if (bytes > 0) this.#held.set(holder, bytes);
    else this.#held.delete(holder);
    while (this.#bytes > this.limit) this.#cutLargest();
  }

  #cutLargest(): void {
    let largest: ByteHolder | null = null;
    let most = 0;
    for (const [holder, bytes] of this.#held) {
      if (bytes <= most) continue;
      largest = holder;
      most = bytes;
    }
    if (largest === null) return;
    this.#held.delete(largest);
    this.#bytes -= most;
    const limit = `${this.#what} on all connections reached ${this.limit} bytes; this one had most of them: ${most}`;
    largest.cut(new MillraceError(this.#code, limit));
  }
}
