import type { ColumnDef, Mapping, Measurement, StoredType } from '../../src/core/index.ts';
import { BOOLEAN_MISSING, ColumnBatch, type Cell } from '../../src/core/index.ts';

/** A point as plain values; whatever is left out is missing. */
export interface Point {
  timeNs: bigint;
  device: string;
  tags?: Readonly<Record<string, string | null>>;
  fields: Readonly<Record<string, Cell>>;
}

/** What a test's schema and its measurement look like. */
export interface Shape {
  mapping: Mapping;
  measurement: Measurement;
}

/** Any time after 2020 with round seconds: 2023-11-14T22:13:20Z. */
export const BASE_NS = 1_700_000_000_000_000_000n;
export const SECOND_NS = 1_000_000_000n;

export function shape(
  name: string,
  fields: Readonly<Record<string, StoredType>>,
  tags: readonly string[] = [],
): Shape {
  const tagDefs = tags.map((tag) => columnDef(tag, 'tag', 'string'));
  const fieldDefs = Object.entries(fields).map(([field, type]) => columnDef(field, 'field', type));
  return {
    mapping: { measurement: name, doc: null, columns: [...tagDefs, ...fieldDefs] },
    measurement: { name, doc: null, tags: tagDefs, fields: fieldDefs, subjects: [name] },
  };
}

function columnDef(name: string, role: 'tag' | 'field', type: StoredType): ColumnDef {
  return { name, role, type, float32: false, unit: null, doc: null };
}

/** So many points of one device with `x` as their field, a nanosecond apart. */
export function countedBatch(of: Shape, count: number): ColumnBatch {
  const points = Array.from({ length: count }, (_, i) => ({
    timeNs: BASE_NS + BigInt(i),
    device: 'a',
    fields: { x: i },
  }));
  return batchOf(of, points);
}

/** The same as a schema would have it that calls its floats float, and not double. */
export function float32Shape(of: Shape): Shape {
  const narrow = (def: ColumnDef): ColumnDef => ({ ...def, float32: def.type === 'float' });
  return {
    mapping: { ...of.mapping, columns: of.mapping.columns.map(narrow) },
    measurement: { ...of.measurement, fields: of.measurement.fields.map(narrow) },
  };
}

/** The points in columns, in the order given. */
export function batchOf({ mapping }: Shape, points: readonly Point[]): ColumnBatch {
  const batch = new ColumnBatch(mapping, 1);
  batch.reserve(points.length);
  for (const [row, point] of points.entries()) {
    batch.timeNs[row] = point.timeNs;
    batch.device[row] = point.device;
    batch.position[row] = row;
    for (const column of batch.columns) {
      const source = column.def.role === 'tag' ? (point.tags ?? {}) : point.fields;
      const value = Object.hasOwn(source, column.def.name) ? (source[column.def.name] ?? null) : null;
      if (column.type === 'float') {
        column.values[row] = typeof value === 'number' ? value : Number.NaN;
      } else if (column.type === 'integer') {
        column.values[row] = typeof value === 'bigint' ? value : 0n;
        column.present[row] = value === null ? 0 : 1;
      } else if (column.type === 'boolean') {
        column.values[row] = value === null ? BOOLEAN_MISSING : Number(value);
      } else {
        column.values[row] = typeof value === 'string' ? value : null;
      }
    }
    batch.rows++;
  }
  return batch;
}
