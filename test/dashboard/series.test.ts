import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_POINTS, PointSeries } from '../../src/dashboard/series.ts';

const WINDOW_MS = 15 * 60_000;

function seriesOf(points: readonly (readonly [number, number])[]): PointSeries {
  const series = new PointSeries();
  for (const [timeMs, value] of points) series.add(timeMs, value);
  return series;
}

describe('a line of the chart', () => {
  test('puts points in order of time, whatever order they came in, and keeps the last of equal times', () => {
    const point = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer());
    fc.assert(
      fc.property(fc.array(point, { maxLength: 200 }), (points) => {
        const series = seriesOf(points);
        series.settle(0, WINDOW_MS);
        const expected = [...new Map(points)].sort(([a], [b]) => a - b);
        expect(series.times).toEqual(expected.map(([timeMs]) => timeMs));
        expect(series.values).toEqual(expected.map(([, value]) => value));
      }),
    );
  });

  test('is the same when all of it is read again', () => {
    const points = [1, 2, 3, 5, 8].map((timeMs) => [timeMs, timeMs * 10] as const);
    const series = seriesOf([...points, ...points]);
    series.settle(0, WINDOW_MS);
    expect(series.times).toEqual([1, 2, 3, 5, 8]);
  });

  test('drops what has left the window, but for the one point that leads in from its edge', () => {
    const series = seriesOf([1, 2, 3, 4, 5].map((timeMs) => [timeMs, 0]));
    series.settle(4, WINDOW_MS);
    expect(series.times).toEqual([3, 4, 5]);
  });

  test('keeps its newest point however long nothing comes', () => {
    const series = seriesOf([
      [1, 7],
      [2, 8],
    ]);
    series.settle(1_000_000, WINDOW_MS);
    expect(series.values).toEqual([8]);
  });

  test('is bounded, and keeps every peak and the newest point when it is down-sampled', () => {
    const series = new PointSeries();
    const start = 1_000_000;
    const count = MAX_POINTS * 3;
    const stepMs = WINDOW_MS / count;
    for (let i = 0; i < count; i++) {
      series.add(start + i * stepMs, i === 7_777 ? 1_000 : i === 12_345 ? -1_000 : Math.sin(i));
      if (i % 500 === 0) series.settle(start, WINDOW_MS);
    }
    series.settle(start, WINDOW_MS);
    expect(series.times.length).toBeLessThanOrEqual(MAX_POINTS);
    expect(series.sliceMs).toBeGreaterThan(0);
    expect(Math.max(...series.values)).toBe(1_000);
    expect(Math.min(...series.values)).toBe(-1_000);
    expect(series.times.at(-1)).toBe(start + (count - 1) * stepMs);
    expect(series.times).toEqual([...series.times].sort((a, b) => a - b));
  });

  test('is bounded even when a clock that runs ahead spreads its points over a day', () => {
    const series = new PointSeries();
    for (let i = 0; i < MAX_POINTS * 4; i++) series.add(i * 3_000, i);
    series.settle(0, WINDOW_MS);
    expect(series.times).toHaveLength(MAX_POINTS);
    expect(series.values.at(-1)).toBe(MAX_POINTS * 4 - 1);
  });
});
