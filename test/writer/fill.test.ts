import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { LIMITS } from '../../src/core/index.ts';
import { WriteBatch } from '../../src/writer/batch.ts';
import { waitsMs } from '../../src/writer/fill.ts';
import { Pace } from '../../src/writer/pace.ts';
import { Bench } from './harness.ts';

const { storeBatchMinDelayMs, storeBatchMaxDelayMs } = LIMITS;

/** Milliseconds that a batch waits on at `nowMs`. */
function waits(batch: WriteBatch, pace: Pace, nowMs: number): number | null {
  return waitsMs(batch, pace, { nowMs: () => nowMs });
}

/** A pace at which a batch may wait for longest. */
function slowPace(): Pace {
  const pace = new Pace();
  for (let n = 0; n < 20; n++) pace.wrote(1, storeBatchMaxDelayMs);
  return pace;
}

describe('how long a batch waits for more frames', () => {
  const bench = new Bench();
  const batch = (sinceMs: number, lastMs: number): WriteBatch => {
    const made = new WriteBatch(bench.registry, 0);
    made.sinceMs = sinceMs;
    made.lastMs = lastMs;
    return made;
  };

  test('an empty one waits for the first', () => {
    expect(waits(new WriteBatch(bench.registry, 0), new Pace(), 1_000)).toBeNull();
  });

  test('while frames come, for as long as the pace says', () => {
    const pace = slowPace();
    expect(pace.delayMs(0)).toBe(storeBatchMaxDelayMs);
    expect(waits(batch(0, 390), pace, 400)).toBe(storeBatchMinDelayMs - 10);
    expect(waits(batch(0, 490), pace, 495)).toBe(storeBatchMaxDelayMs - 495);
    expect(waits(batch(0, 499), pace, storeBatchMaxDelayMs)).toBe(0);
  });

  test('not when nothing has come for a while', () => {
    expect(waits(batch(0, 0), slowPace(), storeBatchMinDelayMs)).toBe(0);
  });

  test('it ends in time, whenever frames come', () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.nat(2_000), (sinceMs, afterMs) => {
        const left = waits(batch(sinceMs, sinceMs + afterMs), slowPace(), sinceMs + afterMs);
        expect(left).toBeGreaterThanOrEqual(0);
        expect(left).toBeLessThanOrEqual(
          Math.min(storeBatchMinDelayMs, Math.max(0, storeBatchMaxDelayMs - afterMs)),
        );
      }),
    );
  });
});
