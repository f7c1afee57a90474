import { describe, expect, test } from '@jest/globals';
import { BASE_MS, CLIMATE, frameWriter, openBench } from './harness.ts';
import { serveTail } from './tail-socket.ts';

const at = (seconds: number): number => BASE_MS + seconds * 1_000;

describe('a live tail', () => {
  test('says hello, announces its columns, and is live at once when it begins now', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    const client = connect('?measurement=climate');
    const live = await client.expect('live', '0');
    expect(client.messages.map((message) => message.type)).toEqual(['hello', 'subscribed', 'live']);
    expect(client.messages[0]).toMatchObject({
      epoch: bench.journal.epoch,
      limits: { maxSubscriptions: 32 },
    });
    expect(client.messages[1]).toMatchObject({
      id: '0',
      columns: ['time', 'device', 'room', 'temperature', 'count'],
    });
    expect(client.messages[1]?.cursor).toBe(live.cursor);
  });

  test('delivers a committed frame as rows in the form of a query', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    const client = connect('?measurement=climate');
    await client.expect('live');
    bench.appendClimate('d1', 'hall', [
      { time: at(1), temperature: 21.3, count: 7 },
      { time: at(1) + 250, temperature: null, count: 2 ** 40 },
    ]);
    expect(await client.expectRows(2)).toEqual([
      ['2026-01-01T00:00:01Z', 'd1', 'hall', 21.3, 7],
      ['2026-01-01T00:00:01.250Z', 'd1', 'hall', null, 2 ** 40],
    ]);
    expect(client.of('data')[0]).toMatchObject({ id: '0', n: 1 });
  });

  test('numbers data messages densely and keeps a frame in one message', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench, { limits: { messageRows: 3 } });
    const client = connect('?measurement=climate');
    await client.expect('live');
    const frame = (first: number, count: number) =>
      Array.from({ length: count }, (_, i) => ({ time: at(first + i), count: first + i }));
    bench.appendClimate('d1', 'hall', frame(0, 2));
    bench.appendClimate('d1', 'hall', frame(2, 2));
    bench.appendClimate('d1', 'hall', frame(4, 7));
    bench.appendClimate('d1', 'hall', frame(11, 1));
    const rows = await client.expectRows(12);
    expect(rows.map((row) => row[4])).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(client.of('data').map((message) => message.rows?.length)).toEqual([2, 2, 7, 1]);
    expect(client.of('data').map((message) => message.n)).toEqual([1, 2, 3, 4]);
  });

  test('filters by device, tag and field, and leaves out rows that have none of the fields', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    const client = connect();
    await client.send({ type: 'subscribe', id: 'devices', measurement: 'climate', device: ['d1', 'd3'] });
    await client.send({ type: 'subscribe', id: 'room', measurement: 'climate', tag: { room: 'attic' } });
    await client.send({ type: 'subscribe', id: 'field', measurement: 'climate', field: 'temperature' });
    await client.send({ type: 'subscribe', id: 'none', measurement: 'climate', device: 'nobody' });
    await client.expect('live', 'none');
    bench.appendClimate('d1', 'hall', [{ time: at(1), count: 1 }]);
    bench.appendClimate('d2', 'attic', [{ time: at(2), count: 2, temperature: 2 }, { time: at(3) }]);
    bench.appendClimate('d3', 'attic', [{ time: at(4), count: 4, temperature: 4 }]);
    await client.expectRows(2, 'devices');
    await client.expectRows(2, 'room');
    await client.expectRows(2, 'field');
    expect(client.rows('devices').map((row) => row[1])).toEqual(['d1', 'd3']);
    expect(client.rows('room').map((row) => row[1])).toEqual(['d2', 'd3']);
    expect(client.of('subscribed', 'field')[0]?.columns).toEqual(['time', 'device', 'room', 'temperature']);
    expect(client.rows('field')).toEqual([
      ['2026-01-01T00:00:02Z', 'd2', 'attic', 2],
      ['2026-01-01T00:00:04Z', 'd3', 'attic', 4],
    ]);
    expect(client.rows('none')).toEqual([]);
  });

  test('subscribers of equal filters get the same rows under their own ids and numbers', async () => {
    const bench = await openBench();
    const { connect, tail } = await serveTail(bench);
    const client = connect();
    await client.send({ type: 'subscribe', id: 'a', measurement: 'climate', device: ['d2', 'd1'] });
    await client.expect('live', 'a');
    bench.appendClimate('d1', 'hall', [{ time: at(1), count: 1 }]);
    await client.expectRows(1, 'a');
    await client.send({ type: 'subscribe', id: 2, measurement: 'climate', device: ['d1', 'd2'] });
    await client.expect('live', 2);
    expect(tail.stats()).toMatchObject({ connections: 1, subscriptions: 2, groups: 1, live: 2 });
    bench.appendClimate('d2', 'hall', [{ time: at(2), count: 2 }]);
    await client.expectRows(2, 'a');
    await client.expectRows(1, 2);
    expect(client.of('data', 'a').map((message) => message.n)).toEqual([1, 2]);
    expect(client.of('data', 2)).toMatchObject([
      { id: 2, n: 1, rows: [[expect.anything(), 'd2', 'hall', null, 2]] },
    ]);
    expect(client.of('data', 2)[0]?.cursor).toBe(client.of('data', 'a')[1]?.cursor);
  });

  test('says nothing more after unsubscribe, and the id may be used again', async () => {
    const bench = await openBench();
    const { connect, tail } = await serveTail(bench);
    const client = connect('?measurement=climate');
    await client.expect('live');
    await client.send({ type: 'unsubscribe', id: '0' });
    await client.send({ type: 'subscribe', id: 'b', measurement: 'climate' });
    await client.expect('live', 'b');
    expect(tail.stats().subscriptions).toBe(1);
    bench.appendClimate('d1', 'hall', [{ time: at(1), count: 1 }]);
    await client.expectRows(1, 'b');
    expect(client.rows('0')).toEqual([]);
    await client.send({ type: 'subscribe', id: '0', measurement: 'climate' });
    await client.expect('live', '0', 2);
  });

  test('announces a later schema’s columns before the first row that has them', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    const client = connect('?measurement=climate');
    await client.expect('live');
    bench.appendClimate('d1', 'hall', [{ time: at(1), temperature: 1 }]);
    await client.expectRows(1);
    const wider = JSON.parse(CLIMATE) as { fields: [object, { type: { items: { fields: object[] } } }] };
    wider.fields[1].type.items.fields.push({ name: 'ok', type: 'boolean', default: true });
    await bench.registry.register('climate', JSON.stringify(wider));
    const encode = frameWriter(JSON.stringify(wider));
    const readings = [{ time: at(2), temperature: 2, count: null, ok: true }];
    bench.append('d1', encode({ room: 'hall', readings }), 1);
    bench.appendClimate('d1', 'hall', [{ time: at(3), temperature: 3 }]);
    const rows = await client.expectRows(3);
    expect(rows.map((row) => row.slice(3))).toEqual([
      [1, null],
      [2, null, true],
      [3, null, null],
    ]);
    const types = client.messages.map((message) => message.type);
    expect(types.slice(3, 6)).toEqual(['data', 'subscribed', 'data']);
    expect(client.of('subscribed')[1]?.columns).toEqual([
      'time',
      'device',
      'room',
      'temperature',
      'count',
      'ok',
    ]);
  });

  test('tells its position when nothing was sent for a while', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench, { limits: { progressMs: 50 } });
    const client = connect('?measurement=climate&device=nobody');
    const live = await client.expect('live');
    bench.appendClimate('d1', 'hall', [{ time: at(1), count: 1 }]);
    await bench.commit();
    await client.expect('progress', '0', 3);
    const progress = client.of('progress').at(-1);
    expect(progress?.cursor).not.toBe(live.cursor);
  });

  test('tells its position as often when the clock was put back', async () => {
    const bench = await openBench();
    let offMs = 0;
    const clock = { nowMs: () => Date.now() + offMs };
    const { connect } = await serveTail(bench, { clock, limits: { progressMs: 50 } });
    const client = connect('?measurement=climate&device=nobody');
    await client.expect('live');
    offMs = -3_600_000;
    await client.expect('progress', '0', 3);
  });
});
