import type { ColumnBatch, ColumnDef, Mapping } from '../core/index.ts';

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

/** What a value of a filter takes beside its characters, in bytes: its places in lists, sets and the index. */
const VALUE_BYTES = 64;

/** How many values a filter names, and about how much memory they take. */
export function filterSize({ fields, devices, tags }: TailFilter): { values: number; bytes: number } {
  const lists = [fields, devices, ...Object.values(tags)];
  let values = 0;
  let bytes = 0;
  for (const list of lists) {
    values += list.length;
    for (const value of list) bytes += VALUE_BYTES + value.length;
  }
  return { values, bytes };
}

/** Whether a row of one batch matches by device and tags, and has at least one of the fields. */
export type RowMatch = (row: number) => boolean;

/** Where one mapping has the tags and fields that a filter names. */
interface FilterColumns {
  tags: readonly { index: number; values: ReadonlySet<string> }[];
  fields: readonly number[];
}

/** A filter made ready for rows; what it needs of a mapping is looked up once. */
export class RowFilter {
  readonly #filter: TailFilter;
  readonly #devices: ReadonlySet<string> | null;
  readonly #tags: readonly { name: string; values: ReadonlySet<string> }[];
  readonly #columns = new WeakMap<Mapping, FilterColumns>();

  constructor(filter: TailFilter) {
    this.#filter = filter;
    this.#devices = filter.devices.length === 0 ? null : new Set(filter.devices);
    this.#tags = Object.entries(filter.tags).map(([name, values]) => ({ name, values: new Set(values) }));
  }

  of(batch: ColumnBatch): RowMatch {
    const devices = this.#devices;
    const { tags, fields } = this.#columnsOf(batch.mapping);
    return (row) => {
      if (devices !== null && !devices.has(batch.device[row] ?? '')) return false;
      for (const tag of tags) {
        const value = batch.cell(tag.index, row);
        if (typeof value !== 'string' || !tag.values.has(value)) return false;
      }
      for (const index of fields) if (batch.cell(index, row) !== null) return true;
      return false;
    };
  }

  #columnsOf(mapping: Mapping): FilterColumns {
    let columns = this.#columns.get(mapping);
    if (columns === undefined) {
      const { fields } = this.#filter;
      columns = {
        tags: this.#tags.map(({ name, values }) => ({ index: columnAt(mapping, 'tag', name), values })),
        fields:
          fields.length === 0
            ? placesOf(mapping).fields
            : fields.map((name) => columnAt(mapping, 'field', name)).filter((index) => index >= 0),
      };
      this.#columns.set(mapping, columns);
    }
    return columns;
  }
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

interface ColumnPlaces {
  byName: Record<ColumnDef['role'], Map<string, number>>;
  /** All fields. */
  fields: readonly number[];
}

const places = new WeakMap<Mapping, ColumnPlaces>();

/** The index of a tag or field in a mapping; -1 where it has none. */
export function columnAt(mapping: Mapping, role: ColumnDef['role'], name: string): number {
  return placesOf(mapping).byName[role].get(name) ?? -1;
}

/** Names are looked up for each filter and block: a mapping of many columns is gone through once. */
function placesOf(mapping: Mapping): ColumnPlaces {
  let known = places.get(mapping);
  if (known === undefined) {
    const byName = { tag: new Map<string, number>(), field: new Map<string, number>() };
    mapping.columns.forEach(({ role, name }, index) => byName[role].set(name, index));
    known = { byName, fields: [...byName.field.values()] };
    places.set(mapping, known);
  }
  return known;
}
