import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { LIMITS } from '../../src/core/index.ts';
import { Pace } from '../../src/writer/pace.ts';

const { storeBatchMinRows, storeBatchRows, storeBatchMinDelayMs, storeBatchMaxDelayMs, storeWriteMs } =
  LIMITS;

interface Load {
  rowsPerMs: number;
  /** A write takes so long, and so much more for each row. */
  baseMs: number;
  msPerRow: number;
}

/** Writes one after another of what has come meanwhile; tells those of the last third. */
function simulate(pace: Pace, { rowsPerMs, baseMs, msPerRow }: Load, writes = 90) {
  const told: { rows: number; writeMs: number; oldestMs: number }[] = [];
  let waiting = 0;
  let lastMs = 0;
  for (let n = 0; n < writes; n++) {
    const { maxRows } = pace;
    let waitedMs = 0;
    for (; waiting < maxRows && waitedMs < pace.delayMs(waiting); waitedMs++) waiting += rowsPerMs;
    const rows = Math.min(waiting, maxRows);
    const writeMs = baseMs + rows * msPerRow;
    pace.wrote(rows, writeMs);
    // The oldest row came when the write before had just begun.
    if (n * 3 >= writes * 2) told.push({ rows, writeMs, oldestMs: lastMs + waitedMs + writeMs });
    lastMs = writeMs;
    waiting = waiting - rows + rowsPerMs * writeMs;
  }
  return told;
}

describe('the pace of batches', () => {
  test('whatever writes take and however they end, size and delay stay within their bounds', () => {
    const write = fc.record({
      ms: fc.double({ min: 0, max: 1e7, noNaN: true }),
      rows: fc.nat(1_000_000),
      failed: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(write, { maxLength: 100 }), (all) => {
        const pace = new Pace();
        for (const { ms, rows, failed } of all) {
          if (failed) pace.failed();
          else pace.wrote(rows, ms);
          expect(pace.maxRows).toBeGreaterThanOrEqual(storeBatchMinRows);
          expect(pace.maxRows).toBeLessThanOrEqual(storeBatchRows);
          const delayMs = pace.delayMs(rows);
          expect(delayMs).toBeGreaterThanOrEqual(storeBatchMinDelayMs);
          expect(delayMs).toBeLessThanOrEqual(storeBatchMaxDelayMs);
        }
      }),
    );
  });

  test('a store that keeps up easily has every row within a second', () => {
    const load = fc.record({
      rowsPerMs: fc.double({ min: 0.01, max: 500, noNaN: true }),
      baseMs: fc.double({ min: 0.1, max: 50, noNaN: true }),
      // The part of the time that it needs for the rows themselves.
      share: fc.double({ min: 0.01, max: 0.2, noNaN: true }),
    });
    fc.assert(
      fc.property(load, ({ rowsPerMs, baseMs, share }) => {
        const told = simulate(new Pace(), { rowsPerMs, baseMs, msPerRow: share / rowsPerMs });
        for (const { oldestMs } of told) expect(oldestMs).toBeLessThanOrEqual(1_000);
      }),
    );
  });

  test('under more load than the store takes, writes are as long as is meant or as large as may be', () => {
    const load = fc.record({
      baseMs: fc.double({ min: 0.1, max: 50, noNaN: true }),
      msPerRow: fc.double({ min: 0.0001, max: 0.02, noNaN: true }),
    });
    fc.assert(
      fc.property(load, ({ baseMs, msPerRow }) => {
        const told = simulate(new Pace(), { rowsPerMs: 1e6, baseMs, msPerRow });
        for (const { rows, writeMs } of told) {
          if (rows < storeBatchRows) expect(writeMs).toBeGreaterThan(storeWriteMs / 2);
          expect(writeMs).toBeLessThanOrEqual(2 * storeWriteMs + LIMITS.storeBatchStepRows * msPerRow);
        }
      }),
    );
  });

  test('an idle store is written to promptly, a loaded one seldom', () => {
    const idle = new Pace();
    simulate(idle, { rowsPerMs: 0.01, baseMs: 2, msPerRow: 0.001 });
    expect(idle.delayMs(0)).toBe(storeBatchMinDelayMs);
    const loaded = new Pace();
    simulate(loaded, { rowsPerMs: 200, baseMs: 20, msPerRow: 0.001 });
    expect(loaded.delayMs(0)).toBe(storeBatchMaxDelayMs);
  });

  test('the fuller a batch is, the less it waits', () => {
    const pace = new Pace();
    pace.wrote(10, 1_000);
    const delays = [0, 0.2, 0.5, 0.9, 1].map((part) => pace.delayMs(pace.maxRows * part));
    expect(delays).toEqual(delays.toSorted((a, b) => b - a));
    expect(delays.at(-1)).toBe(storeBatchMinDelayMs);
  });

  test('writes that fail make the next ones smaller, down to the least', () => {
    const pace = new Pace();
    const before = pace.maxRows;
    pace.failed();
    expect(pace.maxRows).toBe(before / 2);
    for (let n = 0; n < 20; n++) pace.failed();
    expect(pace.maxRows).toBe(storeBatchMinRows);
  });
});
