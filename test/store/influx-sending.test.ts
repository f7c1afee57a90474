import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LIMITS } from '../../src/core/index.ts';
import { openInfluxStore, type RefusedPoint, type Store } from '../../src/store/index.ts';
import { BASE_NS, batchOf, shape } from './points.ts';

const room = shape('room', { x: 'float' });
/** How far away the server is. */
const AWAY_MS = 20;

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

  const write = (count: number): Promise<RefusedPoint[]> => {
    const points = Array.from({ length: count }, (_, i) => ({
      timeNs: BASE_NS + BigInt(i),
      device: 'a',
      fields: { x: i },
    }));
    return store.write([batchOf(room, points)], { epoch: 'e', position: 1, refused: [] });
  };

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

  test('share what is left at the end of a large write, and keep their size in a small one', async () => {
    await write(250_000);
    await write(250_000);
    bodies = [];
    await write(250_000);
    const sizes = bodies.map((lines) => lines.length);
    expect(sizes[0]).toBe(LIMITS.influxBodyMaxPoints);
    // Full bodies first, then smaller ones, down to what a body begins with; the last has what is left.
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    expect(sizes.slice(0, -1).at(-1)).toBe(LIMITS.influxBodyPoints);
    bodies = [];
    await write(LIMITS.influxBodyMaxPoints + 1_000);
    expect(bodies.map((lines) => lines.length)).toEqual([LIMITS.influxBodyMaxPoints, 1_000]);
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
