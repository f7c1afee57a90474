import { LIMITS, MillraceError } from '../core/index.ts';
import type { BodySink } from './body.ts';
import type { ByteHolder, HeldBytes } from './held-bytes.ts';

/** How an edge lets a client wait with the rest of its body, and go on. */
export interface BodyFlow {
  hold(): void;
  release(): void;
}

/**
 * The body of one request as it comes. What is not read yet waits here within a bound; beyond it the client waits. The
 * parts of a body may take any time together, but not between one and the next.
 */
export class BodyStream implements BodySink, ByteHolder {
  readonly #held: HeldBytes;
  readonly #flow: BodyFlow;
  readonly #parts: Buffer[] = [];
  /** Bytes of the parts that are not read yet. */
  #waiting = 0;
  #received = 0;
  #complete = false;
  #failed: MillraceError | null = null;
  #onHold = false;
  #wake: () => void = () => {};

  constructor(held: HeldBytes, flow: BodyFlow) {
    this.#held = held;
    this.#flow = flow;
  }

  get isComplete(): boolean {
    return this.#complete;
  }

  get received(): number {
    return this.#received;
  }

  add(part: Uint8Array): void {
    this.#received += part.length;
    if (this.#failed !== null || part.length === 0) return;
    this.#parts.push(Buffer.from(part));
    this.#count(part.length);
    if (this.#waiting > LIMITS.bodyWindowBytes && !this.#onHold) {
      this.#onHold = true;
      this.#flow.hold();
    }
    this.#wake();
  }

  end(): void {
    this.#complete = true;
    this.#wake();
  }

  abandon(): void {
    if (!this.#complete) this.cut(new MillraceError('body_invalid', CLIENT_LEFT));
  }

  leave(): void {
    this.cut(new MillraceError('body_invalid', 'the body is wanted no more'));
    this.#release();
  }

  cut(error: MillraceError): void {
    this.#failed ??= error;
    this.#parts.length = 0;
    this.#count(-this.#waiting);
    this.#wake();
  }

  /** Its parts. Rejects as HttpExchange.stream says. Whoever stops reading lets the rest of the body pass. */
  async *read(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for (;;) {
        if (this.#failed !== null) throw this.#failed;
        const part = this.#parts.shift();
        if (part !== undefined) {
          this.#count(-part.length);
          if (this.#waiting <= LIMITS.bodyWindowBytes / 2) this.#release();
          yield part;
        } else if (this.#complete) return;
        else await this.#more();
      }
    } finally {
      this.leave();
    }
  }

  /** Resolves when there is something to be looked at. */
  async #more(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      timer = setTimeout(() => {
        const limit = `nothing of the body came for ${LIMITS.bodyTimeoutMs} ms`;
        this.cut(new MillraceError('body_late', limit));
      }, LIMITS.bodyTimeoutMs);
    });
    clearTimeout(timer);
    this.#wake = () => {};
  }

  #count(bytes: number): void {
    this.#waiting += bytes;
    this.#held.set(this, this.#waiting);
  }

  #release(): void {
    if (!this.#onHold) return;
    this.#onHold = false;
    this.#flow.release();
  }
}

const CLIENT_LEFT = 'the client left before the body was complete';

/** The parts of a request that has none. */
export async function* noBody(): AsyncGenerator<Uint8Array> {}
