import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { IngestClient } from '../../src/client/index.ts';
import type { IngestOptions, LinkState, NumbersFault } from '../../src/client/index.ts';
import { until } from '../fixtures/until.ts';
import { ManualTimers } from './manual-timers.ts';
import { ScriptedGateway } from './scripted-gateway.ts';

describe('the ingest client', () => {
  let gateway: ScriptedGateway;
  let client: IngestClient;
  let settled: string[];
  let states: LinkState[];

  beforeEach(async () => {
    gateway = await ScriptedGateway.open();
    settled = [];
    states = [];
  });
  afterEach(async () => {
    client.close();
    await gateway.close();
  });

  /** Reconnects without delay unless told otherwise. */
  function connect(options: Partial<IngestOptions> = {}): IngestClient {
    client = new IngestClient({
      url: gateway.url,
      device: 'pump 1',
      WebSocket,
      random: () => 0,
      onSettled: ({ bytes, refusal }) => {
        settled.push(Buffer.from(bytes).toString() + (refusal === null ? '' : `!${refusal.code}`));
      },
      onState: (state) => states.push(state),
      ...options,
    });
    return client;
  }
  const send = (...frames: string[]) => frames.map((frame) => client.send(Buffer.from(frame)));
  const waits = () => states.flatMap((state) => (state.name === 'waiting' ? [state] : []));
  const reasons = () => waits().map(({ end }) => end.reason);
  const delays = () => waits().map(({ delayMs }) => delayMs);
  const stopped = () =>
    until('the client to stop', () => states.find((state) => state.name === 'stopped')?.stop);

  test('names the device and the subprotocol, and sends nothing before the welcome', async () => {
    connect();
    send('a', 'b');
    const peer = await gateway.peer(1);
    expect(peer.request.url).toMatch(/^\/v1\/ingest\?device=pump\+1&outbox=[0-9a-f]{32}$/);
    expect(peer.request.headers['sec-websocket-protocol']).toBe('millrace.v1');
    expect(peer.frames).toEqual([]);
    peer.welcome(0);
    expect(await peer.received(2)).toEqual(['a', 'b']);
  });

  test('has an outbox id of its own, made at random, that it keeps over connections', async () => {
    connect();
    const first = await gateway.peer(1);
    client.close();
    connect();
    const second = await gateway.peer(2);
    const idOf = (peer: typeof first) =>
      new URL(peer.request.url ?? '', 'ws://host').searchParams.get('outbox');
    expect(idOf(first)).not.toBe(idOf(second));
    second.cut();
    expect(idOf(await gateway.peer(3))).toBe(idOf(second));
  });

  test('goes on in another program with what was saved: a frame that arrived does not go out again', async () => {
    connect();
    send('a', 'b', 'c');
    const first = await gateway.peer(1);
    first.welcome(0);
    await first.received(3);
    const saved = client.save();
    client.close();
    connect({ saved });
    const second = await gateway.peer(2);
    expect(second.request.url).toBe(first.request.url);
    second.welcome(2);
    expect(await second.received(1)).toEqual(['c']);
    expect(settled).toEqual(['a', 'b']);
  });

  test('drops nothing and says so when its number was passed by another program', async () => {
    const faults: NumbersFault[] = [];
    connect({ onNumbersFault: (fault) => faults.push(fault) });
    send('a', 'b');
    const first = await gateway.peer(1);
    first.welcome(7);
    await first.received(2);
    first.cut();
    const second = await gateway.peer(2);
    second.welcome(10);
    expect(await second.received(2)).toEqual(['a', 'b']);
    expect(settled).toEqual([]);
    expect(faults).toEqual([{ kind: 'ahead', seq: 10, from: 7, to: 9 }]);
    second.say({ type: 'ack', seq: 12 });
    await until('both', () => settled.length === 2);
  });

  test('drops nothing and says so when the gateway went back, as from a backup', async () => {
    const faults: NumbersFault[] = [];
    connect({ onNumbersFault: (fault) => faults.push(fault) });
    send('a', 'b');
    const first = await gateway.peer(1);
    first.welcome(7);
    await first.received(2);
    first.say({ type: 'ack', seq: 8 });
    await until('the ack', () => settled.length === 1);
    first.cut();
    const second = await gateway.peer(2);
    second.welcome(3);
    expect(await second.received(1)).toEqual(['b']);
    expect(faults).toEqual([{ kind: 'behind', seq: 3, from: 8, to: 9 }]);
  });

  test('tells of another epoch nothing: it sends all that it kept', async () => {
    const faults: NumbersFault[] = [];
    connect({ onNumbersFault: (fault) => faults.push(fault) });
    send('a');
    const first = await gateway.peer(1);
    first.welcome(7);
    await first.received(1);
    first.cut();
    const second = await gateway.peer(2);
    second.welcome(100, { epoch: 'e2' });
    expect(await second.received(1)).toEqual(['a']);
    expect(faults).toEqual([]);
  });

  test('settles frames by one cumulative ack', async () => {
    connect();
    send('a', 'b', 'c');
    const peer = await gateway.peer(1);
    peer.welcome(7);
    await peer.received(3);
    peer.say({ type: 'ack', seq: 9 });
    await until('two frames', () => settled.length === 2);
    expect(client.unacknowledged).toBe(1);
    peer.say({ type: 'ack', seq: 10 });
    expect(await client.flushed(10_000)).toBe(true);
    expect(settled).toEqual(['a', 'b', 'c']);
  });

  test('after a cut drops what the welcome counts as durable and sends the rest again', async () => {
    connect();
    send('a', 'b', 'c', 'd');
    const first = await gateway.peer(1);
    first.welcome(0);
    await first.received(4);
    first.say({ type: 'ack', seq: 1 });
    await until('the ack', () => settled.length === 1);
    first.cut();
    const second = await gateway.peer(2);
    second.welcome(3);
    expect(await second.received(1)).toEqual(['d']);
    expect(settled).toEqual(['a', 'b', 'c']);
    second.say({ type: 'ack', seq: 4 });
    expect(await client.flushed(10_000)).toBe(true);
  });

  test('in another epoch sends everything that it kept, whatever the number', async () => {
    connect();
    send('a', 'b', 'c');
    const first = await gateway.peer(1);
    first.welcome(5);
    await first.received(3);
    first.say({ type: 'ack', seq: 6 });
    await until('the ack', () => settled.length === 1);
    first.cut();
    const second = await gateway.peer(2);
    second.welcome(9, { epoch: 'e2' });
    expect(await second.received(2)).toEqual(['b', 'c']);
    second.say({ type: 'ack', seq: 11 });
    expect(await client.flushed(10_000)).toBe(true);
    expect(settled).toEqual(['a', 'b', 'c']);
  });

  test('a welcome that never arrived changes nothing', async () => {
    connect();
    send('a', 'b');
    const first = await gateway.peer(1);
    first.welcome(0);
    await first.received(2);
    first.cut();
    (await gateway.peer(2)).cut();
    const third = await gateway.peer(3);
    third.welcome(1);
    expect(await third.received(1)).toEqual(['b']);
    expect(settled).toEqual(['a']);
  });

  test('tells which frame was refused and why, and goes on', async () => {
    connect();
    send('a', 'b', 'c');
    const peer = await gateway.peer(1);
    peer.welcome(0);
    await peer.received(3);
    peer.say({ type: 'reject', seq: 2, code: 'schema_unknown', message: 'who?' });
    peer.say({ type: 'ack', seq: 3 });
    await until('all', () => settled.length === 3);
    expect(settled).toEqual(['a', 'b!schema_unknown', 'c']);
    expect(client.state).toBe('open');
  });

  test('a refusal counts only with the ack that follows it', async () => {
    connect();
    send('a');
    const first = await gateway.peer(1);
    first.welcome(0);
    await first.received(1);
    first.say({ type: 'reject', seq: 1, code: 'schema_unknown', message: 'not yet' });
    first.cut();
    const second = await gateway.peer(2);
    second.welcome(0);
    await second.received(1);
    second.say({ type: 'ack', seq: 1 });
    expect(await client.flushed(10_000)).toBe(true);
    expect(settled).toEqual(['a']);
  });

  test('stays within the window by frames and by bytes', async () => {
    connect();
    send('aaaa', 'bbbb', 'cccc', 'dddd');
    const peer = await gateway.peer(1);
    peer.welcome(0, { maxUnacked: 2 });
    await peer.received(2);
    peer.say({ type: 'ack', seq: 1 });
    expect(await peer.received(3)).toEqual(['aaaa', 'bbbb', 'cccc']);
    peer.cut();
    const next = await gateway.peer(2);
    next.welcome(1, { maxUnackedBytes: 9 });
    await next.received(2);
    next.say({ type: 'ack', seq: 2 });
    expect(await next.received(3)).toEqual(['bbbb', 'cccc', 'dddd']);
  });

  test('refuses by itself a frame that the gateway could never take, without using a number', async () => {
    connect();
    send('a', 'x'.repeat(50), 'b');
    const peer = await gateway.peer(1);
    peer.welcome(0, { maxFrameBytes: 20 });
    expect(await peer.received(2)).toEqual(['a', 'b']);
    expect(settled).toEqual([`${'x'.repeat(50)}!frame_too_large`]);
    peer.say({ type: 'ack', seq: 2 });
    expect(await client.flushed(10_000)).toBe(true);
  });

  test('refuses to keep more than its outbox holds', () => {
    connect({ outbox: { maxFrames: 2, maxBytes: 5 } });
    expect(send('aaa', 'bbb', 'bb', 'c')).toEqual([true, false, true, false]);
  });

  test.each([4501, 4508, 4509, 4510, 1009])('stays away after close code %i', async (code) => {
    connect();
    const peer = await gateway.peer(1);
    peer.welcome(0);
    send('a');
    await peer.received(1);
    peer.close(code);
    expect(await stopped()).toMatchObject({ cause: 'close_code', closeCode: code });
    expect(send('b')).toEqual([false]);
    expect(await client.flushed(10_000)).toBe(false);
  });

  test.each([1001, 1012, 1011, 1000, 4013, 4000])('comes back after close code %i', async (code) => {
    connect();
    const peer = await gateway.peer(1);
    peer.welcome(0);
    peer.close(code);
    (await gateway.peer(2)).welcome(0);
    await until('the connection', () => client.state === 'open');
  });

  test('after a goaway waits for the last acks, closes, and goes on with the next connection', async () => {
    connect();
    send('a');
    const first = await gateway.peer(1);
    first.welcome(0);
    await first.received(1);
    first.say({ type: 'goaway', reason: 'drain' });
    first.say({ type: 'reject', seq: 1, code: 'x', message: '' });
    first.say({ type: 'ack', seq: 1 });
    await until('the ack', () => settled.length === 1);
    send('b');
    const second = await gateway.peer(2);
    second.welcome(1);
    expect(await second.received(1)).toEqual(['b']);
    expect(first.frames).toEqual(['a']);
    expect(first.closeCode).toBe(1000);
  });

  test('tries again when the upgrade is refused for now, and stops when it is refused for good', async () => {
    gateway.refuse(503, 429, 401);
    connect();
    expect(await stopped()).toMatchObject({ cause: 'http_status', status: 401 });
    expect(waits().map(({ end }) => end.status)).toEqual([503, 429]);
    expect(gateway.peers).toEqual([]);
  });

  test('leaves a gateway that acknowledges what was never sent', async () => {
    connect();
    send('a');
    const first = await gateway.peer(1);
    first.welcome(0);
    await first.received(1);
    first.say({ type: 'ack', seq: 5 });
    const second = await gateway.peer(2);
    second.welcome(0);
    expect(await second.received(1)).toEqual(['a']);
    expect(settled).toEqual([]);
  });

  test('ignores what it does not know', async () => {
    connect();
    send('a');
    const peer = await gateway.peer(1);
    peer.say({ type: 'news' });
    peer.say([1]);
    peer.welcome(0, { more: true });
    await peer.received(1);
    peer.say({ type: 'ack', seq: 1 });
    expect(await client.flushed(10_000)).toBe(true);
  });

  test('gives up a connection that brings no welcome, or no ack for what is in flight', async () => {
    const timers = new ManualTimers();
    connect({ timers });
    await gateway.peer(1);
    timers.move(15_000);
    expect(reasons()).toEqual(['no greeting in time']);
    const second = await gateway.peer(2);
    second.welcome(0);
    await until('the connection', () => client.state === 'open');
    send('a');
    await second.received(1);
    timers.move(59_000);
    expect(client.state).toBe('open');
    timers.move(1_000);
    expect(reasons()).toEqual(['no greeting in time', 'no ack in time']);
  });

  test('backs off further after each failure, and from the start after an ack', async () => {
    const timers = new ManualTimers();
    connect({ timers, random: () => 0.999 });
    for (const n of [1, 2, 3]) {
      (await gateway.peer(n)).cut();
      await until('the end', () => delays().length === n);
      timers.move(delays().at(-1) ?? 0);
    }
    expect(delays().map(Math.round)).toEqual([500, 999, 1998]);
    const peer = await gateway.peer(4);
    peer.welcome(0);
    await until('the connection', () => client.state === 'open');
    send('a');
    await peer.received(1);
    peer.say({ type: 'ack', seq: 1 });
    await client.flushed(10_000);
    peer.cut();
    await until('the end', () => delays().length === 4);
    expect(Math.round(delays()[3] ?? 0)).toBe(500);
  });

  test('leaves no timer behind when it is closed', async () => {
    const timers = new ManualTimers();
    connect({ timers });
    const peer = await gateway.peer(1);
    peer.welcome(0);
    await until('the connection', () => client.state === 'open');
    send('a');
    const flushed = client.flushed(10_000);
    client.close();
    expect(await flushed).toBe(false);
    expect(timers.waiting).toBe(0);
    await until('the close', () => peer.closeCode === 1000);
  });
});
