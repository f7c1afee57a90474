import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { TimerWheel } from '../../devices/fleet/timer-wheel.ts';

test('every timer runs once, in order, not before its time and within a tick after it', () => {
  const delays = fc.array(fc.nat(60_000), { minLength: 1, maxLength: 200 });
  const steps = fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(delays, steps, (delaysMs, stepsMs) => {
      let now = 123.4;
      const wheel = new TimerWheel(() => now);
      const ran: number[] = [];
      for (const delayMs of delaysMs) wheel.after(delayMs, () => ran.push(delayMs));
      let elapsed = 0;
      for (const stepMs of [...stepsMs, 60_010]) {
        elapsed += stepMs;
        now = 123.4 + elapsed;
        wheel.advance();
        expect(ran.length).toBe(
          new Set(delaysMs.keys()).size - delaysMs.filter((d) => !isDue(d, elapsed)).length,
        );
        for (const delayMs of ran) expect(delayMs).toBeLessThanOrEqual(elapsed);
      }
      // Timers of the same tick keep the order in which they were set.
      expect(ran.map(tickOf)).toEqual(delaysMs.map(tickOf).sort((a, b) => a - b));
    }),
    { numRuns: 200 },
  );
});

const tickOf = (ms: number) => Math.max(1, Math.ceil(ms / 5));
const isDue = (delayMs: number, elapsedMs: number) => tickOf(delayMs) <= Math.floor(elapsedMs / 5 + 1e-9);

test('a cancelled timer does not run, and one set from a timer does', () => {
  let now = 0;
  const wheel = new TimerWheel(() => now);
  const ran: string[] = [];
  const cancel = wheel.after(10, () => ran.push('cancelled'));
  wheel.after(10, () => {
    ran.push('first');
    wheel.after(0, () => ran.push('second'));
    wheel.after(20_000, () => ran.push('third'));
  });
  cancel();
  now = 15;
  wheel.advance();
  expect(ran).toEqual(['first', 'second']);
  now = 15_000;
  wheel.advance();
  expect(ran).toEqual(['first', 'second']);
  now = 20_100;
  wheel.advance();
  expect(ran).toEqual(['first', 'second', 'third']);
});
