import type { CommittedBlock } from './block.ts';

/** Memory that an entry takes beyond its bytes. */
const ENTRY_BYTES = 512;

/** The newest blocks, in memory, so that readers near the head share them and read no disk. */
export class RecentBlocks {
  readonly #maxBytes: number;
  #blocks: CommittedBlock[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Adds the block that follows the last one. */
  push(block: CommittedBlock): void {
    this.#blocks.push(block);
    this.#bytes += sizeOf(block);
    let drop = 0;
    while (this.#bytes > this.#maxBytes && drop < this.#blocks.length - 1) {
      const oldest = this.#blocks[drop++];
      if (oldest !== undefined) this.#bytes -= sizeOf(oldest);
    }
    if (drop > 0) this.#blocks.splice(0, drop);
  }

  /** The block that holds `position`, if it is among the newest. */
  find(position: number): CommittedBlock | undefined {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const block = this.#blocks[middle];
      if (block === undefined) return undefined;
      if (position < block.first) high = middle - 1;
      else if (position >= block.next) low = middle + 1;
      else return block;
    }
    return undefined;
  }
}

/** A block's buffer may be larger than the block. */
function sizeOf(block: CommittedBlock): number {
  return block.bytes.buffer.byteLength + ENTRY_BYTES;
}
