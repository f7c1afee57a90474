import type { Cell, ColumnBatch, SelectedColumns } from '../core/index.ts';
import { framesOf, type BlockReader, type DecodedBlock } from './blocks.ts';
import { columnAt, perBatch, type RowFilter, type TailFilter } from './filter.ts';
import type { Turns } from './turns.ts';

/** Rows between two looks at the time. */
const ROWS_PER_LOOK = 16;

/** Which rows the join is about. */
export interface JoinRequest {
  filter: TailFilter;
  /** The same for rows of frames. */
  rows: RowFilter;
  selected: SelectedColumns;
  signal: AbortSignal;
}

/** More rows than the join may tell apart arrived while history was being read. */
export class JoinTooLarge extends Error {
  constructor() {
    super('more rows arrived during the history read than the join can tell apart');
    this.name = 'JoinTooLarge';
  }
}

/**
 * The rows that the live part will deliver although the store may already show them: series and time of every
 * matching row in the frames [from, upTo), and which fields those rows have. History leaves out a stored row when
 * they have all of its fields. A frame may write some fields of a row again: then the others come from history alone.
 */
export class JoinKeys {
  readonly #sources: { blocks: BlockReader; turns: Turns };
  readonly #request: JoinRequest;
  readonly #maxRows: number;
  /** By series and time, the fields that the live rows of it have together. */
  readonly #fields = new Map<string, FieldSet>();
  #upTo: number;

  constructor(
    sources: { blocks: BlockReader; turns: Turns },
    request: JoinRequest,
    from: number,
    maxRows: number,
  ) {
    this.#sources = sources;
    this.#request = request;
    this.#upTo = from;
    this.#maxRows = maxRows;
  }

  get size(): number {
    return this.#fields.size;
  }

  /** Takes in the frames before `upTo`, rows before `minTimeNs` aside. Throws JoinTooLarge, `cursor_expired`. */
  async extend(upTo: number, minTimeNs: bigint): Promise<void> {
    const { blocks, turns } = this.#sources;
    const { filter, signal } = this.#request;
    while (this.#upTo < upTo) {
      const next = await blocks.use(
        this.#upTo,
        filter.measurement,
        async (block) => {
          if (block !== undefined) await this.#add(block, upTo, minTimeNs);
          return block?.next;
        },
        signal,
      );
      if (next === undefined) return;
      this.#upTo = Math.min(next, upTo);
      await turns.next('lone');
    }
  }

  async #add(block: DecodedBlock, upTo: number, minTimeNs: bigint): Promise<void> {
    const { turns } = this.#sources;
    const { filter, rows, selected } = this.#request;
    const prepared = perBatch((batch) => ({
      match: rows.of(batch),
      key: batchKeys(batch),
      fields: batchFields(batch, selected),
    }));
    let looked = 0;
    for (const { position, batch, start, end } of framesOf(block, filter.devices)) {
      if (position < this.#upTo || position >= upTo) continue;
      const { match, key, fields } = prepared(batch);
      for (let row = start; row < end; row++) {
        if (++looked % ROWS_PER_LOOK === 0 && turns.over) await turns.next('lone');
        if ((batch.timeNs[row] ?? 0n) < minTimeNs || !match(row)) continue;
        const rowKey = key(row);
        this.#fields.set(rowKey, (this.#fields.get(rowKey) ?? 0n) | fields(row));
        if (this.#fields.size > this.#maxRows) throw new JoinTooLarge();
      }
    }
  }

  /** Whether the live rows of this series and time have all of the fields that the stored one has. */
  haveAll(key: string, stored: FieldSet): boolean {
    const live = this.#fields.get(key);
    return live !== undefined && (stored & ~live) === 0n;
  }
}

/** Selected fields that have a value in a row: bit i stands for the i-th one. */
export type FieldSet = bigint;

/** The fields of a stored row; `row` begins with time, device and the tags. */
export function rowFields(selected: SelectedColumns): (row: readonly Cell[]) => FieldSet {
  const first = 2 + selected.tags.length;
  const bits = selected.fields.map((_, index) => 1n << BigInt(index));
  return (row) =>
    bits.reduce((set, bit, index) => ((row[first + index] ?? null) === null ? set : set | bit), 0n);
}

function batchFields(batch: ColumnBatch, selected: SelectedColumns): (row: number) => FieldSet {
  const fields = selected.fields.map(({ name }, index) => ({
    bit: 1n << BigInt(index),
    column: columnAt(batch.mapping, 'field', name),
  }));
  return (row) =>
    fields.reduce((set, { bit, column }) => (batch.cell(column, row) === null ? set : set | bit), 0n);
}

/** Series and time of a stored row as one text; `row` begins with time, device and the tags. */
export function rowKeys(selected: SelectedColumns): (row: readonly Cell[]) => string {
  const tags = byName(selected.tags.map(({ name }, index) => ({ name, index: index + 2 })));
  return (row) =>
    keyOf(
      row[0],
      row[1],
      tags.map(({ name, index }) => [name, row[index] ?? null]),
    );
}

/** The series alone, for rows of a batch. */
export function batchSeries(batch: ColumnBatch): (row: number) => string {
  const key = batchKeyParts(batch);
  return (row) => keyOf(null, batch.device[row], key(row));
}

function batchKeys(batch: ColumnBatch): (row: number) => string {
  const tags = batchKeyParts(batch);
  return (row) => keyOf(batch.timeNs[row], batch.device[row], tags(row));
}

function batchKeyParts(batch: ColumnBatch): (row: number) => [string, Cell][] {
  const tags: { name: string; index: number }[] = [];
  batch.mapping.columns.forEach((column, index) => {
    if (column.role === 'tag') tags.push({ name: column.name, index });
  });
  byName(tags);
  return (row) => tags.map(({ name, index }) => [name, batch.cell(index, row)]);
}

/** Schemas of one measurement may order their tags differently, or lack some: names and null decide. */
function byName<T extends { name: string }>(tags: T[]): T[] {
  return tags.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function keyOf(time: Cell | undefined, device: Cell | undefined, tags: readonly [string, Cell][]): string {
  // InfluxDB knows no empty tag value: it reads back as a missing one.
  const present = tags.filter(([, value]) => value !== null && value !== '');
  return JSON.stringify([String(time), device, ...present.flat()]);
}
