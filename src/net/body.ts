import { LIMITS, MillraceError, type Rounds } from '../core/index.ts';
import type { HeldBytes, ByteHolder } from './held-bytes.ts';

/** What the bodies of an edge share. */
export interface Bodies {
  /** What was received of bodies that are not read yet. */
  readonly held: HeldBytes;
  /**
   * Bodies are given one after another, and so are requests beyond what one turn answers: what is made of them leaves
   * time for other work.
   */
  readonly rounds: Rounds;
}

/** What becomes of a body while it comes. */
export interface BodySink {
  /** Whether all of it has come. */
  readonly isComplete: boolean;
  /** Bytes that were received while it was wanted. */
  readonly received: number;
  /** A part of it, of which a copy is kept. */
  add(part: Uint8Array): void;
  /** It is complete. */
  end(): void;
  /** The client has left. */
  abandon(): void;
  /** The request is answered: what still comes of the body passes. */
  leave(): void;
}

/** Collects the body of one request within its limits: its own size, the sum of all, and the time that it may take. */
export class BodyCollector implements BodySink, ByteHolder {
  readonly #bodies: Bodies;
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;
  #complete = false;
  #failed: MillraceError | null = null;
  #settle: () => void = () => {};
  readonly #settled: Promise<void>;

  /** `announced`: its size in bytes where the client says it. Throws `body_too_large`. */
  constructor(bodies: Bodies, maxBytes: number, announced: number | null) {
    if (announced !== null && announced > maxBytes) throw tooLarge(maxBytes);
    this.#bodies = bodies;
    this.#maxBytes = maxBytes;
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#timer = setTimeout(() => {
      const limit = `the body did not come whole within ${LIMITS.bodyTimeoutMs} ms`;
      this.cut(new MillraceError('body_late', limit));
    }, LIMITS.bodyTimeoutMs);
  }

  get isComplete(): boolean {
    return this.#complete;
  }

  get received(): number {
    return this.#bytes;
  }

  add(part: Uint8Array): void {
    if (this.#failed !== null || part.length === 0) return;
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) {
      this.cut(tooLarge(this.#maxBytes));
      return;
    }
    this.#bodies.held.set(this, this.#bytes);
    if (this.#isWanted()) this.#chunks.push(Buffer.from(part));
  }

  end(): void {
    this.#complete = true;
    this.#close();
  }

  abandon(): void {
    this.cut(new MillraceError('body_invalid', 'the client left before the body was complete'));
  }

  leave(): void {}

  cut(error: MillraceError): void {
    this.#failed ??= error;
    this.#chunks.length = 0;
    this.#bodies.held.set(this, 0);
    this.#close();
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#settle();
  }

  /**
   * All of it, in a later turn of the event loop. `maxBytes` may be less than was received. Rejects with
   * `body_too_large`, `body_late`, `too_many_bodies`.
   */
  async whole(maxBytes: number): Promise<Buffer> {
    await this.#settled;
    if (this.#bytes > maxBytes) this.cut(tooLarge(maxBytes));
    if (this.#isWanted()) await this.#bodies.rounds.turn();
    if (this.#failed !== null) throw this.#failed;
    this.#bodies.held.set(this, 0);
    return Buffer.concat(this.#chunks.splice(0));
  }

  #isWanted(): boolean {
    return this.#failed === null;
  }
}

/** What a body over the limit of its route is answered. */
export function tooLarge(maxBytes: number): MillraceError {
  return new MillraceError('body_too_large', `the body may have ${maxBytes} bytes here`);
}
