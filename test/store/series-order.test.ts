import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Slice, type ColumnBatch } from '../../src/core/index.ts';
import { LatePoints } from '../../src/store/duckdb/write/late.ts';
import { SeenDevices } from '../../src/store/duckdb/write/seen.ts';
import { SeriesIndex, seriesKey } from '../../src/store/duckdb/file/series.ts';
import { sortRows } from '../../src/store/duckdb/write/sort-rows.ts';
import type { Table, TableColumn } from '../../src/store/duckdb/file/tables.ts';
import { planOf } from '../../src/store/influx/write/plan.ts';
import { seriesOf } from '../../src/store/influx/write/series.ts';
import { BASE_NS, batchOf, shape, type Point } from './points.ts';

const ROOMS = shape('rooms', { x: 'float' }, ['room', 'side']);
const ROWS = 4_000;

/** How the values of a tag may follow one another, of `ROWS` rows. */
const ORDERS: readonly (readonly [string, (row: number) => number])[] = [
  ['are all alike', () => 0],
  ['take turns, two of them', (row) => row % 2],
  ['take turns, a hundred of them', (row) => row % 100],
  ['come in no order, of ten thousand', (row) => (Math.imul(row, 2_654_435_761) >>> 0) % 10_000],
  ['are all different', (row) => row],
];

function table(): Table {
  const columns: TableColumn[] = ROOMS.mapping.columns.map(({ name, role, type }) => ({
    name,
    role,
    type,
    sql: `"${name}"`,
  }));
  return {
    measurement: 'rooms',
    tableName: 'rooms',
    sql: '"rooms"',
    columns,
    byName: new Map(columns.map((column) => [column.name, column])),
    tags: columns.filter(({ role }) => role === 'tag'),
    series: new SeriesIndex({ left: 100_000 }),
  };
}

/** Counts each look at a value of the devices and tags of a batch. */
function counted(batch: ColumnBatch): { looks: number } {
  const count = { looks: 0 };
  const watch = (values: (string | null)[]): (string | null)[] =>
    new Proxy(values, {
      get(target, key) {
        count.looks++;
        return Reflect.get(target, key) as unknown;
      },
    });
  batch.device = watch(batch.device) as string[];
  for (const column of batch.columns) if (column.type === 'string') column.values = watch(column.values);
  return count;
}

function batchIn(order: (row: number) => number): ColumnBatch {
  const points = Array.from({ length: ROWS }, (_, row): Point => ({
    timeNs: BASE_NS + BigInt(row),
    device: 'module',
    tags: { room: `room ${order(row)}`, side: null },
    fields: { x: row },
  }));
  return batchOf(ROOMS, points);
}

async function sort(into: Table, batch: ColumnBatch): Promise<number[]> {
  const sorted = { late: new LatePoints(), seen: new SeenDevices(), refused: [] };
  const { starts, ends } = await sortRows(into, batch, sorted, new Slice());
  return starts.flatMap((start, i) => Array.from({ length: (ends[i] ?? 0) - start }, (_, n) => start + n));
}

describe.each(ORDERS)('where the values of a tag %s', (_, order) => {
  test('DuckDB’s rows are sorted with a few looks at each', async () => {
    const batch = batchIn(order);
    const count = counted(batch);
    expect(await sort(table(), batch)).toHaveLength(ROWS);
    // Of device and two tags, to find the run's end and the series.
    expect(count.looks).toBeLessThan(ROWS * 3 * 4);
  });

  test('InfluxDB’s rows find their series with a few looks at each', () => {
    const batch = batchIn(order);
    const count = counted(batch);
    const plan = planOf(batch);
    if (typeof plan === 'string') throw new TypeError(plan);
    expect(seriesOf([plan]).order).toHaveLength(ROWS);
    expect(count.looks).toBeLessThan(ROWS * 3 * 4);
  });
});

/** Few devices, tags and times, so that they meet often. */
const points = fc.array(
  fc.record({
    timeNs: fc.integer({ min: 0, max: 30 }).map((n) => BASE_NS + BigInt(n)),
    device: fc.constantFrom('a', 'b'),
    tags: fc.record({
      room: fc.constantFrom('hall', 'attic', '', null),
      side: fc.constantFrom('left', null),
    }),
    fields: fc.constant({ x: 1 }),
  }),
  { maxLength: 60 },
);

test('exactly the rows are appended that are newer than all before them of their series', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(points, { maxLength: 3 }), async (writes) => {
      const into = table();
      const newest = new Map<string, bigint>();
      for (const write of writes) {
        const fresh = await sort(into, batchOf(ROOMS, write));
        const expected: number[] = [];
        for (const [row, { device, tags, timeNs }] of write.entries()) {
          const key = seriesKey(device, [tags.room || null, tags.side]);
          const before = newest.get(key);
          if (before !== undefined && timeNs <= before) continue;
          newest.set(key, timeNs);
          expected.push(row);
        }
        expect(fresh).toEqual(expected);
        into.series.commit();
      }
    }),
  );
});
