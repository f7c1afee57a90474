import { expect, test } from '@jest/globals';
import { WriterEnds } from '../../src/app/writer-process/ends.ts';
import { LIMITS } from '../../src/core/index.ts';

const HOW = 'the writer process ended with SIGKILL';
const HEAD = 100;

/** Ends that came one after another while the same frames were handed to the store. */
function ended(times: number, first = 10, next = 20): WriterEnds {
  const ends = new WriterEnds();
  for (let n = 0; n < times; n++) {
    ends.attempting({ first, next, trial: false, proven: false });
    ends.ended(first, HEAD, HOW);
  }
  return ends;
}

test('the frames that were under way are suspected, and how often in a row', () => {
  expect(ended(1).suspects).toEqual({ from: 10, to: 20, ends: 1, how: HOW, trials: 0, proven: false });
  expect(ended(3).suspects).toMatchObject({ from: 10, to: 20, ends: 3 });
});

test('nothing is suspected where the store had answered', () => {
  const ends = new WriterEnds();
  ends.attempting({ first: 10, next: 20, trial: false, proven: false });
  ends.attempting(null);
  ends.ended(20, HEAD, HOW);
  expect(ends.suspects).toBeNull();
});

test('a trial with other frames changes only the number of trials', () => {
  const ends = ended(LIMITS.writerEndsToGiveUp, 10, 11);
  ends.attempting({ first: 9, next: 10, trial: true, proven: false });
  ends.ended(10, HEAD, HOW);
  expect(ends.suspects).toMatchObject({ from: 10, to: 11, ends: LIMITS.writerEndsToGiveUp, trials: 1 });
});

test('whether the last one ended right after another frame had been taken is kept through trials, until the next end', () => {
  const ends = ended(1, 10, 11);
  ends.attempting({ first: 10, next: 11, trial: false, proven: true });
  ends.ended(10, HEAD, HOW);
  ends.attempting({ first: 9, next: 10, trial: true, proven: false });
  ends.ended(10, HEAD, HOW);
  expect(ends.suspects).toMatchObject({ ends: 2, trials: 1, proven: true });
  ends.attempting({ first: 10, next: 11, trial: false, proven: false });
  ends.ended(10, HEAD, HOW);
  expect(ends.suspects).toMatchObject({ ends: 3, proven: false });
});

test('a shorter search lets the next process begin at once, the same frames again do not', () => {
  const ends = ended(1);
  expect(ends.narrowed).toBe(true);
  ends.attempting({ first: 10, next: 15, trial: false, proven: false });
  ends.ended(10, HEAD, HOW);
  expect(ends.narrowed).toBe(true);
  ends.attempting({ first: 10, next: 15, trial: false, proven: false });
  ends.ended(10, HEAD, HOW);
  expect(ends.narrowed).toBe(false);
});

test('processes that end one after another at the same place are an alarm until frames are settled behind it', () => {
  expect(ended(LIMITS.writerEndsToAlarm - 1).alarm()).toBeNull();
  const ends = ended(LIMITS.writerEndsToAlarm);
  expect(ends.alarm()).toContain(`${HOW}, ${LIMITS.writerEndsToAlarm} times in a row at position 10`);
  ends.settled(15);
  expect(ends.alarm()).toBeNull();
  expect(ends.suspects).not.toBeNull();
  ends.settled(20);
  expect(ends.suspects).toBeNull();
});

test('ends without any frame under way are an alarm too, but none where no frame waits', () => {
  const ends = new WriterEnds();
  ends.ended(10, HEAD, HOW);
  ends.ended(10, HEAD, HOW);
  expect(ends.inARow).toBe(2);
  expect(ends.alarm()).not.toBeNull();
  ends.ended(HEAD, HEAD, HOW);
  ends.ended(HEAD, HEAD, HOW);
  expect(ends.inARow).toBe(0);
  expect(ends.alarm()).toBeNull();
});
