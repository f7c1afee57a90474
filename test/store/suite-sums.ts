import { describe, expect, test } from '@jest/globals';
import { BASE_NS, SECOND_NS, shape, type Point } from './points.ts';
import { expectRows, type Subject } from './subject.ts';

const DAY_NS = 86_400n * SECOND_NS;

function values(count: number, value: (i: number) => number): Point[] {
  return Array.from({ length: count }, (_, i) => ({
    timeNs: BASE_NS + BigInt(i),
    device: 'sums-a',
    fields: { x: value(i) },
  }));
}

export function sumTests(subject: Subject): void {
  describe('sums', () => {
    test('of very many values, their means and deltas stay within the promised rounding', async () => {
      const tenths = shape('sums_tenths', { x: 'float' });
      const count = 200_000;
      await subject.write(
        tenths,
        values(count, () => 0.1),
      );
      const aggregates = (['sum', 'mean', 'stddev', 'delta', 'median'] as const).map((fn) => ({
        field: 'x',
        fn,
        name: fn,
      }));
      const [row] = await subject.aggregate(tenths.measurement, { aggregates });
      const [, sum, mean, stddev, delta, median] = (row ?? []).map(Number);
      // 0.1 itself is a little more than a tenth, which the sum shows.
      const exact = 20_000 + count * 5.551115123125783e-18;
      const tolerance = 1e-12 * 0.1 * count;
      expect(Math.abs((sum ?? 0) - exact)).toBeLessThan(tolerance);
      // What a sum is off by is divided with it.
      expect(Math.abs((mean ?? 0) - 0.1)).toBeLessThan(tolerance / count);
      expect(stddev).toBeLessThan(1e-12);
      expect(delta).toBe(0);
      expect(median).toBe(0.1);
    });

    test('a counter that rises by a tenth and starts again loses nothing of its delta', async () => {
      const counter = shape('sums_counter', { x: 'float' });
      const count = 100_000;
      await subject.write(
        counter,
        values(count, (i) => (i % 2) / 10),
      );
      const aggregates = [{ field: 'x', fn: 'delta' as const, name: 'delta' }];
      const [row] = await subject.aggregate(counter.measurement, { aggregates });
      expect(Math.abs(Number(row?.[1]) - count / 20)).toBeLessThan(1e-12 * 0.1 * count);
    });

    test('large values that cancel leave the small ones', async () => {
      const cancel = shape('sums_cancel', { x: 'float' });
      await subject.write(
        cancel,
        values(3_000, (i) => [1e16, 1, -1e16][i % 3] ?? 0),
      );
      const aggregates = (['sum', 'mean'] as const).map((fn) => ({ field: 'x', fn, name: fn }));
      const [row] = await subject.aggregate(cancel.measurement, { aggregates });
      const tolerance = 1e-12 * 1e16 * 3_000;
      expect(Math.abs(Number(row?.[1]) - 1_000)).toBeLessThan(tolerance);
      expect(Math.abs(Number(row?.[2]) - 1 / 3)).toBeLessThan(tolerance);
    });
  });

  test('percentiles bear values whose distance overflows', async () => {
    const far = shape('sums_far', { x: 'float' });
    await subject.write(
      far,
      values(2, (i) => [-1.5e308, 1.5e308][i] ?? 0),
    );
    const aggregates = (['median', 'p95'] as const).map((fn) => ({ field: 'x', fn, name: fn }));
    const [row] = await subject.aggregate(far.measurement, { aggregates });
    expect(row?.[1]).toBe(0);
    expect(Number(row?.[2]) / 1.35e308).toBeCloseTo(1, 9);
  });

  describe('very long buckets', () => {
    const times = [0n, BASE_NS, 5_000_000_000_000_000_000n, 9_000_000_000_000_000_000n];
    const long = shape('sums_long', { x: 'float', n: 'integer' });
    test.each([
      ['20,000 days', 20_000n * DAY_NS],
      ['60,000 days', 60_000n * DAY_NS],
      ['106,751 days', 106_751n * DAY_NS],
      ['the largest number of 64 bits', 9_223_372_036_854_775_807n],
      ['106,752 days', 106_752n * DAY_NS],
      ['200,000 days', 200_000n * DAY_NS],
      ['10^21 nanoseconds', 10n ** 21n],
      ['10^30 nanoseconds', 10n ** 30n],
    ])('hold the times that they begin before (%s)', async (_, everyNs) => {
      await subject.write(
        long,
        times.map((timeNs, i) => ({
          timeNs,
          device: 'sums-long',
          fields: { x: i + 1, n: BigInt(i + 1) },
        })),
      );
      for (const order of ['asc', 'desc'] as const) {
        const query = { everyNs, order, fromNs: 0n, toNs: 9_223_372_036_854_775_806n };
        const starts = [...new Set(times.map((timeNs) => timeNs - (timeNs % everyNs)))];
        const expected = starts.map((start) => {
          const inside = times.flatMap((timeNs, i) => (timeNs - (timeNs % everyNs) === start ? [i + 1] : []));
          return [start, BigInt(inside.length), inside.reduce((a, b) => a + b), inside.at(-1) ?? null];
        });
        if (order === 'desc') expected.reverse();
        const count = { field: 'x', fn: 'count' as const, name: 'count' };
        const sum = { field: 'x', fn: 'sum' as const, name: 'sum' };
        const last = { field: 'x', fn: 'last' as const, name: 'last' };
        const all = await subject.aggregate(long.measurement, { ...query, aggregates: [count, sum, last] });
        expectRows(all, expected);
        const server = await subject.aggregate(long.measurement, { ...query, aggregates: [count, sum] });
        expectRows(
          server,
          expected.map((row) => row.slice(0, 3)),
        );
      }
    });
  });
}
