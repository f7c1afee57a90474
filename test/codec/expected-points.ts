import type { Cell } from '../../src/core/index.ts';
import type { Point } from './random-schemas.ts';

/** As much of a schema's JSON as the random ones have. */
interface FieldSchema {
  name: string;
  type: unknown;
  role?: string;
}
interface RecordSchema {
  fields: FieldSchema[];
}
type Values = Readonly<Record<string, unknown>>;

const NS_PER: Readonly<Record<string, bigint>> = {
  'timestamp-millis': 1_000_000n,
  'timestamp-micros': 1_000n,
  'timestamp-nanos': 1n,
};

/** A level's cells and time, and the readings below it. */
interface Level {
  cells: Record<string, unknown>;
  timeNs: bigint | null;
  readings: Level[] | null;
}

/** The points that a record must become, by the rules of docs/schemas.md, from what avsc read of it. */
export function expectedPoints(schema: object, value: unknown): Point[] {
  const frame = levelOf(schema as RecordSchema, value as Values, '');
  const rows = frame.readings ?? [{ cells: {}, timeNs: null, readings: null }];
  return rows.map(({ cells, timeNs }) => ({
    timeNs: timeNs ?? frame.timeNs,
    cells: { ...frame.cells, ...cells },
  }));
}

/** Whether every point of the record has its time from the record. */
export function isTimed(schema: object, value: unknown): boolean {
  const { timeNs, readings } = levelOf(schema as RecordSchema, value as Values, '');
  if (timeNs !== null) return true;
  return readings !== null && readings.length > 0 && readings.every((reading) => reading.timeNs !== null);
}

function levelOf({ fields }: RecordSchema, values: Values, prefix: string): Level {
  const level: Level = { cells: {}, timeNs: null, readings: null };
  for (const { name, type, role } of fields) {
    if (role === 'ignore') continue;
    const value = values[name] ?? null;
    const inner: unknown = Array.isArray(type) ? type.find((branch) => branch !== 'null') : type;
    const object = (typeof inner === 'object' && inner !== null ? inner : { type: inner }) as {
      type: unknown;
      logicalType?: string;
      items?: RecordSchema;
      fields?: FieldSchema[];
    };
    if (object.fields !== undefined) {
      if (value === null) continue;
      Object.assign(level.cells, levelOf({ fields: object.fields }, value as Values, `${name}_`).cells);
    } else if (object.items !== undefined) {
      const { items } = object;
      level.readings = (value as Values[]).map((item) => levelOf(items, item, ''));
    } else if (object.logicalType !== undefined && role === undefined) {
      level.timeNs = value === null ? null : (value as bigint) * (NS_PER[object.logicalType] ?? 1n);
    } else {
      const isTag =
        role === 'tag' || (role === undefined && (object.type === 'string' || object.type === 'enum'));
      level.cells[prefix + name] = cellOf(value as Cell, object.type, isTag);
    }
  }
  return level;
}

function cellOf(value: Cell, type: unknown, isTag: boolean): Cell {
  if (value === null || Number.isNaN(value)) return null;
  if (isTag) return value === '' ? null : String(value);
  return type === 'int' ? BigInt(value) : value;
}
