import { LIMITS } from '../../core/index.ts';

/** How a reader takes what it is sent. */
export class Patience {
  #sinceMs = performance.now();
  #tried = false;
  /** Whether the last attempt to write waited for the socket in vain. */
  #stuck = false;

  /** Some was taken. */
  renew(): void {
    this.#sinceMs = performance.now();
    this.#stuck = false;
  }

  /** A wait is over, because the socket said so or because it took long. */
  note(writable: boolean): void {
    this.#tried = true;
    this.#stuck = !writable;
  }

  /** Whether it ever had to be waited for. */
  get wasTried(): boolean {
    return this.#tried;
  }

  get isOver(): boolean {
    return performance.now() - this.#sinceMs > LIMITS.readerStallMs;
  }

  /** How much of what is left of a chunk is written next. The last bytes of it are there to try the socket with. */
  sizeOfNext(left: number): number {
    const most = left - LIMITS.heldBackBytes;
    if (!this.#tried) return most > 0 ? Math.min(LIMITS.writeBytes, most) : left;
    if (this.#stuck) return 1;
    return most > 0 ? Math.min(LIMITS.slowWriteBytes, most) : Math.ceil(left / 2);
  }
}
