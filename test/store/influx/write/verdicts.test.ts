import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openInfluxStore, type RefusedPoint, type Store } from '../../../../src/store/index.ts';
import { until } from '../../../fixtures/until.ts';
import { countedBatch, shape } from '../../points.ts';
import { cellsOf, neverAborted, rowsQuery } from '../../subject.ts';

const room = shape('room', { x: 'float' });
const FOUND = '{"results":[{"statement_id":0}]}\n';

/** A server between us and nothing that answers as a test tells it: what no healthy InfluxDB would say. */
describe('what InfluxDB answers', () => {
  let server: Server;
  let store: Store;
  let onWrite: (lines: string[], response: ServerResponse, request: IncomingMessage) => void;
  let onQuery: (response: ServerResponse) => void;
  /** A write without points. */
  let onProbe: (response: ServerResponse) => void;
  let writes: string[][];

  beforeEach(async () => {
    writes = [];
    onWrite = (_, response) => response.writeHead(204).end();
    onQuery = (response) => response.end(FOUND);
    onProbe = (response) => response.writeHead(204).end();
    server = createServer((request, response) => {
      if (request.url?.startsWith('/query') === true) {
        onQuery(response);
        return;
      }
      void (async () => {
        const body = await text(request);
        if (body === '') {
          onProbe(response);
          return;
        }
        const lines = body.split('\n');
        writes.push(lines);
        onWrite(lines, response, request);
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
  const json = (response: ServerResponse, status: number, message: string): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ code: 'invalid', message }));
  };

  test('429 and 503 make it unavailable for as long as Retry-After says, in seconds', async () => {
    for (const [status, header, retryAfterMs] of [
      [429, '7', 7_000],
      [503, '120', 120_000],
      [503, 'soon', null],
    ] as const) {
      onWrite = (_, response) => response.writeHead(status, { 'retry-after': header }).end('busy');
      await expect(write(1)).rejects.toMatchObject({ code: 'store_unavailable', retryAfterMs });
      expect(store.state()).toMatchObject({ state: 'down', reason: expect.stringContaining(String(status)) });
    }
    onWrite = (_, response) => response.writeHead(503, { 'retry-after': new Date(0).toUTCString() }).end();
    await expect(write(1)).rejects.toMatchObject({ code: 'store_unavailable', retryAfterMs: 0 });
  });

  const SAYS_NOTHING: [string, (response: ServerResponse, request: IncomingMessage) => void][] = [
    ['500', (response) => response.writeHead(500).end('{"message":"partial write"}')],
    ['200, where only 204 is a success', (response) => response.end('<html>log in</html>')],
    ['a redirect', (response) => response.writeHead(302, { location: '/' }).end()],
    ["a proxy's 400", (response) => response.writeHead(400).end('<html>partial write</html>')],
    ["a proxy's 422", (response) => json(response, 422, 'no')],
    ['400 for a damaged body', (response) => json(response, 400, 'gzip: invalid checksum')],
    ['401', (response) => json(response, 401, 'unable to parse')],
    ['403', (response) => json(response, 403, 'forbidden')],
    ['404', (response) => json(response, 404, 'bucket "b" not found')],
    ['a cut connection', (_, request) => request.socket.destroy()],
    [
      'half a response',
      (response, request) => {
        response.writeHead(400, { 'content-type': 'application/json', 'content-length': 1_000 });
        response.write('{"code":"invalid","message":"unable to parse', () => request.socket.destroy());
      },
    ],
    ['no HTTP at all', (_, request) => request.socket.end('220 smtp ready\r\n')],
  ];
  for (const [name, answer] of SAYS_NOTHING) {
    test(`${name} refuses no point: the store is unavailable, until a write succeeds`, async () => {
      onWrite = (_, response, request) => answer(response, request);
      await expect(write(3)).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(store.state().state).toBe('down');
      onWrite = (_, response) => response.writeHead(204).end();
      expect(await write(3)).toEqual([]);
      expect(store.state()).toEqual({ state: 'up', reason: null });
    });
  }

  test('413 halves the body until it fits, and refuses the point that is too large alone', async () => {
    onWrite = (lines, response) => {
      const tooLarge = lines.length > 10 || lines.some((line) => line.includes('x=42 '));
      response.writeHead(tooLarge ? 413 : 204).end();
    };
    const refused = await write(100);
    expect(refused.map(({ row }) => row)).toEqual([42]);
    expect(writes.length).toBeLessThan(60);
  });

  test('a 422 that drops all points of a body takes one request, whatever their number', async () => {
    onWrite = (lines, response) =>
      json(
        response,
        422,
        `failure writing points to database: partial write: too old dropped=${lines.length}`,
      );
    const refused = await write(4_000);
    expect(refused).toHaveLength(4_000);
    expect(refused[0]?.message).toBe('too old');
    expect(writes).toHaveLength(1);
  });

  test('a 400 that names no line of ours is bisected to the points that it means', async () => {
    onWrite = (lines, response) => {
      const bad = lines.filter((line) => /x=(7|90) /.test(line));
      if (bad.length === 0) response.writeHead(204).end();
      else json(response, 400, "unable to parse 'something else': because");
    };
    const refused = await write(128);
    expect(refused.map(({ row }) => row)).toEqual([7, 90]);
    expect(writes.length).toBeLessThan(40);
  });

  test('a reason that says nothing of which points it means costs a bounded number of requests', async () => {
    onWrite = (lines, response) => {
      const bad = lines.filter((line) => /x=\d*[02468] /.test(line)).length;
      if (bad === 0) response.writeHead(204).end();
      else json(response, 422, `failure writing points to database: partial write: a riddle dropped=${bad}`);
    };
    const refused = await write(5_000);
    expect(writes.length).toBeLessThanOrEqual(1 + 2 * 128);
    // None that is bad counts as written; some that were written are refused beside them, and say so.
    const rows = new Set(refused.map(({ row }) => row));
    expect(Array.from({ length: 2_500 }, (_, i) => 2 * i).every((row) => rows.has(row))).toBe(true);
    expect(rows.size).toBe(refused.length);
    expect(refused[0]?.message).toMatch(/^among \d+ points that InfluxDB refused: a riddle$/);
  });

  test('a failed write has nothing left in flight when it says so', async () => {
    let answered = 0;
    const held: ServerResponse[] = [];
    onWrite = (lines, response) => {
      if (lines[0]?.includes('x=0 ') === true) {
        response.writeHead(503).end();
        answered++;
      } else {
        held.push(response);
      }
    };
    const written = write(10_000);
    let settled = false;
    written.catch(() => {}).finally(() => (settled = true));
    await until('one body refused, the other held', () => answered === 1 && held.length === 1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
    held[0]?.writeHead(204).end();
    await expect(written).rejects.toMatchObject({ code: 'store_unavailable' });
  });

  const WRONG_ANSWERS: [string, (response: ServerResponse) => void][] = [
    [
      'an answer that ends early',
      (response) => response.end('{"results":[{"statement_id":0,"partial":true}]}\n'),
    ],
    ['no answer', (response) => response.end()],
    ['another program', (response) => response.end('<html>')],
    ['JSON of another form', (response) => response.end('{"results":[{"series":[{"columns":1}]}]}')],
    ['an error status', (response) => response.writeHead(500).end('{}')],
    [
      'half a line',
      (response) => response.write('{"results":[{"stat', () => response.socket?.destroy()) || undefined,
    ],
  ];
  for (const [name, answer] of WRONG_ANSWERS) {
    test(`a read that gets ${name} is store_unavailable, and the probe finds the server again`, async () => {
      onQuery = answer;
      const rows = store.rows(rowsQuery(room.measurement), neverAborted()).then(cellsOf);
      await expect(rows).rejects.toMatchObject({ code: 'store_unavailable' });
      expect(store.state().state).toBe('down');
      onQuery = (response) => response.end(FOUND);
      await until('the store is up again', () => store.state().state === 'up');
    });
  }

  test('a query that the server refuses says so, and leaves the store up', async () => {
    onQuery = (response) =>
      response.end('{"results":[{"statement_id":0,"error":"max-select-series limit exceeded"}]}');
    const rows = store.rows(rowsQuery(room.measurement), neverAborted());
    await expect(rows).rejects.toMatchObject({ message: expect.stringContaining('max-select-series') });
    expect(store.state()).toEqual({ state: 'up', reason: null });
  });

  test('a read that gets no answer ends when its signal says so', async () => {
    const giveUp = new AbortController();
    onQuery = () => giveUp.abort();
    const rows = store.rows(rowsQuery(room.measurement), giveUp.signal);
    await expect(rows).rejects.toMatchObject({ code: 'query_timeout' });
    expect(store.state().state).toBe('up');
  });
});
