import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LIMITS } from '../../../../src/core/index.ts';
import { openInfluxStore, type RefusedPoint, type Store } from '../../../../src/store/index.ts';
import { BodyPool } from '../../../../src/store/influx/write/body.ts';
import { Encoder } from '../../../../src/store/influx/write/encoder.ts';
import { SendRate } from '../../../../src/store/influx/write/send-rate.ts';
import { BodySender } from '../../../../src/store/influx/write/sender.ts';
import { InfluxTransport } from '../../../../src/store/influx/transport/transport.ts';
import { countedBatch, shape } from '../../points.ts';

const room = shape('room', { x: 'float' });
/** How far away the server is. */
const AWAY_MS = 20;

test('bodies share what is left at the end of a large write, and keep their size in a small one', () => {
  const rate = new SendRate();
  // Larger bodies that take as long make both grow.
  for (let n = 0; n < 200; n++) rate.took(rate.points, AWAY_MS);
  expect([rate.points, rate.connections]).toEqual([LIMITS.influxBodyMaxPoints, LIMITS.influxMaxConnections]);
  const pool = new BodyPool();
  const transport = new InfluxTransport({ url: 'http://127.0.0.1:9', token: 't', org: 'o', bucket: 'b' });
  const sender = new BodySender(transport, pool, rate);
  const sizesOf = (rows: number): number[] => {
    const encoder = new Encoder([countedBatch(room, rows)], pool);
    const sizes: number[] = [];
    for (let body = sender.next(encoder); body !== null; body = sender.next(encoder)) {
      sizes.push(body.count);
      pool.give(body);
    }
    return sizes;
  };
  const sizes = sizesOf(250_000);
  expect(sizes[0]).toBe(LIMITS.influxBodyMaxPoints);
  // Full ones first, then smaller ones, down to what a body begins with; the last has what is left.
  expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
  expect(sizes.at(-2)).toBe(LIMITS.influxBodyPoints);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(250_000);
  expect(sizesOf(LIMITS.influxBodyMaxPoints + 1_000)).toEqual([LIMITS.influxBodyMaxPoints, 1_000]);
  transport.close();
});

describe('bodies on their way to InfluxDB', () => {
  let server: Server;
  let store: Store;
  let answer: (response: ServerResponse) => void;
  let bodies: string[][];
  let underWay: number;
  let mostUnderWay: number;

  beforeEach(async () => {
    bodies = [];
    underWay = 0;
    mostUnderWay = 0;
    answer = (response) => response.writeHead(204).end();
    server = createServer((request, response) => {
      void (async () => {
        const body = await text(request);
        if (request.url?.startsWith('/api/v2/write') !== true || body === '') {
          response.writeHead(204).end();
          return;
        }
        mostUnderWay = Math.max(mostUnderWay, ++underWay);
        bodies.push(body.split('\n'));
        setTimeout(() => {
          underWay--;
          answer(response);
        }, AWAY_MS);
      })();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    store = await openInfluxStore({ url: `http://127.0.0.1:${port}`, token: 't', org: 'o', bucket: 'b' });
  });
  afterEach(async () => {
    await store.close();
    server.closeAllConnections();
    server.close();
  });

  const write = (count: number): Promise<RefusedPoint[]> =>
    store.write([countedBatch(room, count)], { epoch: 'e', position: 1, refused: [] });

  test('grow, and more go at once, to a server that is far away; each point goes once', async () => {
    expect(await write(150_000)).toEqual([]);
    expect(bodies[0]).toHaveLength(LIMITS.influxBodyPoints);
    expect(Math.max(...bodies.map((lines) => lines.length))).toBeGreaterThan(LIMITS.influxBodyPoints);
    expect(mostUnderWay).toBeGreaterThan(LIMITS.influxConnections);
    expect(mostUnderWay).toBeLessThanOrEqual(LIMITS.influxMaxConnections);
    const lines = bodies.flat();
    expect(lines).toHaveLength(150_000);
    expect(new Set(lines).size).toBe(150_000);
  });

  test('are smaller and fewer at once after the server was overloaded, and none is under way when that is told', async () => {
    answer = (response) => response.writeHead(503).end();
    await expect(write(50_000)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(underWay).toBe(0);
    expect(bodies.length).toBeLessThanOrEqual(LIMITS.influxConnections);
    answer = (response) => response.writeHead(204).end();
    bodies = [];
    mostUnderWay = 0;
    expect(await write(4_000)).toEqual([]);
    expect(bodies[0]?.length).toBeLessThanOrEqual(LIMITS.influxBodyPoints / 2);
    expect(mostUnderWay).toBe(1);
    expect(bodies.flat()).toHaveLength(4_000);
  });
});
