import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { TailClient } from '../../src/client/index.ts';
import type { TailRequest } from '../../src/client/index.ts';
import { until } from '../fixtures/until.ts';
import { ScriptedGateway } from './scripted-gateway.ts';

const COLUMNS = ['time', 'device', 'temperature'];

describe('the tail client', () => {
  let gateway: ScriptedGateway;
  let client: TailClient;
  let seen: unknown[];

  beforeEach(async () => {
    gateway = await ScriptedGateway.open();
    seen = [];
    client = new TailClient({
      url: gateway.url,
      WebSocket,
      random: () => 0,
      onError: ({ code }) => seen.push(`connection: ${code}`),
    });
  });
  afterEach(async () => {
    client.close();
    await gateway.close();
  });

  const follow = (request: TailRequest) =>
    client.subscribe(request, {
      onColumns: (columns) => seen.push(columns),
      onRows: (rows) => seen.push(...rows),
      onLive: () => seen.push('live'),
      onGap: ({ missed, query }) => seen.push({ missed, query }),
      onError: ({ code }, willRetry) => seen.push(`${code} ${willRetry ? 'again' : 'ended'}`),
    });
  const sees = (count: number) => until(`${count} events`, () => seen.length >= count);

  test('subscribes on /v1/tail and hands over columns, rows and the end of history in order', async () => {
    const tail = follow({ measurement: 'environment', device: ['a', 'b'], from: '-5m' });
    const peer = await gateway.peer(1);
    expect(peer.request.url).toBe('/v1/tail');
    peer.say({ type: 'hello' });
    expect(await peer.said(1)).toEqual([
      { type: 'subscribe', id: tail.id, measurement: 'environment', device: ['a', 'b'], from: '-5m' },
    ]);
    const { id } = tail;
    peer.say({ type: 'subscribed', id, columns: COLUMNS, cursor: 'c0' });
    peer.say({ type: 'data', id, n: 1, cursor: 'c1', rows: [['t1', 'a', 1.5]] });
    peer.say({ type: 'live', id });
    peer.say({ type: 'data', id, n: 2, cursor: 'c2', rows: [['t2', 'b', null]] });
    await sees(4);
    expect(seen).toEqual([COLUMNS, ['t1', 'a', 1.5], 'live', ['t2', 'b', null]]);
    expect(tail.cursor).toBe('c2');
  });

  test('resumes from the last cursor after a cut, also from that of a progress and of a live', async () => {
    const tail = follow({ measurement: 'm', field: 'f', from: '-1h' });
    const { id } = tail;
    const first = await gateway.peer(1);
    await first.said(1);
    first.say({ type: 'subscribed', id, columns: COLUMNS, cursor: 'c0' });
    first.say({ type: 'data', id, n: 1, cursor: 'c1', rows: [['t1']] });
    await sees(2);
    first.cut();
    const second = await gateway.peer(2);
    expect(await second.said(1)).toEqual([
      { type: 'subscribe', id, measurement: 'm', field: 'f', cursor: 'c1' },
    ]);
    second.say({ type: 'subscribed', id, columns: COLUMNS, cursor: 'c1' });
    second.say({ type: 'data', id, n: 1, cursor: 'c2', rows: [['t2']] });
    second.say({ type: 'progress', id, cursor: 'c3' });
    await until('the cursor', () => tail.cursor === 'c3');
    second.say({ type: 'live', id, cursor: 'c4' });
    await until('the cursor', () => tail.cursor === 'c4');
    second.close(1012);
    expect(await (await gateway.peer(3)).said(1)).toMatchObject([{ cursor: 'c4' }]);
    expect(seen).toEqual([COLUMNS, ['t1'], COLUMNS, ['t2'], 'live']);
  });

  test('does not use rows that come after a missing message, but asks again for both', async () => {
    const { id } = follow({ measurement: 'm' });
    const first = await gateway.peer(1);
    await first.said(1);
    first.say({ type: 'subscribed', id, columns: COLUMNS, cursor: 'c0' });
    first.say({ type: 'data', id, n: 1, cursor: 'c1', rows: [['t1']] });
    first.say({ type: 'data', id, n: 3, cursor: 'c3', rows: [['t3']] });
    const second = await gateway.peer(2);
    expect(await second.said(1)).toMatchObject([{ cursor: 'c1' }]);
    expect(seen).toEqual([COLUMNS, ['t1']]);
  });

  test('reports a gap and goes on behind it', async () => {
    const tail = follow({ measurement: 'm', cursor: 'old' });
    const peer = await gateway.peer(1);
    expect(await peer.said(1)).toMatchObject([{ cursor: 'old' }]);
    const { id } = tail;
    peer.say({ type: 'gap', id, from: 'old', to: 'c9', missed: null, query: '/v1/query?measurement=m' });
    await sees(1);
    expect(seen).toEqual([{ missed: null, query: '/v1/query?measurement=m' }]);
    expect(tail.cursor).toBe('c9');
  });

  test('ends a subscription on an error, and does not subscribe again', async () => {
    const { id } = follow({ measurement: 'nothing' });
    const first = await gateway.peer(1);
    await first.said(1);
    first.say({ type: 'error', id, code: 'measurement_unknown', message: 'none' });
    first.say({ type: 'error', code: 'protocol_error', message: 'what?' });
    await sees(2);
    expect(seen).toEqual(['measurement_unknown ended', 'connection: protocol_error']);
    first.cut();
    const second = await gateway.peer(2);
    const other = follow({ measurement: 'm' });
    expect(await second.said(1)).toMatchObject([{ id: other.id, measurement: 'm' }]);
  });

  test('subscribes again by itself when the error passes', async () => {
    const { id } = follow({ measurement: 'm' });
    const peer = await gateway.peer(1);
    await peer.said(1);
    peer.say({ type: 'error', id, code: 'store_unavailable', message: 'away' });
    expect(await peer.said(2)).toMatchObject([{ type: 'subscribe' }, { type: 'subscribe', id }]);
    expect(seen).toEqual(['store_unavailable again']);
  });

  test('hears nothing of a subscription that was ended', async () => {
    const tail = follow({ measurement: 'm' });
    const peer = await gateway.peer(1);
    await peer.said(1);
    tail.unsubscribe();
    expect(await peer.said(2)).toMatchObject([{}, { type: 'unsubscribe', id: tail.id }]);
    peer.say({ type: 'data', id: tail.id, n: 1, cursor: 'c1', rows: [['t1']] });
    peer.say({ type: 'error', code: 'end', message: '' });
    await sees(1);
    expect(seen).toEqual(['connection: end']);
  });
});
