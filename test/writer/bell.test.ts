import { expect, test } from '@jest/globals';
import { Bell } from '../../src/writer/bell.ts';

test('a ring wakes who waits, and one that nobody heard ends the next wait at once', async () => {
  const bell = new Bell();
  const waiting = bell.wait(null);
  bell.ring();
  await waiting;
  bell.ring();
  bell.ring();
  await bell.wait(null);
  let woke = false;
  const next = (async () => {
    await bell.wait(null);
    woke = true;
  })();
  await new Promise((resolve) => setImmediate(resolve));
  expect(woke).toBe(false);
  bell.ring();
  await next;
});

test('a wait ends by itself after its time', async () => {
  await new Bell().wait(1);
});
