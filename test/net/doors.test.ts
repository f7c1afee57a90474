import { once } from 'node:events';
import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { LIMITS } from '../../src/core/index.ts';
import type { HttpAnswer, HttpExchange, NetServer, Socket, SocketHandler } from '../../src/net/index.ts';
import { EDGES, openTestEdge } from '../fixtures/edge.ts';
import { until } from '../fixtures/until.ts';
import { HANDSHAKE, RawConnection } from './raw.ts';

let net: NetServer;
let port: number;
let defects: unknown[];
let answer: (exchange: HttpExchange) => Promise<HttpAnswer>;
let socket: Socket | null;
let received: string[];
let closes: number[];
let drains: number;

async function listen(edge: (typeof EDGES)[number]): Promise<void> {
  defects = [];
  received = [];
  closes = [];
  drains = 0;
  socket = null;
  answer = async ({ method, path, query, header }) => ({
    status: 200,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify([method, path, query, header('x-asked') ?? null]),
  });
  net = await openTestEdge((error) => defects.push(error), { edge });
  net.websocket({
    path: '/socket',
    maxMessageBytes: 1_000,
    maxBackpressureBytes: 1_000_000,
    idleTimeoutS: 30,
    upgrade: async ({ subprotocols }) => ({
      protocol: subprotocols.includes('chosen') ? 'chosen' : '',
      start: (opened): SocketHandler => {
        socket = opened;
        return {
          message: (bytes) => void received.push(Buffer.from(bytes).toString()),
          drain: () => void drains++,
          closed: (code) => void closes.push(code),
        };
      },
    }),
  });
  net.http((exchange) => answer(exchange));
  port = await net.listen('127.0.0.1', 0);
}
afterEach(() => {
  net.close();
  expect(defects).toEqual([]);
});

async function ask(bytes: string): Promise<string> {
  const raw = await RawConnection.open(port);
  raw.write(bytes);
  return raw.end();
}

const code = (text: string): string => /"code":"(\w+)"/.exec(text)?.[1] ?? '';
const CLOSE = 'Connection: close\r\n\r\n';

