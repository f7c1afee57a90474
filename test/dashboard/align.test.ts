import { describe, expect, test } from '@jest/globals';
import { align, breakMs } from '../../src/dashboard/align.ts';

function line(times: readonly number[], values: readonly number[], sliceMs = 0) {
  return { times, values, sliceMs };
}

const everySecond = Array.from({ length: 20 }, (_, i) => i * 1_000);

describe('lines on one time axis', () => {
  test('have each time once, and no value where another line has a point', () => {
    const aligned = align([line([0, 1_000, 2_000], [1, 2, 3]), line([500, 1_000], [7, 8])]);
    expect(aligned).toEqual([
      [0, 500, 1_000, 2_000],
      [1, undefined, 2, 3],
      [undefined, 7, 8, undefined],
    ]);
  });

  test('are broken through all of a pause, also at the times of other lines', () => {
    const [before, after] = [everySecond, everySecond.map((timeMs) => timeMs + 60_000)];
    const paused = [...before, ...after];
    const steady = Array.from({ length: 80 }, (_, i) => i * 1_000 + 500);
    const [times, broken = []] = align([line(paused, paused), line(steady, steady)]);
    const within = times.flatMap((timeMs, i) => (timeMs > 19_000 && timeMs < 60_000 ? [broken[i]] : []));
    expect(within.length).toBeGreaterThan(40);
    expect(new Set(within)).toEqual(new Set([null]));
    expect(broken.filter((value) => typeof value === 'number')).toEqual(paused);
  });

  test('are not broken by the jitter of a device', () => {
    const jittery = everySecond.map((timeMs, i) => timeMs + (i % 3) * 300);
    expect(align([line(jittery, jittery)])[1]).not.toContain(null);
  });

  test('are not broken between the slices of a down-sampled line', () => {
    const limit = breakMs(line([0, 1, 600, 601, 1_200, 1_201], [], 600));
    expect(limit).toBeGreaterThan(2 * 600);
  });

  test('may be none, or empty', () => {
    expect(align([])).toEqual([[]]);
    expect(align([line([], [])])).toEqual([[], []]);
  });
});
