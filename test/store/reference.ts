import type { Cell } from '../../src/core/index.ts';
import type { AggregateFunction } from '../../src/store/index.ts';
import type { Point, Shape } from './points.ts';

/** A stored point: device and tags say its series. */
interface Stored {
  timeNs: bigint;
  device: string;
  tags: (string | null)[];
  fields: Cell[];
}

export interface ReferenceSelection {
  devices?: readonly string[];
  tags?: Readonly<Record<string, readonly string[]>>;
  fields?: readonly string[];
  fromNs?: bigint;
  toNs?: bigint;
}

/** Plain JavaScript of what every store must answer, slow and simple. */
export class Reference {
  readonly #shape: Shape;
  readonly #points = new Map<string, Stored>();

  constructor(shape: Shape) {
    this.#shape = shape;
  }

  write(points: readonly Point[]): void {
    const { tags, fields } = this.#shape.measurement;
    for (const point of points) {
      const tagValues = tags.map(({ name }) => own(point.tags ?? {}, name) || null) as (string | null)[];
      const key = JSON.stringify([point.timeNs.toString(), point.device, tagValues]);
      const values = fields.map(({ name }) => own(point.fields, name));
      const known = this.#points.get(key);
      if (known === undefined) {
        this.#points.set(key, {
          timeNs: point.timeNs,
          device: point.device,
          tags: tagValues,
          fields: values,
        });
      } else {
        known.fields = known.fields.map((old, i) => values[i] ?? old);
      }
    }
  }

  /** Raw rows in ascending order: time, device, tags, fields. Rows without any chosen field do not exist. */
  rows(selection: ReferenceSelection = {}): Cell[][] {
    const { tags, fields } = this.#shape.measurement;
    const chosen = fields.flatMap(({ name }, i) =>
      selection.fields === undefined || selection.fields.length === 0 || selection.fields.includes(name)
        ? [i]
        : [],
    );
    return [...this.#points.values()]
      .filter(
        (point) =>
          point.timeNs >= (selection.fromNs ?? 0n) &&
          (selection.toNs === undefined || point.timeNs < selection.toNs) &&
          ((selection.devices ?? []).length === 0 || selection.devices?.includes(point.device) === true) &&
          Object.entries(selection.tags ?? {}).every(([name, values]) => {
            const value = point.tags[tags.findIndex((tag) => tag.name === name)] ?? null;
            return value !== null && values.includes(value);
          }) &&
          chosen.some((i) => (point.fields[i] ?? null) !== null),
      )
      .sort(comparePoints)
      .map((point) => [
        point.timeNs,
        point.device,
        ...point.tags,
        ...chosen.map((i) => point.fields[i] ?? null),
      ]);
  }

  /** Aggregates of one field in ascending order: time, group, value per function. */
  aggregate(
    field: string,
    fns: readonly AggregateFunction[],
    options: ReferenceSelection & { everyNs: bigint | null; group: readonly string[]; fromNs: bigint },
  ): Cell[][] {
    const columns = ['time', 'device', ...this.#shape.measurement.tags.map(({ name }) => name)];
    const groups = new Map<string, { cells: Cell[]; times: bigint[]; values: Cell[] }>();
    for (const row of this.rows({ ...options, fields: [field] })) {
      const timeNs = row[0] as bigint;
      const bucket = options.everyNs === null ? options.fromNs : (timeNs / options.everyNs) * options.everyNs;
      const cells = [bucket, ...options.group.map((name) => row[columns.indexOf(name)] ?? null)];
      const key = cells.map((cell) => `${typeof cell}:${String(cell)}`).join('\n');
      const group = groups.get(key) ?? { cells, times: [], values: [] };
      groups.set(key, group);
      group.times.push(timeNs);
      group.values.push(row.at(-1) ?? null);
    }
    return [...groups.values()]
      .sort((a, b) => compareCells(a.cells, b.cells))
      .map(({ cells, times, values }) => [...cells, ...fns.map((fn) => REDUCTIONS[fn](values, times))]);
  }

  /** One row per device: newest time, newest value of each tag and field. */
  latest(selection: ReferenceSelection = {}): Cell[][] {
    const byDevice = new Map<string, Cell[]>();
    for (const row of this.rows(selection)) {
      const device = String(row[1]);
      const newest = byDevice.get(device) ?? [];
      byDevice.set(
        device,
        row.map((cell, i) => cell ?? newest[i] ?? null),
      );
    }
    return [...byDevice.values()].sort((a, b) => compareText(String(a[1]), String(b[1])));
  }
}

function own(values: Readonly<Record<string, Cell>>, name: string): Cell {
  return Object.hasOwn(values, name) ? (values[name] ?? null) : null;
}

type Reduce = (values: readonly Cell[], times: readonly bigint[]) => Cell;

/** Each function over the values of one bucket and group, at least one, as its definition reads. */
const REDUCTIONS: Readonly<Record<AggregateFunction, Reduce>> = {
  count: (values) => BigInt(values.length),
  first: (values) => values[0] ?? null,
  last: (values) => values.at(-1) ?? null,
  sum: (values) => (areIntegers(values) ? narrow(sumOf(values)) : plainSum(values.map(Number))),
  min: (values) => values.reduce((a, b) => ((b as number) < (a as number) ? b : a)),
  max: (values) => values.reduce((a, b) => ((b as number) > (a as number) ? b : a)),
  mean: (values) =>
    (areIntegers(values) ? Number(sumOf(values)) : plainSum(values.map(Number))) / values.length,
  stddev: (values) => {
    if (values.length < 2) return null;
    const numbers = values.map(Number);
    const mean = plainSum(numbers) / numbers.length;
    return Math.sqrt(plainSum(numbers.map((x) => (x - mean) ** 2)) / (numbers.length - 1));
  },
  median: (values) => percentile(values.map(Number), 0.5),
  p95: (values) => percentile(values.map(Number), 0.95),
  p99: (values) => percentile(values.map(Number), 0.99),
  delta: increases,
  rate: (values, times) => {
    const delta = increases(values);
    const ns = (times.at(-1) ?? 0n) - (times[0] ?? 0n);
    return delta === null || ns === 0n ? null : Number(delta) / (Number(ns) / 1e9);
  },
};

function increases(values: readonly Cell[]): Cell {
  if (values.length < 2) return null;
  const steps = values.slice(1).map((value, i) => {
    const before = values[i] as number;
    const now = value as number;
    return now < before ? now : now - before;
  });
  return areIntegers(values) ? narrow(sumOf(steps)) : steps.reduce((a, b) => a + b, 0);
}

function areIntegers(values: readonly Cell[]): boolean {
  return values.every((value) => typeof value === 'bigint');
}

function plainSum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b);
}

function sumOf(values: readonly Cell[]): bigint {
  return values.reduce<bigint>((sum, value) => sum + BigInt(value ?? 0), 0n);
}

/** An integer beyond 64 bits is told as a float. */
function narrow(value: bigint): Cell {
  return BigInt.asIntN(64, value) === value ? value : Number(value);
}

function percentile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = p * (sorted.length - 1);
  const below = sorted[Math.floor(rank)] ?? Number.NaN;
  const above = sorted[Math.ceil(rank)] ?? Number.NaN;
  return below + (above - below) * (rank - Math.floor(rank));
}

function comparePoints(a: Stored, b: Stored): number {
  return compareCells([a.timeNs, a.device, ...a.tags], [b.timeNs, b.device, ...b.tags]);
}

/** Cell by cell: numbers by value, texts by the bytes of UTF-8, null before everything. */
function compareCells(a: readonly Cell[], b: readonly Cell[]): number {
  for (const [i, left] of a.entries()) {
    const right = b[i] ?? null;
    if (left === right) continue;
    if (left === null) return -1;
    if (right === null) return 1;
    if (typeof left === 'string' && typeof right === 'string') return compareText(left, right);
    return left < right ? -1 : 1;
  }
  return 0;
}

function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
