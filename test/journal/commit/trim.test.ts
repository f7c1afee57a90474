import { describe, expect, test } from '@jest/globals';
import { EMPTY_STATE, type JournalState } from '../../../src/journal/local/format/state.ts';
import { trim } from '../../../src/journal/local/commit/trim.ts';

const limits = { maxBytes: 10_000, tailRetentionMs: 0, tailRetentionBytes: 10_000 };
const block = (first: number) => ({ first, next: first + 1, sizeBytes: 100, readings: 1, arrivalMs: 0 });

/** Ten settled blocks of 100 bytes, and a snapshot of 500 bytes from before all of them. */
const state: JournalState = {
  ...EMPTY_STATE,
  head: 10,
  settled: 10,
  blockBytes: 1_000,
  snapshot: { position: 0, bytes: 500, blockBytesSince: 1_000 },
};

describe('which blocks a transaction removes', () => {
  test('past the snapshot of the device numbers only when that frees more than a new snapshot takes', () => {
    const few = trim(state, [0, 1, 2, 3].map(block), limits, 1);
    expect(few).toMatchObject({ removed: [], needsSnapshot: false, state: { tail: 0, blockBytes: 1_000 } });
    const enough = trim(state, [0, 1, 2, 3, 4].map(block), limits, 1);
    expect(enough).toMatchObject({ removed: [0, 1, 2, 3, 4], needsSnapshot: true });
    expect(enough.state).toMatchObject({ tail: 5, blockBytes: 500 });
  });

  test('past the snapshot in any case when the journal is nearly full', () => {
    const pressed = trim(state, [block(0)], { ...limits, maxBytes: 1_100 }, 1);
    expect(pressed).toMatchObject({ removed: [0], needsSnapshot: true });
  });

  test('up to the snapshot without a new one', () => {
    const covered = { ...state, snapshot: { ...state.snapshot, position: 3 } };
    expect(trim(covered, [0, 1, 2, 3].map(block), limits, 1)).toMatchObject({
      removed: [0, 1, 2],
      needsSnapshot: false,
      state: { tail: 3 },
    });
  });
});
