import { describe, expect, test } from '@jest/globals';
import { MillraceError, encodeCursor } from '../../src/core/index.ts';
import { until } from '../fixtures/until.ts';
import { BASE_MS, openBench } from './harness.ts';
import { serveTail } from './tail-socket.ts';

describe('the tail protocol', () => {
  test('refuses a subscription with the stable code, and the connection stays', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    const client = connect();
    const ahead = encodeCursor({ epoch: bench.journal.epoch, position: 5, history: null });
    const cases: [string, Record<string, unknown>][] = [
      ['parameter_missing', {}],
      ['measurement_unknown', { measurement: 'nothing' }],
      ['field_unknown', { measurement: 'climate', field: ['count', 'colour'] }],
      ['parameter_unknown', { measurement: 'climate', tag: { floor: '1' } }],
      ['parameter_unknown', { measurement: 'climate', every: '1m' }],
      ['parameter_invalid', { measurement: 'climate', from: 'yesterday' }],
      ['parameter_invalid', { measurement: 'climate', mode: 'some' }],
      ['parameter_invalid', { measurement: 'climate', device: true }],
      ['cursor_invalid', { measurement: 'climate', cursor: 'nonsense' }],
      ['cursor_invalid', { measurement: 'climate', cursor: ahead }],
    ];
    for (const [index, [, body]] of cases.entries())
      await client.send({ type: 'subscribe', id: index, ...body });
    await client.send({ type: 'subscribe', id: 'good', measurement: 'climate' });
    await client.expect('live', 'good');
    expect(client.of('error').map(({ id, code }) => [id, code])).toEqual(
      cases.map(([code], index) => [index, code]),
    );
    for (const error of client.of('error')) expect(error.message).toEqual(expect.any(String));
  });

  test('tells a wrong parameter in the URL as an error of the subscription "0"', async () => {
    const { connect } = await serveTail(await openBench());
    const client = connect('?measurement=nothing&device=d1&device=d2&tag.room=hall');
    expect(await client.expect('error')).toMatchObject({ id: '0', code: 'measurement_unknown' });
  });

  test('takes lists and single values in the URL', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    const client = connect('?measurement=climate&device=d1&device=d2&tag.room=hall&field=count');
    await client.expect('live', '0');
    for (const device of ['d1', 'd2', 'd3']) {
      bench.appendClimate(device, 'hall', [{ time: BASE_MS, count: 1 }]);
      bench.appendClimate(device, 'attic', [{ time: BASE_MS, count: 1 }]);
    }
    await client.expectRows(2);
    expect(client.rows().map((row) => row[1])).toEqual(['d1', 'd2']);
  });

  test('refuses an id in use and more subscriptions than allowed', async () => {
    const { connect } = await serveTail(await openBench(), { limits: { subscriptions: 2 } });
    const client = connect('?measurement=climate');
    await client.send({ type: 'subscribe', id: '0', measurement: 'climate' });
    expect(await client.expect('error', '0')).toMatchObject({ code: 'parameter_invalid' });
    await client.send({ type: 'subscribe', id: 0, measurement: 'climate' });
    await client.expect('live', 0);
    await client.send({ type: 'subscribe', id: 'third', measurement: 'climate' });
    expect(await client.expect('error', 'third')).toMatchObject({ code: 'too_many_subscriptions' });
  });

  test.each([
    ['no JSON', '{"type":'],
    ['an unknown type', '{"type":"ack","seq":1}'],
    ['no object', '[]'],
    ['a subscription without an id', '{"type":"subscribe","measurement":"climate"}'],
  ])('closes 4510 on %s', async (_, text) => {
    const { connect } = await serveTail(await openBench());
    const client = connect();
    await client.send(text);
    expect(await client.expect('error')).toMatchObject({ code: 'protocol_error' });
    expect(await client.closed()).toBe(4510);
  });

  test('closes 4510 on a binary message', async () => {
    const { connect } = await serveTail(await openBench());
    const client = connect();
    await client.expect('hello');
    client.socket.send(Buffer.from('{"type":"auth"}'));
    expect(await client.closed()).toBe(4510);
  });

  test('bears auth and an unsubscribe of nothing', async () => {
    const { connect } = await serveTail(await openBench());
    const client = connect();
    await client.send({ type: 'auth', token: 'x' });
    await client.send({ type: 'unsubscribe', id: 'nothing' });
    await client.send({ type: 'subscribe', id: 'a', measurement: 'climate' });
    await client.expect('live', 'a');
    expect(client.of('error')).toEqual([]);
  });

  test('selects millrace.v1 when it is offered, and never a token', async () => {
    const { connect } = await serveTail(await openBench());
    const offered = connect('', ['bearer.secret', 'millrace.v1']);
    await offered.expect('hello');
    expect(offered.socket.protocol).toBe('millrace.v1');
  });

  test('refuses before the upgrade what the hook refuses, and connections beyond the limit', async () => {
    const bench = await openBench();
    const forbidding = await serveTail(bench, {
      authorize: () => {
        throw new MillraceError('origin_forbidden', 'not from here');
      },
    });
    const forbidden = forbidding.connect();
    expect(await until('the refusal', () => forbidden.refusedStatus ?? undefined)).toBe(403);
    const { connect } = await serveTail(bench, { limits: { connections: 1 } });
    await connect().expect('hello');
    const second = connect();
    expect(await until('the refusal', () => second.refusedStatus ?? undefined)).toBe(503);
  });

  test('says goaway, takes no new clients, and ends with 1012', async () => {
    const { connect, tail } = await serveTail(await openBench());
    const client = connect('?measurement=climate');
    await client.expect('live');
    tail.goaway('the server is stopping');
    expect(await client.expect('goaway')).toMatchObject({ reason: 'the server is stopping' });
    const late = connect();
    expect(await until('the refusal', () => late.refusedStatus ?? undefined)).toBe(503);
    await tail.close();
    expect(await client.closed()).toBe(1012);
    await until('no connections', () => tail.stats().connections === 0);
    expect(tail.stats()).toMatchObject({ subscriptions: 0, groups: 0, live: 0 });
  });

  test('forgets the subscriptions of a client that has gone', async () => {
    const { connect, tail } = await serveTail(await openBench());
    const client = connect('?measurement=climate');
    await client.expect('live');
    await client.end();
    await until('no subscriptions', () => tail.stats().subscriptions === 0 && tail.stats().connections === 0);
  });
});
