import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { DedupeWindow } from '../../../src/journal/local/dedupe/dedupe-window.ts';

const limits = { dedupeWindowMs: 60_000, dedupeFrames: 100, dedupeTotal: 1_000 };

describe('the dedupe window', () => {
  test('forgets a content when the window has passed since it came first', () => {
    const window = new DedupeWindow(limits, 0);
    expect(window.take('a', 'X', 0)).toBe(true);
    expect(window.take('a', 'X', 30_000)).toBe(false);
    expect(window.take('a', 'X', 60_000)).toBe(false);
    expect(window.take('a', 'X', 61_000)).toBe(true);
    expect(window.take('a', 'X', 100_000)).toBe(false);
  });

  test('takes everything for new when it is turned off', () => {
    for (const off of [{ dedupeWindowMs: 0 }, { dedupeFrames: 0 }]) {
      const window = new DedupeWindow({ ...limits, ...off }, 0);
      expect([window.take('a', 'X', 0), window.take('a', 'X', 0), window.size]).toEqual([true, true, 0]);
    }
  });

  test('keeps the newest of each device', () => {
    const window = new DedupeWindow(limits, 0);
    for (let i = 0; i < 1_000; i++) window.take('a', `${i}`, i);
    expect(window.size).toBeLessThanOrEqual(100);
    for (let i = 910; i < 1_000; i++) expect(window.take('a', `${i}`, 1_000)).toBe(false);
    expect(window.take('a', '0', 1_000)).toBe(true);
  });

  test('takes from the device that was quiet the longest when there are too many in all', () => {
    const window = new DedupeWindow(limits, 0);
    for (let device = 0; device < 20; device++) {
      for (let i = 0; i < 90; i++) window.take(`${device}`, `${i}`, device * 1_000);
      window.take('busy', `${device}`, device * 1_000);
    }
    expect(window.size).toBeLessThanOrEqual(1_000);
    expect(window.take('19', '0', 20_000)).toBe(false);
    expect(window.take('busy', '0', 20_000)).toBe(false);
    expect(window.take('0', '89', 20_000)).toBe(true);
  });

  test('lets go of devices that have been silent for longer than the window', () => {
    const window = new DedupeWindow(limits, 0);
    window.take('a', 'X', 0);
    window.take('b', 'X', 50_000);
    window.sweep(61_000);
    expect(window.size).toBe(1);
    window.sweep(200_000);
    expect(window.size).toBe(0);
  });

  test('agrees with a list of all that came, as long as no limit is reached', () => {
    const step = fc.record({
      device: fc.constantFrom('a', 'b', 'c'),
      content: fc.constantFrom('X', 'Y', 'Z'),
      afterS: fc.nat(30),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const window = new DedupeWindow(limits, 0);
        const came = new Map<string, number>();
        let nowMs = 0;
        for (const { device, content, afterS } of steps) {
          nowMs += afterS * 1_000;
          const key = `${device} ${content}`;
          const at = came.get(key);
          const fresh = at === undefined || nowMs - at > limits.dedupeWindowMs;
          expect(window.take(device, content, nowMs)).toBe(fresh);
          if (fresh) came.set(key, nowMs);
        }
      }),
    );
  });
});
