import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Cell, ColumnBatch, SelectedColumns } from '../core/index.ts';
import type { BlockReader } from './blocks.ts';
import { matchRows, perBatch, type TailFilter } from './filter.ts';

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
  readonly #blocks: BlockReader;
  readonly #filter: TailFilter;
  readonly #selected: SelectedColumns;
  readonly #maxRows: number;
  /** By series and time, the fields that the live rows of it have together. */
  readonly #fields = new Map<string, FieldSet>();
  #upTo: number;

  constructor(
    blocks: BlockReader,
    filter: TailFilter,
    selected: SelectedColumns,
    from: number,
    maxRows: number,
  ) {
    this.#blocks = blocks;
    this.#filter = filter;
    this.#selected = selected;
    this.#upTo = from;
    this.#maxRows = maxRows;
  }

  get size(): number {
    return this.#fields.size;
  }

  /** Takes in the frames before `upTo`, rows before `minTimeNs` aside. Throws JoinTooLarge, `cursor_expired`. */
  async extend(upTo: number, minTimeNs: bigint): Promise<void> {
    while (this.#upTo < upTo) {
      const block = this.#blocks.read(this.#upTo, this.#filter.measurement);
      if (block === undefined) return;
      const prepared = perBatch((batch) => ({
        match: matchRows(this.#filter, batch),
        key: batchKeys(batch),
        fields: batchFields(batch, this.#selected),
      }));
      for (const frame of block.frames) {
        if (frame.position < this.#upTo || frame.position >= upTo) continue;
        const { match, key, fields } = prepared(frame.batch);
        for (let row = frame.start; row < frame.end; row++) {
          if ((frame.batch.timeNs[row] ?? 0n) < minTimeNs || !match(row)) continue;
          const rowKey = key(row);
          this.#fields.set(rowKey, (this.#fields.get(rowKey) ?? 0n) | fields(row));
          if (this.#fields.size > this.#maxRows) throw new JoinTooLarge();
        }
      }
      this.#upTo = Math.min(block.next, upTo);
      await nextTurn();
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
  const { columns } = batch.mapping;
  const fields = selected.fields.map(({ name }, index) => ({
    bit: 1n << BigInt(index),
    column: columns.findIndex((column) => column.role === 'field' && column.name === name),
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
