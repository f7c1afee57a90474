import type { SelectedColumns } from '../core/index.ts';
import { framesOf, rowCount, type DecodedBlock, type FrameRows } from './blocks.ts';
import type { ColumnChoices } from './column-choices.ts';
import { encodeBlock, type EncodedBlock } from './encode.ts';
import { RowFilter, type TailFilter } from './filter.ts';
import type { TailCounts } from './outlet.ts';
import type { Lane, Turns } from './turns.ts';

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
      // Rows stay in the message that was made of them last, too. A fixed part bounds the number of blocks without any.
      const chars = chunks.reduce((sum, chunk) => sum + 2 * chunk.rowsJson.length, 256);
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

export interface GroupSources {
  cache: EncodedCache;
  choices: ColumnChoices;
  turns: Turns;
  counts: Pick<TailCounts, 'looks' | 'rowsLooked'>;
  epoch: string;
  messageRows: number;
}

/** The subscribers of one filter: what one of them needs encoded, all of them share. */
export class Group {
  /** Never given twice, unlike the key: a later group of the same filter may have other columns. */
  readonly #serial: number;
  readonly key: string;
  readonly filter: TailFilter;
  readonly rows: RowFilter;
  readonly #sources: GroupSources;
  #selected: SelectedColumns;
  #version: number;

  /** Throws `measurement_unknown` or `field_unknown`. */
  constructor(serial: number, key: string, filter: TailFilter, sources: GroupSources) {
    this.#serial = serial;
    this.key = key;
    this.filter = filter;
    this.rows = new RowFilter(filter);
    this.#sources = sources;
    this.#version = sources.choices.version;
    this.#selected = sources.choices.of(filter.measurement, filter.fields);
  }

  /** The columns now; a later schema may have brought more. */
  get selected(): SelectedColumns {
    const { choices } = this.#sources;
    if (this.#version !== choices.version) {
      this.#version = choices.version;
      this.#selected = choices.of(this.filter.measurement, this.filter.fields);
    }
    return this.#selected;
  }

  /** The block's matching rows, encoded once for all who ask; `frames` are the only ones that may have any. */
  encode(block: DecodedBlock, lane: Lane, frames?: readonly FrameRows[]): Promise<EncodedBlock> {
    const { selected } = this;
    return this.#sources.cache.get(`${this.#serial} ${this.#version} ${block.first}`, () => {
      const candidates = frames ?? framesOf(block, this.filter.devices);
      return this.#encode(block, candidates, selected, lane, block.first, null);
    });
  }

  /** The same for one subscriber alone: from a position inside the block, or without rows before a time. */
  encodeFrom(block: DecodedBlock, from: number, minTimeNs: bigint | null): Promise<EncodedBlock> {
    const frames = framesOf(block, this.filter.devices);
    return this.#encode(block, frames, this.selected, 'lone', from, minTimeNs);
  }

  #encode(
    block: DecodedBlock,
    frames: readonly FrameRows[],
    selected: SelectedColumns,
    lane: Lane,
    from: number,
    minTimeNs: bigint | null,
  ): Promise<EncodedBlock> {
    const { turns, counts, epoch, messageRows } = this.#sources;
    counts.looks += 1;
    counts.rowsLooked += rowCount(frames);
    return encodeBlock(block, frames, this.rows, selected, {
      epoch,
      messageRows,
      from,
      minTimeNs,
      turns,
      lane,
    });
  }
}
