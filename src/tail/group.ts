import type { SelectedColumns } from '../core/index.ts';
import type { DecodedBlock } from './blocks.ts';
import { encodeBlock, type EncodedBlock } from './encode.ts';
import type { TailFilter } from './filter.ts';

/** Encoded blocks that several subscribers may still want; the least recently used go first. */
export class EncodedCache {
  readonly #maxChars: number;
  readonly #entries = new Map<string, { block: Promise<EncodedBlock>; chars: number }>();
  #chars = 0;

  constructor(maxChars: number) {
    this.#maxChars = maxChars;
  }

  get(key: string, make: () => Promise<EncodedBlock>): Promise<EncodedBlock> {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.block;
    }
    const entry = { block: make(), chars: 0 };
    this.#entries.set(key, entry);
    void this.#account(key, entry);
    return entry.block;
  }

  async #account(key: string, entry: { block: Promise<EncodedBlock>; chars: number }): Promise<void> {
    try {
      const { chunks } = await entry.block;
      // A fixed part for each entry bounds the number of blocks without rows, too.
      const chars = chunks.reduce((sum, chunk) => sum + chunk.rowsJson.length, 256);
      if (this.#entries.get(key) !== entry) return;
      entry.chars = chars;
      this.#chars += chars;
      this.#trim();
    } catch {
      // Whoever asked for it hears the reason; the next one to ask tries again.
      this.#entries.delete(key);
    }
  }

  #trim(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#chars <= this.#maxChars) return;
      this.#entries.delete(key);
      this.#chars -= entry.chars;
    }
  }
}

/** The subscribers of one filter: what one of them needs encoded, all of them share. */
export class Group {
  /** Never given twice, unlike the key: a later group of the same filter may have other columns. */
  readonly #serial: number;
  readonly key: string;
  readonly filter: TailFilter;
  readonly #cache: EncodedCache;
  readonly #epoch: string;
  readonly #messageRows: number;
  #selected: SelectedColumns;
  #version = 0;

  constructor(
    serial: number,
    key: string,
    filter: TailFilter,
    selected: SelectedColumns,
    cache: EncodedCache,
    options: { epoch: string; messageRows: number },
  ) {
    this.#serial = serial;
    this.key = key;
    this.filter = filter;
    this.#selected = selected;
    this.#cache = cache;
    this.#epoch = options.epoch;
    this.#messageRows = options.messageRows;
  }

  /** The columns now; a later schema may have brought more. */
  get selected(): SelectedColumns {
    return this.#selected;
  }

  /** Takes up the columns after a registration. */
  select(selected: SelectedColumns): void {
    this.#selected = selected;
    this.#version += 1;
  }

  /** The block's matching rows, encoded once for all who ask. */
  encode(block: DecodedBlock): Promise<EncodedBlock> {
    return this.#cache.get(`${this.#serial} ${this.#version} ${block.first}`, () =>
      this.encodeFrom(block, block.first, null),
    );
  }

  /** The same for one subscriber alone: from a position inside the block, or without rows before a time. */
  encodeFrom(block: DecodedBlock, from: number, minTimeNs: bigint | null): Promise<EncodedBlock> {
    const { selected } = this;
    const options = { epoch: this.#epoch, messageRows: this.#messageRows, from, minTimeNs };
    return encodeBlock(block, this.filter, selected, options);
  }
}
