import { expect, test } from '@jest/globals';
import { Places } from '../../src/core/index.ts';

/** Notes the order in which the named ones got their place. */
function queue(places: Places) {
  const entered: string[] = [];
  return {
    entered,
    async come(name: string, signal?: AbortSignal) {
      const leave = await places.take(signal);
      entered.push(name);
      return leave;
    },
  };
}

test('a place that is given back goes to who has waited longest', async () => {
  const { entered, come } = queue(new Places(1));
  const leave = await come('first');
  const second = come('second');
  const third = come('third');
  expect(entered).toEqual(['first']);
  leave();
  (await second)();
  await third;
  expect(entered).toEqual(['first', 'second', 'third']);
});

test('giving a place back twice frees one place', async () => {
  const places = new Places(1, 0);
  const leave = await places.take();
  leave();
  leave();
  await places.take();
  await expect(places.take()).rejects.toMatchObject({ code: 'too_many_queries' });
});

test('who gives up while waiting is told the reason, and takes nobody’s place', async () => {
  const places = new Places(1, 1);
  const leave = await places.take();
  const gone = new AbortController();
  const waiting = places.take(gone.signal);
  gone.abort(new Error('the client left'));
  await expect(waiting).rejects.toThrow('the client left');
  const next = places.take();
  leave();
  await expect(next).resolves.toBeInstanceOf(Function);
});

test('a signal that has fired already takes no place', async () => {
  const places = new Places(1, 0);
  await expect(places.take(AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
  await expect(places.take()).resolves.toBeInstanceOf(Function);
});
