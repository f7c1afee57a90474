import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  formatTimeNs,
  MAX_TIME_NS,
  MillraceError,
  parseDurationNs,
  parseRfc3339Ns,
  parseTimeNs,
  TurnClock,
} from '../../src/core/index.ts';

const NOW_NS = 1_700_000_000_000_000_000n;

describe('times', () => {
  test('a formatted time reads back as the same nanosecond', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, MAX_TIME_NS), (timeNs) => {
        expect(parseRfc3339Ns(formatTimeNs(timeNs))).toBe(timeNs);
      }),
    );
  });

  test.each([
    [0n, '1970-01-01T00:00:00Z'],
    [1_500_000_000n, '1970-01-01T00:00:01.500Z'],
    [1_000n, '1970-01-01T00:00:00.000001Z'],
    [1n, '1970-01-01T00:00:00.000000001Z'],
    [-1n, '1969-12-31T23:59:59.999999999Z'],
  ])('%p ns are written as %s, with the fewest digits that are exact', (timeNs, text) => {
    expect(formatTimeNs(timeNs)).toBe(text);
  });

  test.each([
    ['now', NOW_NS],
    ['-15m', NOW_NS - 900_000_000_000n],
    ['1700000000123', 1_700_000_000_123_000_000n],
    ['2023-11-14T22:13:20Z', NOW_NS],
    ['2023-11-14T23:13:20+01:00', NOW_NS],
    ['2023-11-14T22:13:20.000000001Z', NOW_NS + 1n],
  ])('reads %s', (text, timeNs) => {
    expect(parseTimeNs(text, 'from', NOW_NS)).toBe(timeNs);
  });

  test.each([
    '',
    'yesterday',
    '-15',
    '15m',
    '2023-02-31T00:00:00Z',
    '2023-11-14',
    '1e12',
    '2023-11-14T25:00:00Z',
  ])('refuses "%s" and names the parameter', (text) => {
    expect(() => parseTimeNs(text, 'from', NOW_NS)).toThrow(MillraceError);
    expect(() => parseTimeNs(text, 'from', NOW_NS)).toThrow(/^from: /);
  });

  test.each([
    ['30s', 30_000_000_000n],
    ['12h', 43_200_000_000_000n],
    ['30d', 2_592_000_000_000_000n],
    ['250ms', 250_000_000n],
  ])('reads the duration %s', (text, ns) => {
    expect(parseDurationNs(text)).toBe(ns);
  });

  test.each(['', '5', 's', '-5s', '1.5h', '5 s', '5y'])('takes "%s" for no duration', (text) => {
    expect(parseDurationNs(text)).toBeNull();
  });
});

describe('a clock that is asked for every frame', () => {
  /** Says how often it was looked at. */
  const counting = { looks: 0, nowMs: () => ++counting.looks };
  beforeEach(() => {
    counting.looks = 0;
  });

  test('looks once for many answers of a turn, but not for all of a long one', () => {
    const clock = new TurnClock(counting);
    const answers = Array.from({ length: 200 }, () => clock.nowMs());
    expect(answers[0]).toBe(1);
    expect(answers.filter((answer) => answer === 1)).toHaveLength(64);
    expect(counting.looks).toBe(4);
  });

  test('looks anew in the next turn', async () => {
    const clock = new TurnClock(counting);
    expect(clock.nowMs()).toBe(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(clock.nowMs()).toBe(2);
    expect(clock.nowMs()).toBe(2);
  });

  test('asks nothing while it is not asked', async () => {
    new TurnClock(counting).nowMs();
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(counting.looks).toBe(1);
  });
});
