import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SettledTimes } from '../../src/journal/index.ts';

test('the times of settled frames are known for any part of them, wherever two settlements met', () => {
  const times = new SettledTimes();
  times.record({ from: 10, position: 20, times: { fromMs: 500, toMs: 600 } });
  times.record({ from: 20, position: 30, times: { fromMs: 100, toMs: 550 } });
  expect(times.between(12, 18)).toEqual({ fromMs: 500, toMs: 600 });
  expect(times.between(20, 30)).toEqual({ fromMs: 100, toMs: 550 });
  expect(times.between(19, 21)).toEqual({ fromMs: 100, toMs: 600 });
});

test('nothing is said of frames that were settled before, are not settled, or that nobody looked at', () => {
  const times = new SettledTimes();
  times.record({ from: 10, position: 20, times: { fromMs: 500, toMs: 600 } });
  times.record({ from: 20, position: 25 });
  times.record({ from: 25, position: 30, times: { fromMs: 500, toMs: 600 } });
  // No row at all: neither is there a range.
  times.record({ from: 30, position: 40, times: { fromMs: Infinity, toMs: -Infinity } });
  for (const [first, next] of [
    [9, 15],
    [15, 22],
    [18, 27],
    [22, 28],
    [28, 41],
    [32, 38],
  ] as const) {
    expect(times.between(first, next)).toBeNull();
  }
  expect(times.between(28, 38)).toEqual({ fromMs: 500, toMs: 600 });
});

test('however much is settled, what is said covers the frames that were asked for', () => {
  const settlement = fc.record({
    frames: fc.integer({ min: 1, max: 5 }),
    known: fc.boolean().map((unknown) => !unknown),
    fromMs: fc.nat(1_000),
    ms: fc.integer({ min: 1, max: 100 }),
  });
  fc.assert(
    fc.property(fc.array(settlement, { maxLength: 200 }), fc.nat(800), fc.nat(100), (all, first, frames) => {
      const times = new SettledTimes(16);
      let position = 0;
      const settled: { from: number; position: number; known: boolean; fromMs: number; toMs: number }[] = [];
      for (const { frames: count, known, fromMs, ms } of all) {
        const span = { from: position, position: position + count, known, fromMs, toMs: fromMs + ms };
        settled.push(span);
        times.record({ ...span, ...(known ? { times: { fromMs, toMs: fromMs + ms } } : {}) });
        position += count;
      }
      const said = times.between(first, first + frames);
      if (said === null) return;
      expect(first + frames).toBeLessThanOrEqual(position);
      for (const span of settled.filter((each) => each.from < first + frames && each.position > first)) {
        expect(span.known).toBe(true);
        expect(said.fromMs).toBeLessThanOrEqual(span.fromMs);
        expect(said.toMs).toBeGreaterThanOrEqual(span.toMs);
      }
    }),
  );
  const many = new SettledTimes(16);
  for (let i = 0; i < 1_000; i++) {
    many.record({ from: i, position: i + 1, times: { fromMs: i, toMs: i + 1 } });
  }
  expect(many.between(0, 1_000)).toEqual({ fromMs: 0, toMs: 1_000 });
  expect(many.between(995, 1_000)?.fromMs).toBeGreaterThan(800);
});
