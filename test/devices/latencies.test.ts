import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Latencies } from '../../devices/fleet/latencies.ts';

test('percentiles are those of the sorted list, at most 3 % too high', () => {
  const durations = fc.array(fc.double({ min: 0.02, max: 600_000, noNaN: true }), {
    minLength: 1,
    maxLength: 300,
  });
  fc.assert(
    fc.property(durations, fc.constantFrom(0.01, 0.5, 0.9, 0.99, 1), (all, share) => {
      const latencies = new Latencies();
      for (const ms of all) latencies.add(ms);
      const sorted = [...all].sort((a, b) => a - b);
      const exact = sorted[Math.max(1, Math.ceil(share * all.length)) - 1] ?? 0;
      expect(latencies.percentile(share)).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
      expect(latencies.percentile(share)).toBeLessThanOrEqual(exact * 1.0301);
      expect(latencies.maxMs).toBe(sorted.at(-1));
    }),
  );
});

test('without any duration everything is zero', () => {
  expect([new Latencies().percentile(0.5), new Latencies().maxMs]).toEqual([0, 0]);
});
