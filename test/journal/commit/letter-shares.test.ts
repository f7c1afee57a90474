import { expect, test } from '@jest/globals';
import { LIMITS } from '../../../src/core/index.ts';
import { LetterShares } from '../../../src/journal/local/commit/letter-shares.ts';
import { storedLetter } from '../../../src/journal/local/format/stored-letter.ts';
import { letter } from '../harness.ts';

const open = () => new LetterShares({ maxDeadLetters: 100_000, maxDeadLetterBytes: 1e9 });

/** How many of so many letters a device may have at this time. */
function admitted(shares: LetterShares, device: string, letters: number, nowMs = 1): number {
  let count = 0;
  for (let i = 0; i < letters; i++) if (shares.admits(device, nowMs)) count++;
  return count;
}

test('a device whose last letter goes has no more of them than before', () => {
  const shares = open();
  expect(admitted(shares, 'a', 20_000)).toBe(LIMITS.deadLetterBurst);
  shares.add({ id: 1, letter: storedLetter(letter('a'), 'rejected', 1) });
  shares.remove('a', 1);
  expect(admitted(shares, 'a', 100)).toBe(0);
  expect(admitted(shares, 'a', 1_000, 2_001)).toBeLessThanOrEqual(2 * LIMITS.deadLettersPerS);
});

test('many devices of rubbish together have few more letters than one, and one that has had none has its own', () => {
  const shares = open();
  let all = 0;
  for (let n = 0; n < 50; n++) all += admitted(shares, `rubbish-${n}`, 2_000);
  expect(all).toBe(LIMITS.commonLetterBurst + 50 * LIMITS.ownLetterBurst);
  expect(admitted(shares, 'honest', 5)).toBe(5);
  // A second later there are some for all, again.
  let later = 0;
  for (let n = 0; n < 50; n++) later += admitted(shares, `rubbish-${n}`, 2_000, 1_001);
  expect(later).toBe(LIMITS.commonLettersPerS + 50 * LIMITS.ownLettersPerS);
});

test('of devices without letters only the last ones are remembered, those with letters all', () => {
  const shares = open();
  expect(admitted(shares, 'old', 1_000)).toBe(1_000);
  expect(admitted(shares, 'kept', 1_000)).toBe(1_000);
  shares.add({ id: 1, letter: storedLetter(letter('kept'), 'rejected', 1) });
  for (let n = 0; n < LIMITS.emptyLetterShares; n++) admitted(shares, `other-${n}`, 1);
  expect(admitted(shares, 'kept', LIMITS.deadLetterBurst)).toBe(
    LIMITS.commonLetterBurst - 2 * (1_000 - LIMITS.ownLetterBurst),
  );
  expect(admitted(shares, 'old', 1_000)).toBe(LIMITS.ownLetterBurst);
});
