import { expect, test } from '@jest/globals';
import { keepLetters, type LetterLimits } from '../../../src/journal/local/commit/dead-letters.ts';
import { LetterShares } from '../../../src/journal/local/commit/letter-shares.ts';
import { EMPTY_STATE, type JournalState } from '../../../src/journal/local/format/state.ts';
import { type FoundLetter, storedLetter } from '../../../src/journal/local/format/stored-letter.ts';
import { letter } from '../harness.ts';

const NO_LIMITS = { maxDeadLetters: Infinity, maxDeadLetterBytes: Infinity, maxDeadLetterAgeMs: Infinity };

/** Lets transaction after transaction drop what is over the limits, until nothing is left to do. */
function drop(kept: readonly FoundLetter[], limits: Partial<LetterLimits>) {
  const gone = new Set<number>();
  const allLimits = { ...NO_LIMITS, ...limits };
  const shares = new LetterShares(allLimits, kept);
  /** Letters that each transaction read. */
  const reads: number[] = [];
  const storage = {
    *lettersFrom(from: number) {
      for (const found of kept) {
        if (found.id < from || gone.has(found.id)) continue;
        reads.push((reads.pop() ?? 0) + 1);
        yield found;
      }
    },
  };
  const rejected = kept.filter(({ letter: { kind } }) => kind === 'rejected');
  let state: JournalState = {
    ...EMPTY_STATE,
    letters: {
      ...EMPTY_STATE.letters,
      next: kept.length,
      count: kept.length,
      bytes: kept.reduce((sum, { letter: { size } }) => sum + size, 0),
      oldestMs: 1,
      rejected: { oldest: rejected[0]?.id ?? kept.length, count: rejected.length },
    },
  };
  for (let more = true; more;) {
    reads.push(0);
    const result = keepLetters(state, { replayed: [], added: [] }, storage, shares, allLimits, 2);
    for (const id of result.removedLetters) gone.add(id);
    ({ state, more } = result);
    expect(reads.length).toBeLessThan(100);
  }
  return { gone: [...gone], reads, state };
}

test('rejected letters are looked for among many others a part at a time, and are those that go', () => {
  const acked = 20_000;
  const kept = Array.from({ length: acked + 2 }, (_, id) => ({
    id,
    letter: storedLetter(letter('a'), id % (acked + 1) === 0 ? 'rejected' : 'deadLettered', 1),
  }));
  const { gone, reads, state } = drop(kept, { maxDeadLetters: acked });
  expect(gone).toEqual([0, acked + 1]);
  expect(Math.max(...reads)).toBeLessThan(acked / 3);
  expect(state.letters).toMatchObject({ count: acked, droppedAcked: 0, dropped: 2 });
});

test('large letters that are too many go a part at a time', () => {
  const bytes = new Uint8Array(1024 ** 2);
  const kept = Array.from({ length: 500 }, (_, id) => ({
    id,
    letter: storedLetter(letter('a', bytes), 'deadLettered', 1),
  }));
  const { gone, reads, state } = drop(kept, { maxDeadLetterBytes: 100.5 * 1024 ** 2 });
  expect(gone).toEqual(Array.from({ length: 400 }, (_, id) => id));
  expect(Math.max(...reads)).toBeLessThan(50);
  expect(state.letters).toMatchObject({ count: 100, droppedAcked: 400 });
  expect(state.counts.expired.ws).toBe(400);
});
