import { expect, test } from '@jest/globals';

interface Trend {
  CRITICAL: number;
  trend(times: number[], values: number[]): { slope: number; error: number };
}
const { CRITICAL, trend } = (await import(
  new URL('../../bench/trend.mjs', import.meta.url).href
)) as unknown as Trend;

const SERIES = 400;
const LENGTH = 300;
const times = Array.from({ length: LENGTH }, (_, i) => 2 * i);

/** Numbers from 0 to 1, the same in every run (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Values of which each keeps `alike` of the one before, about a line. */
function series(seed: number, alike: number, slope: number): number[] {
  const next = random(seed);
  let off = 0;
  return times.map((time) => {
    off = alike * off + (next() + next() + next() - 1.5);
    return slope * time + off;
  });
}

/** The share of series whose slope counts as other than zero. */
function found(alike: number, slope: number): number {
  let count = 0;
  for (let seed = 1; seed <= SERIES; seed++) {
    const fit = trend(times, series(seed, alike, slope));
    if (Math.abs(fit.slope) > CRITICAL * fit.error) count++;
  }
  return count / SERIES;
}

test('a line is found as it is', () => {
  const { slope, error } = trend(
    times,
    times.map((time) => 7 - 3 * time),
  );
  expect(slope).toBeCloseTo(-3, 10);
  expect(error).toBeCloseTo(0, 10);
});

test.each([0, 0.5, 0.9])('no slope is made of noise of which each value keeps %d', (alike) => {
  expect(found(alike, 0)).toBeLessThan(0.06);
});

test('a slope in such noise is found', () => {
  expect(found(0.9, 0.02)).toBeGreaterThan(0.95);
});
