import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import {
  AGGREGATE_FUNCTIONS,
  FUNCTIONS,
  rowAt,
  takesType,
  type AggregateFunction,
  type Cell,
} from '../../src/core/index.ts';
import { BASE_NS, SECOND_NS, shape, type Point } from './points.ts';
import { randomPoints, SAMPLE } from './random-points.ts';
import { Reference } from './reference.ts';
import { ALL_TIMES, aggregateQuery, expectRows, namesOf, neverAborted, type Subject } from './subject.ts';

/** These are exact; the others may differ by rounding. */
const EXACT = FUNCTIONS.filter((fn) => fn === 'count' || AGGREGATE_FUNCTIONS[fn].keepsValues);

function at(seconds: number, x: number | null, more: Partial<Point> = {}): Point {
  return {
    timeNs: BASE_NS + BigInt(seconds) * SECOND_NS,
    device: 'agg-a',
    ...more,
    fields: { x, n: x === null ? null : BigInt(Math.trunc(x)), ...more.fields },
  };
}

/** Writes the points and aggregates one field of all by every function. */
async function everyFunction(
  subject: Subject,
  name: string,
  points: readonly Point[],
  field = 'x',
): Promise<Record<string, Cell>> {
  const counted = shape(name, { x: 'float', n: 'integer' }, ['room']);
  await subject.write(counted, points);
  const aggregates = FUNCTIONS.map((fn) => ({ field, fn, name: fn }));
  const [row] = await subject.aggregate(counted.measurement, { aggregates, fromNs: BASE_NS });
  return Object.fromEntries(FUNCTIONS.map((fn, i) => [fn, row?.[i + 1] ?? null]));
}

