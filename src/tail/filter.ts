import type { ColumnBatch } from '../core/index.ts';

/** Which rows a subscription wants; empty lists want all. Lists are sorted and without repeats. */
export interface TailFilter {
  measurement: string;
  fields: readonly string[];
  devices: readonly string[];
  tags: Readonly<Record<string, readonly string[]>>;
}

/** Equal filters have equal keys: their subscribers share one encoding. */
export function filterKey(filter: TailFilter): string {
  const tags = Object.entries(filter.tags).sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([filter.measurement, filter.fields, filter.devices, tags]);
}

/** Whether a row of `batch` matches by device and tags, and has at least one of the columns `fieldIndexes`. */
export type RowMatch = (row: number) => boolean;

/** Prepares the test for one batch, whose mapping says where its tags and fields are. */
export function matchRows(filter: TailFilter, batch: ColumnBatch): RowMatch {
  const { columns } = batch.mapping;
  const devices = filter.devices.length === 0 ? null : new Set(filter.devices);
  const tags = Object.entries(filter.tags).map(([name, values]) => ({
    index: columns.findIndex((column) => column.role === 'tag' && column.name === name),
    values: new Set(values),
  }));
  const fields: number[] = [];
  columns.forEach((column, index) => {
    if (column.role !== 'field') return;
    if (filter.fields.length === 0 || filter.fields.includes(column.name)) fields.push(index);
  });
  return (row) => {
    if (devices !== null && !devices.has(batch.device[row] ?? '')) return false;
    for (const tag of tags) {
      const value = batch.cell(tag.index, row);
      if (typeof value !== 'string' || !tag.values.has(value)) return false;
    }
    return fields.some((index) => batch.cell(index, row) !== null);
  };
}

/** A filter made ready for one batch, and then used for each of its rows. */
export function perBatch<T>(make: (batch: ColumnBatch) => T): (batch: ColumnBatch) => T {
  const made = new Map<ColumnBatch, T>();
  return (batch) => {
    let part = made.get(batch);
    if (part === undefined) made.set(batch, (part = make(batch)));
    return part;
  };
}
