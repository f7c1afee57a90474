import { describe, expect, test } from '@jest/globals';
import { padded } from '../../src/dashboard/scale.ts';

describe('the range of an axis', () => {
  test('has a little room on both sides of the values', () => {
    expect(padded(10, 20)).toEqual([9.2, 20.8]);
    expect(padded(null, null)).toEqual([0, 1]);
  });

  test('spans something where all values are one', () => {
    const [low, high] = padded(50, 50);
    expect([low, high].map((each) => Math.round(each * 10) / 10)).toEqual([47.1, 52.9]);
    expect(padded(0, 0)).toEqual([-0.58, 0.58]);
  });

  test.each([
    [2 ** 53 - 2, 2 ** 53],
    [-(2 ** 60), -(2 ** 60) + 256],
    [1e-300, 1e-300 * (1 + 2e-16)],
    [1e300, 1e300 * (1 + 2e-16)],
  ])('is wide enough to be divided where doubles from %d to %d are neighbours', (low, high) => {
    const [from, to] = padded(low, high);
    const step = (to - from) / 20;
    expect(from + step).toBeGreaterThan(from);
    expect(to - step).toBeLessThan(to);
    expect(from).toBeLessThan(low);
    expect(to).toBeGreaterThan(high);
  });

  test('is finite for the widest values there are', () => {
    const [from, to] = padded(-Number.MAX_VALUE, Number.MAX_VALUE);
    expect(Number.isFinite(from)).toBe(true);
    expect(Number.isFinite(to)).toBe(true);
  });
});
