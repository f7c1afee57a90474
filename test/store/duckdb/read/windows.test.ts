import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Cell } from '../../../../src/core/index.ts';
import type { RowsAfter, RowsQuery, Store } from '../../../../src/store/index.ts';
import { TimeWindows, type TimeWindow } from '../../../../src/store/duckdb/read/time-windows.ts';
import { batchOf, shape, type Point } from '../../points.ts';
import { Reference } from '../../reference.ts';
import { cellsOf, expectRows, neverAborted, rowsQuery } from '../../subject.ts';
import { DuckDbFolders } from '../duckdb-folder.ts';

const YEAR_NS = 31_556_952_000_000_000n;
const LAST_NS = 9_223_372_036_854_775_806n;
const ALL = { fromNs: 0n, toNs: LAST_NS };

/** Times as they may lie: crowded within a microsecond or a minute, years apart, and many at one instant. */
const time = fc.oneof(
  fc.bigInt({ min: 0n, max: 1_000n }).map((ns) => 50n * YEAR_NS + ns),
  fc.bigInt({ min: 0n, max: 60n }).map((second) => 54n * YEAR_NS + second * 1_000_000_000n),
  fc.bigInt({ min: 0n, max: 291n }).map((years) => years * YEAR_NS),
  fc.constantFrom(0n, 54n * YEAR_NS, LAST_NS - 1n),
);
const point: fc.Arbitrary<Point> = fc
  .record({
    timeNs: time,
    device: fc.constantFrom('a', 'b', 'b2', 'c'),
    room: fc.constantFrom(null, 'hall', 'attic'),
    n: fc.option(fc.bigInt({ min: 0n, max: 99n }), { freq: 4 }),
  })
  .map(({ timeNs, device, room, n }) => ({
    timeNs,
    device,
    tags: { room },
    fields: { n, x: n === null ? 1 : null },
  }));
const query = fc.record({
  order: fc.constantFrom('asc' as const, 'desc' as const),
  limit: fc.constantFrom(null, 1, 2, 7, 30),
  devices: fc.constantFrom([], ['b'], ['a', 'c'], ['c', 'nobody'], ['nobody']),
  tags: fc.constantFrom({}, {}, { room: ['hall'] }, { room: ['cellar'] }),
  fields: fc.constantFrom([], ['n'], ['x']),
  range: fc.oneof(
    fc.constant(ALL),
    fc.tuple(time, time).map(([a, b]) => ({ fromNs: a < b ? a : b, toNs: a < b ? b : a })),
  ),
});

describe('rows in windows of time', () => {
  const folders = new DuckDbFolders();

  test('are those of the whole, page by page, however their times lie and however late they come', async () => {
    const store = await folders.open(await folders.file(), { windowRows: 6 });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(point, { minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 3 }),
        fc.array(query, { minLength: 4, maxLength: 4 }),
        fc.boolean(),
        async (writes, queries, byKey) => {
          const random = shape(`windows_${run++}`, { n: 'integer', x: 'float' }, ['room']);
          const reference = new Reference(random);
          for (const points of writes) {
            reference.write(points);
            await store.write([batchOf(random, points)], { epoch: 'e', position: run, refused: [] });
          }
          for (const { range, ...each } of queries) {
            const asked = rowsQuery(random.measurement, { ...each, ...range });
            const rows = reference.rows({ ...each, ...range });
            const expected = each.order === 'asc' ? rows : rows.toReversed();
            expectRows(await pagesOf(store, asked, byKey), expected);
          }
        },
      ),
      { seed: 19, numRuns: 25 },
    );
  });
});

/** All rows of a query, each page going on where the one before it ended. */
async function pagesOf(store: Store, query: RowsQuery, byKey: boolean): Promise<Cell[][]> {
  const given: Cell[][] = [];
  let after: RowsAfter | null = null;
  for (;;) {
    const page = await cellsOf(await store.rows({ ...query, after }, neverAborted()));
    if (query.limit !== null) expect(page.length).toBeLessThanOrEqual(query.limit);
    given.push(...page);
    if (query.limit === null || page.length < query.limit) return given;
    after = afterOf(given, byKey);
  }
}

function afterOf(given: readonly Cell[][], byKey: boolean): RowsAfter {
  const [timeNs, device, room] = given.at(-1) ?? [];
  const same = given.filter(([other]) => other === timeNs).length;
  const key = [
    ['device', String(device)] as const,
    ['room', typeof room === 'string' ? room : null] as const,
  ];
  return { timeNs: typeof timeNs === 'bigint' ? timeNs : 0n, key: byKey ? key : null, skip: same };
}

describe('the windows of a read', () => {
  /** Goes through ascending times as a read does; returns how many steps it took, and the most rows of a window. */
  function walk(times: readonly bigint[], order: 'asc' | 'desc', wanted: number, widthNs: bigint) {
    const inside = ({ fromNs, toNs }: TimeWindow): bigint[] =>
      times.filter((timeNs) => timeNs >= fromNs && timeNs < toNs);
    const range = { fromNs: times[0] ?? 0n, toNs: (times.at(-1) ?? 0n) + 1n };
    const windows = new TimeWindows(range, order, widthNs);
    const read: bigint[] = [];
    let steps = 0;
    let most = 0;
    for (let window = windows.next(); window !== null; window = windows.next()) {
      if (++steps > 1_000) throw new Error('the windows do not come to an end');
      const rows = inside(window);
      if (rows.length > wanted * 4 && window.toNs - window.fromNs > 1n) {
        const some = rows.slice(0, wanted * 4 + 1);
        const of = { fromNs: some[0] ?? 0n, toNs: (some.at(-1) ?? 0n) + 1n };
        const hole = windows.tooMany(window, of, some.length, wanted);
        if (hole === null) continue;
        const first = order === 'asc' ? inside(hole)[0] : inside(hole).at(-1);
        windows.skipTo(first ?? 0n);
        continue;
      }
      most = Math.max(most, rows.length);
      read.push(...(order === 'asc' ? rows : rows.toReversed()));
      windows.passed(window, rows.length, wanted);
    }
    expect(read).toEqual(order === 'asc' ? times : times.toReversed());
    return { steps, most };
  }

  const crowded = Array.from({ length: 2_000 }, (_, i) => 40n * YEAR_NS + BigInt(i) * 1_000n);
  const far = [0n, ...crowded, 200n * YEAR_NS, LAST_NS - 1n];

  test.each(['asc', 'desc'] as const)('have no more rows than were wanted four times over (%s)', (order) => {
    for (const widthNs of [1n, 1_000_000n, LAST_NS]) {
      expect(walk(far, order, 100, widthNs).most).toBeLessThanOrEqual(400);
    }
  });

  test.each(['asc', 'desc'] as const)('come over centuries without a row in a few steps (%s)', (order) => {
    expect(walk(far, order, 100, 1_000n).steps).toBeLessThan(100);
  });

  test('of one instant are read whole, as nothing narrower is left', () => {
    const times = [1n, ...Array.from({ length: 900 }, () => 5n), 9n];
    expect(walk(times, 'asc', 100, 10n).most).toBe(900);
  });
});