describe.each(EDGES)('HTTP on %s', (edge) => {
  beforeEach(() => listen(edge));

  test('a request that is cut at any byte is read as one in one piece', async () => {
    const head = 'GET /a?b=c HTTP/1.1\r\nHost: a\r\nX-Asked: d\r\n\r\n';
    // A request line in pieces is what the library of the other edge cannot read.
    const first = edge === 'uws' ? head.indexOf('\n') + 1 : 1;
    for (let at = first; at < head.length; at++) {
      const raw = await RawConnection.open(port);
      await raw.flush(head.slice(0, at));
      raw.write(head.slice(at));
      await raw.expect(/^HTTP\/1.1 200 OK\r\n[^]*\["GET","\/a","b=c","d"\]$/);
      raw.socket.destroy();
    }
  });

  test.each(['Host', 'Authorization', 'Content-Type'])('two headers %s are refused', async (name) => {
    const others = name === 'Host' ? '' : 'Host: a\r\n';
    const text = await ask(`GET / HTTP/1.1\r\n${others}${name}: a\r\n${name}: b\r\n${CLOSE}`);
    expect([text.slice(0, 12), code(text)]).toEqual(['HTTP/1.1 400', 'header_repeated']);
  });

  test('a body over the limit is refused, announced or not, and the connection serves the next request', async () => {
    answer = async ({ body }) => {
      const bytes = await body(100);
      return { status: 200, headers: {}, body: String(bytes.length) };
    };
    const raw = await RawConnection.open(port);
    raw.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n${'x'.repeat(101)}`);
    await raw.expect(/413 [^]*body_too_large/);
    raw.text = '';
    raw.write(
      `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n${'x'.repeat(200)}\r\n0\r\n\r\n`,
    );
    await raw.expect(/413 [^]*body_too_large/);
    raw.text = '';
    raw.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
    await raw.expect(/200 OK[^]*\r\n\r\n3$/);
    raw.socket.destroy();
  });

  test('a client that leaves aborts what is done for it', async () => {
    let left = false;
    answer = ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          left = true;
          resolve({ status: 200, headers: {}, body: 'late' });
        });
      });
    const raw = await RawConnection.open(port);
    await raw.flush('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    raw.socket.destroy();
    await until('the abort', () => left);
  });

  test('a reader that stops in the middle holds up what makes its answer, and gets all of it later', async () => {
    let made = 0;
    const chunk = 'x'.repeat(100_000);
    answer = async () => ({
      status: 200,
      headers: {},
      body: (async function* () {
        for (; made < 300; made++) yield chunk;
      })(),
    });
    const client = request({ port, host: '127.0.0.1' }).end();
    const [response] = (await once(client, 'response')) as [NodeJS.ReadableStream];
    // What the system takes of 30 MB is far less, so it stands still before its end.
    let before = -1;
    await until('it to stand still', async () => {
      const still = made === before && made > 0;
      before = made;
      await new Promise((resolve) => setTimeout(resolve, 50));
      return still;
    });
    expect(made).toBeLessThan(300);
    let bytes = 0;
    for await (const part of response) bytes += part.length;
    expect(bytes).toBe(30_000_000);
  });

  test.each([304, 204])('a %d says nothing of a length', async (status) => {
    answer = async () => ({ status, headers: { ETag: '"a"' }, body: null });
    for (const method of ['GET', 'HEAD']) {
      const raw = await RawConnection.open(port);
      raw.write(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
      const text = await raw.expect(new RegExp(`^HTTP/1.1 ${status} [^]*\\r\\n\\r\\n$`));
      expect(text).not.toMatch(/content-length|transfer-encoding/i);
      raw.socket.destroy();
    }
  });

  async function* unknownLength(): AsyncGenerator<string> {
    yield 'some';
  }

  test.each<[string, HttpAnswer['body'], number | undefined, string | undefined]>([
    ['of a whole body', 'seven..', undefined, '7'],
    ['of one that is left out', null, 7, '7'],
    ['of none', null, undefined, '0'],
    ['of a stream, which is none', unknownLength(), undefined, undefined],
  ])('a HEAD says the length %s', async (_, body, length, said) => {
    answer = async () => ({ status: 200, headers: {}, body, ...(length === undefined ? {} : { length }) });
    const raw = await RawConnection.open(port);
    raw.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    const text = await raw.expect(/\r\n\r\n$/);
    expect(/content-length: (\d+)/i.exec(text)?.[1]).toBe(said);
    // What follows is not taken for its body, nor the other way round.
    raw.text = '';
    raw.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    await raw.expect(/^HTTP\/1.1 200 OK/);
    raw.socket.destroy();
  });

  test('a head over the limit is refused with 431', async () => {
    const text = await ask(`GET /?${'a'.repeat(LIMITS.httpHeadBytes)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1.1 431 /);
    if (edge === 'node') expect(code(text)).toBe('head_too_large');
  });

  test('a request to a WebSocket without the handshake is answered with 426', async () => {
    const text = await ask(`GET /socket HTTP/1.1\r\nHost: a\r\n${CLOSE}`);
    expect([text.slice(0, 12), code(text)]).toEqual(['HTTP/1.1 426', 'upgrade_required']);
  });

  test.each([
    ['Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n'],
    [HANDSHAKE.slice(HANDSHAKE.indexOf('Upgrade:'), -2)],
  ])('a request that would rather have another protocol is one as any other: %j', async (wish) => {
    const large = 'x'.repeat(8 * 1024 ** 2);
    answer = async ({ method, path, body }) => {
      const sent = await body(100);
      return { status: 200, headers: {}, body: path === '/large' ? large : `${method} ${String(sent)};` };
    };
    const raw = await RawConnection.open(port);
    raw.write(`GET /large HTTP/1.1\r\nHost: a\r\n${wish}\r\n`);
    await until('all of a large answer', () => raw.text.endsWith(large));
    raw.text = '';
    raw.write(`POST /b HTTP/1.1\r\nHost: a\r\n${wish}Content-Length: 5\r\n\r\nhe`);
    raw.write('llo');
    await raw.expect(/POST hello;$/);
    raw.write('GET /c HTTP/1.1\r\nHost: a\r\n\r\n');
    await raw.expect(/GET ;$/);
    raw.socket.destroy();
  });

  test.each([
    ['an upgrade', HANDSHAKE],
    ['an upgrade to nothing there is', HANDSHAKE.replace('/socket', '/nothing')],
  ])('%s before the answer to another request ends the connection alone', async (_, second) => {
    let asked = 0;
    answer = async ({ path, signal }) => {
      asked++;
      if (path === '/slow') await new Promise((resolve) => signal.addEventListener('abort', resolve));
      return { status: 200, headers: {}, body: 'served' };
    };
    const raw = await RawConnection.open(port);
    raw.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('the request', () => asked === 1);
    raw.write(second);
    expect(await raw.end()).toBe('');
    expect(socket).toBeNull();
    expect(await ask(`GET / HTTP/1.1\r\nHost: a\r\n${CLOSE}`)).toMatch(/200 OK[^]*served$/);
  });

  test('all that was asked is answered before a stop, and nothing is taken after it', async () => {
    let release = (): void => {};
    let asked = false;
    answer = () =>
      new Promise((resolve) => {
        asked = true;
        release = () => resolve({ status: 200, headers: {}, body: 'whole' });
      });
    const raw = await RawConnection.open(port);
    raw.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('the request', () => asked);
    net.stopListening();
    await expect(RawConnection.open(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const answered = net.answered(60_000);
    release();
    await answered;
    await raw.expect(/200 OK[^]*whole/);
    net.close();
    await raw.end();
  });
});

describe.each(EDGES)('WebSockets on %s', (edge) => {
  beforeEach(() => listen(edge));

  const open = async (): Promise<WebSocket> => {
    const client = new WebSocket(`ws://127.0.0.1:${port}/socket`, 'chosen');
    client.on('error', () => {});
    await once(client, 'open');
    await until('the socket', () => socket !== null);
    return client;
  };

  test('the subprotocol that the route selects is selected, whatever else is offered', async () => {
    const raw = await RawConnection.open(port);
    raw.write(HANDSHAKE.replace('\r\n\r\n', '\r\nSec-WebSocket-Protocol: bearer.a/b==, chosen\r\n\r\n'));
    await raw.expect(/101 Switching[^]*sec-websocket-protocol: chosen\r\n/i);
    raw.socket.destroy();
  });

  test('a message over the limit ends the connection, and the part is told 1009', async () => {
    const client = await open();
    client.send('x'.repeat(1_001));
    await until('the close', () => closes.length === 1);
    expect([closes, received, socket?.open]).toEqual([[1009], [], false]);
  });

  test('the code of a client that closes is told, and so is the absence of one', async () => {
    const first = await open();
    first.close(4321, 'enough');
    await until('the close', () => closes.length === 1);
    const second = await open();
    second.terminate();
    await until('the second close', () => closes.length === 2);
    expect(closes).toEqual([4321, 1006]);
  });

  test('an end tells both sides its code, once', async () => {
    const client = await open();
    const closed = once(client, 'close') as Promise<[number, Buffer]>;
    socket?.end(4508, `replaced ${'ä'.repeat(100)}`);
    expect([closes, socket?.open]).toEqual([[4508], false]);
    const [code, reason] = await closed;
    expect([code, reason.toString().startsWith('replaced ää')]).toEqual([4508, true]);
    expect(closes).toEqual([4508]);
  });

  test('what a slow reader leaves is bounded, told of, and arrives whole', async () => {
    const client = await open();
    client.pause();
    const text = 'y'.repeat(50_000);
    const outcomes: Record<string, number> = {};
    for (let i = 0; i < 2_000 && outcomes['dropped'] === undefined; i++) {
      const outcome = socket?.sendText(text) ?? 'closed';
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    expect(outcomes['dropped']).toBe(1);
    expect(outcomes['queued']).toBeGreaterThan(1);
    expect(socket?.bufferedBytes()).toBeLessThan(1_100_000);
    let got = 0;
    client.on('message', () => got++);
    client.resume();
    const sent = (outcomes['sent'] ?? 0) + (outcomes['queued'] ?? 0);
    await until('all that was sent', () => got === sent);
    await until('the word that all was taken', () => drains > 0 && socket?.bufferedBytes() === 0);
    expect(net.held().unread.bytes).toBe(0);
    client.terminate();
  });

  test('a stop cuts what is open, and tells the part', async () => {
    const client = await open();
    const closed = once(client, 'close');
    net.close();
    await closed;
    expect(closes).toEqual([1006]);
  });
});
