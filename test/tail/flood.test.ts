import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { LIMITS, type MillraceError } from '../../src/core/index.ts';
import { until } from '../fixtures/until.ts';
import { BASE_MS, openBench } from './harness.ts';
import { serveTail } from './tail-socket.ts';

const subscribe = (id: number): object => ({ type: 'subscribe', id, measurement: 'climate' });
const unsubscribe = (id: number): object => ({ type: 'unsubscribe', id });

test('a client that sends many messages and reads the answers is answered each of them', async () => {
  const bench = await openBench();
  const { connect } = await serveTail(bench);
  const client = connect();
  for (let i = 0; i < LIMITS.tailWaitingMessages / 2; i++) {
    await client.send(subscribe(i));
    await client.send(unsubscribe(i));
    if (i % 16 === 15) await client.expect('subscribed', i);
  }
  expect(client.closeCode).toBeNull();
});

test('a client that sends many messages and does not read is ended, and others are answered', async () => {
  const bench = await openBench();
  const ended: MillraceError[] = [];
  const { connect, tail } = await serveTail(bench, { onEnded: (error) => ended.push(error) });
  const quiet = connect();
  await quiet.expect('hello');
  const flooding = connect();
  await once(flooding.socket, 'open');
  flooding.socket.pause();
  for (let i = 0; i < 50_000 && ended.length === 0; i++) {
    await flooding.send(subscribe(i));
    await flooding.send(unsubscribe(i));
    if (i % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until('the end', () => ended.length > 0);
  expect(ended[0]?.code).toBe('too_many_messages');
  await quiet.send(subscribe(1));
  await quiet.expect('live', 1);
  flooding.socket.resume();
  expect(await flooding.closed()).toBe(4015);
  await until('its subscriptions to be gone', () => tail.stats().subscriptions === 1);
});

test('no message is taken while the client does not read, and all are when it reads again', async () => {
  const bench = await openBench();
  const { connect, tail } = await serveTail(bench, { limits: { socketBytes: 64 * 1024 } });
  const reader = connect('?measurement=climate');
  await reader.expect('live');
  reader.socket.pause();
  const room = 'a-long-name-'.repeat(60);
  // More than the kernel keeps for a socket, which may be 36 MB.
  for (let frame = 0; frame < 120; frame++) {
    const readings = Array.from({ length: 1_000 }, (_, i) => ({
      time: BASE_MS + frame * 1_000 + i,
      count: i,
    }));
    bench.appendClimate('d1', room, readings);
  }
  await bench.commit();
  // The kernel goes on taking for a while: the socket is full when no more rows leave.
  let seen = { rows: -1, looks: 0 };
  await until('the reader to lag for good', () => {
    const { rows, lags } = tail.stats();
    seen = { rows, looks: rows === seen.rows ? seen.looks + 1 : 0 };
    return lags > 0 && seen.looks >= 50;
  });
  await reader.send(subscribe(7));
  const quick = connect();
  await quick.send(subscribe(8));
  await quick.expect('live', 8);
  expect(tail.stats().subscriptions).toBe(2);
  reader.socket.resume();
  await reader.expect('live', 7);
});
