import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { MAX_TIME_NS } from '../../src/core/index.ts';
import { rowTimes } from '../../src/writer/row-times.ts';

test('the times of a batch hold every row, and are at most three milliseconds wider', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.bigInt(0n, MAX_TIME_NS), { minLength: 1 }), { maxLength: 3 }), (all) => {
      const batches = all.map((times) => ({
        rows: times.length,
        timeWords: new Int32Array(BigInt64Array.from([...times, 0n]).buffer),
      }));
      const { fromMs, toMs } = rowTimes(batches);
      const times = all.flat();
      if (times.length === 0) expect(fromMs).toBeGreaterThan(toMs);
      for (const ns of times) {
        expect(ns >= BigInt(fromMs) * 1_000_000n && ns < BigInt(toMs) * 1_000_000n).toBe(true);
      }
      const near = (ms: number) => times.some((ns) => Math.abs(Number(ns / 1_000_000n) - ms) <= 3);
      if (times.length > 0) expect([near(fromMs), near(toMs)]).toEqual([true, true]);
    }),
  );
});
