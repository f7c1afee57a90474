import { LIMITS } from '../../../core/index.ts';

/** Room behind a full block for the frame that filled it, and for the device table, as a rule. */
const SLACK = 1.25;
const LEAST_BYTES = 4_096;

/** Memory for blocks, used again when they are on disk: fresh memory for each would keep the collector busy. */
export class BlockBuffers {
  readonly #sizeBytes: number;
  #spare: Buffer[] = [];

  /** `blockBytes`: at which a block is sealed. */
  constructor(blockBytes: number) {
    this.#sizeBytes = Math.max(LEAST_BYTES, Math.ceil(SLACK * blockBytes));
  }

  take(): Buffer {
    // Not from Node's pool: the buffer is handed to another thread.
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#sizeBytes);
  }

  /** Nobody may have a view of it any more. */
  give(buffer: Buffer): void {
    if (buffer.length === this.#sizeBytes && this.#spare.length < LIMITS.journalSpareBlocks)
      this.#spare.push(buffer);
  }

  /** Lets those go that only a full load needs. */
  shrink(): void {
    this.#spare.length = Math.min(this.#spare.length, LIMITS.journalIdleBlocks);
  }
}