export function aggregateTests(subject: Subject): void {
  describe('aggregates', () => {
    test('a single reading has no stddev, delta or rate', async () => {
      const same = ['sum', 'min', 'max', 'mean', 'first', 'last', 'median', 'p95', 'p99'];
      expect(await everyFunction(subject, 'agg_single', [at(0, 4.5)])).toEqual({
        ...Object.fromEntries(same.map((fn) => [fn, 4.5])),
        count: 1n,
        stddev: null,
        rate: null,
        delta: null,
      });
    });

    test('delta counts a value below the one before whole, and rate divides it by the seconds between', async () => {
      const counter = [at(0, 10), at(1, 15), at(2, null), at(3, 4), at(4, 6)];
      expect(await everyFunction(subject, 'agg_counter', counter)).toMatchObject({ delta: 11, rate: 2.75 });
      expect(await everyFunction(subject, 'agg_counter', [], 'n')).toMatchObject({
        delta: 11n,
        rate: 2.75,
        sum: 35n,
        min: 4n,
      });
    });

    test('percentiles interpolate linearly', async () => {
      const ranks = await everyFunction(
        subject,
        'agg_ranks',
        [30, 10, 20, 40].map((x, i) => at(i, x)),
      );
      expect(ranks['median']).toBe(25);
      expect(ranks['p95']).toBeCloseTo(38.5, 12);
      expect(ranks['p99']).toBeCloseTo(39.7, 12);
    });

    test('first and last at one time go by the order of rows', async () => {
      const tied = await everyFunction(subject, 'agg_tied', [
        at(0, 3, { tags: { room: 'b' } }),
        at(0, 1),
        at(0, 2, { tags: { room: 'a' } }),
        at(0, 9, { device: 'agg-b' }),
      ]);
      expect(tied).toMatchObject({ first: 1, last: 9, rate: null, delta: 8 });
    });

    test('integers stay integers, and a sum beyond 64 bits becomes a float', async () => {
      const big = shape('agg_big', { n: 'integer' });
      const max = 2n ** 63n - 1n;
      const aggregates = (['min', 'max', 'first', 'last', 'sum', 'delta', 'mean'] as const).map((fn) => ({
        field: 'n',
        fn,
        name: fn,
      }));
      const ask = async (): Promise<Cell[]> =>
        (await subject.aggregate(big.measurement, { aggregates }))[0] ?? [];
      const write = (second: number, n: bigint): Promise<unknown> =>
        subject.write(big, [{ timeNs: BASE_NS + BigInt(second), device: 'agg-big', fields: { n } }]);
      await write(0, -max);
      await write(1, max);
      expect((await ask()).slice(1)).toEqual([-max, max, -max, max, 0n, Number(2n * max), 0]);
      await write(2, max);
      await write(3, max);
      expect((await ask()).slice(5)).toEqual([Number(2n * max), Number(2n * max), Number(max) / 2]);
    });

    test('stddev bears large offsets and values whose squares overflow', async () => {
      const offset = await everyFunction(
        subject,
        'agg_offset',
        [1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16].map((x, i) => at(i, x)),
      );
      expect(offset['stddev']).toBeCloseTo(Math.sqrt(30), 6);
      const huge = shape('agg_huge', { x: 'float' });
      await subject.write(
        huge,
        [-1e300, 1e300].map((x, i) => ({ timeNs: BASE_NS + BigInt(i), device: 'agg-huge', fields: { x } })),
      );
      const aggregates = [{ field: 'x', fn: 'stddev' as const, name: 'stddev' }];
      const [row] = await subject.aggregate(huge.measurement, { aggregates });
      expect(Number(row?.[1]) / 1e300).toBeCloseTo(Math.SQRT2, 9);
    });

    test('booleans and strings can be counted, and have a first and a last; the rest is refused', async () => {
      const texts = shape('agg_texts', { ok: 'boolean', s: 'string' });
      await subject.write(texts, [
        { timeNs: BASE_NS, device: 'agg-a', fields: { ok: true, s: 'one' } },
        { timeNs: BASE_NS + 1n, device: 'agg-a', fields: { ok: false, s: 'two' } },
      ]);
      for (const [field, first, last] of [['ok', true, false] as const, ['s', 'one', 'two'] as const]) {
        const aggregates = (['count', 'first', 'last'] as const).map((fn) => ({ field, fn, name: fn }));
        const [row] = await subject.aggregate(texts.measurement, { aggregates });
        expect(row?.slice(1)).toEqual([2n, first, last]);
        for (const fn of FUNCTIONS.filter((fn) => !takesType(fn, 'string'))) {
          const unsuitable = subject.aggregate(texts.measurement, { aggregates: [{ field, fn, name: fn }] });
          await expect(unsuitable).rejects.toMatchObject({ code: 'function_unsuitable' });
        }
      }
    });

    test('the columns are the time, the group and the names asked for', async () => {
      const named = shape('agg_named', { x: 'float' }, ['room']);
      const answer = await subject.store.aggregate(
        aggregateQuery(named.measurement, {
          aggregates: [
            { field: 'x', fn: 'mean', name: 'x_mean' },
            { field: 'x', fn: 'max', name: 'x_max' },
          ],
          group: ['room', 'device'],
        }),
        neverAborted(),
      );
      expect(namesOf(answer)).toEqual(['time', 'room', 'device', 'x_mean', 'x_max']);
    });

    test('each column of every function comes in the type that the answer tells', async () => {
      const typed = shape('agg_types', { x: 'float', n: 'integer', ok: 'boolean', s: 'string' });
      await subject.write(
        typed,
        [0, 1, 2].map((i) => ({
          timeNs: BASE_NS + BigInt(i) * SECOND_NS,
          device: 'agg-types',
          fields: { x: i / 2, n: BigInt(i), ok: i > 0, s: `${i}` },
        })),
      );
      const aggregates = typed.measurement.fields.flatMap(({ name, type }) =>
        FUNCTIONS.filter((fn) => takesType(fn, type)).map((fn) => ({
          field: name,
          fn,
          name: `${name}_${fn}`,
        })),
      );
      const answer = await subject.store.aggregate(
        aggregateQuery(typed.measurement, { aggregates, group: ['device'] }),
        neverAborted(),
      );
      let batches = 0;
      for await (const batch of answer.chunks) {
        batches++;
        const told = answer.columns.map(({ name, type }) => `${name}: ${type === 'time' ? 'integer' : type}`);
        expect(batch.columns.map(({ type }, i) => `${answer.columns[i]?.name}: ${type}`)).toEqual(told);
        expect(rowAt(batch, 0)).not.toContain(null);
      }
      expect(batches).toBe(1);
    });

    test('a bucket where a field has no value counts 0 and has null for the rest', async () => {
      const gaps = shape('agg_gaps', { x: 'float', y: 'float' });
      await subject.write(gaps, [
        { timeNs: BASE_NS, device: 'agg-a', fields: { x: 1 } },
        { timeNs: BASE_NS + 120n * SECOND_NS, device: 'agg-a', fields: { x: 2, y: 5 } },
      ]);
      const rows = await subject.aggregate(gaps.measurement, {
        aggregates: [
          { field: 'x', fn: 'count', name: 'x_count' },
          ...FUNCTIONS.map((fn) => ({ field: 'y', fn, name: `y_${fn}` })),
        ],
        everyNs: 60n * SECOND_NS,
      });
      expect(rows.length).toBe(2);
      expect(rows[0]?.slice(1)).toEqual([1n, ...FUNCTIONS.map((fn) => (fn === 'count' ? 0n : null))]);
      expect(rows[1]?.slice(1, 3)).toEqual([1n, 1n]);
    });

    test('buckets align to the epoch, also where the range begins inside one', async () => {
      const aligned = shape('agg_aligned', { x: 'float', n: 'integer' });
      await subject.write(
        aligned,
        Array.from({ length: 100 }, (_, i) => at(i, i)),
      );
      const everyNs = 7n * SECOND_NS;
      const fromNs = BASE_NS + 10n * SECOND_NS;
      const aggregates = [{ field: 'x', fn: 'count' as const, name: 'count' }];
      const rows = await subject.aggregate(aligned.measurement, { aggregates, everyNs, fromNs });
      expect(rows.every(([timeNs]) => typeof timeNs === 'bigint' && timeNs % everyNs === 0n)).toBe(true);
      expect(rows[0]?.[0]).toBe((fromNs / everyNs) * everyNs);
      expect(rows.reduce((sum, row) => sum + Number(row[1]), 0)).toBe(90);
      const whole = await subject.aggregate(aligned.measurement, { aggregates, fromNs });
      expect(whole).toEqual([[fromNs, 90n]]);
      const last = await subject.aggregate(aligned.measurement, {
        aggregates,
        everyNs,
        order: 'desc',
        limit: 3,
      });
      const all = await subject.aggregate(aligned.measurement, { aggregates, everyNs });
      expectRows(last, all.reverse().slice(0, 3));
    });

    test('without rows there is no bucket', async () => {
      const aggregates = [{ field: 'x', fn: 'count' as const, name: 'count' }];
      const never = shape('agg_never', { x: 'float' });
      expect(await subject.aggregate(never.measurement, { aggregates })).toEqual([]);
      await subject.write(never, [{ timeNs: BASE_NS, device: 'agg-a', fields: { x: 1 } }]);
      expect(await subject.aggregate(never.measurement, { aggregates, devices: ['nobody'] })).toEqual([]);
    });

    test('every function over random points is what the reference computes', async () => {
      let run = 0;
      const options = fc.record({
        everyNs: fc.constantFrom(null, 5n * SECOND_NS, 17n * SECOND_NS, 10n ** 22n),
        group: fc.constantFrom<string[][]>(
          [],
          ['device'],
          ['room'],
          ['side', 'device'],
          ['device', 'room', 'side'],
        ),
        devices: fc.constantFrom<string[][]>([], ['random-a'], ['random-a', 'random-B']),
        order: fc.constantFrom('asc' as const, 'desc' as const),
        fromSecond: fc.constantFrom(0, 3),
      });
      await fc.assert(
        fc.asyncProperty(randomPoints, options, async (points, { fromSecond, ...query }) => {
          const random = shape(`agg_random_${run++}`, SAMPLE.fields, SAMPLE.tags);
          const reference = new Reference(random);
          const half = Math.ceil(points.length / 2);
          await subject.write(random, points.slice(0, half));
          await subject.write(random, points.slice(half));
          reference.write(points);
          const range = { ...query, fromNs: BASE_NS + BigInt(fromSecond) * SECOND_NS, toNs: ALL_TIMES.toNs };
          for (const field of ['x', 'n', 's']) {
            const fns = field === 's' ? FUNCTIONS.filter((fn) => takesType(fn, 'string')) : FUNCTIONS;
            const aggregates = fns.map((fn) => ({ field, fn, name: fn }));
            const rows = await subject.aggregate(random.measurement, { ...range, aggregates });
            const expected = reference.aggregate(field, fns, range);
            if (query.order === 'desc') expected.reverse();
            const largest = Math.max(...points.map(({ fields }) => Math.abs(Number(fields[field])) || 0));
            expectClose(rows, expected, fns, 1 + query.group.length, 1e-12 * largest * points.length);
            const [end] = rows.slice(Math.floor(rows.length / 2));
            if (end === undefined) continue;
            const key = query.group.map((name, i) => [name, end[i + 1] as string | null] as const);
            const after = { timeNs: end[0] as bigint, key, skip: 0 };
            const bucket = rows.findIndex((row) => row[0] === end[0]);
            const rest = await subject.aggregate(random.measurement, { ...range, aggregates, after });
            // Earlier buckets are the range's to leave out.
            expectRows(
              rest,
              rows.filter((_, i) => i < bucket || i > rows.length / 2),
            );
          }
        }),
        { seed: 42, numRuns: 25 },
      );
    });
  });
}

/** Exact functions exactly; the others within the contract's rounding: `tolerance`. */
export function expectClose(
  actual: readonly Cell[][],
  expected: readonly Cell[][],
  fns: readonly AggregateFunction[],
  keys: number,
  tolerance: number,
): void {
  const rounded = actual.map((row, r) =>
    row.map((cell, c) => {
      const fn = fns[c - keys];
      const want = expected[r]?.[c];
      if (fn === undefined || EXACT.includes(fn)) return cell;
      if (typeof cell !== 'number' || typeof want !== 'number') return cell;
      return Math.abs(cell - want) <= tolerance ? want : cell;
    }),
  );
  expectRows(rounded, expected);
}
