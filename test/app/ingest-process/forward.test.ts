import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { ForwardedSockets } from '../../../src/app/ingest-process/forward-socket.ts';
import { forwardTo } from '../../../src/app/ingest-process/forward.ts';
import { MillraceError } from '../../../src/core/index.ts';
import type { HttpAnswer, HttpExchange, NetServer } from '../../../src/net/index.ts';
import { openTestEdge, TEST_EDGE } from '../../fixtures/edge.ts';
import { until } from '../../fixtures/until.ts';

/** The server, and the process that passes on to it. */
let back: { net: NetServer; port: number };
let front: { net: NetServer; port: number };
let errors: unknown[];
/** Codes of the connections that were ended on the way. */
let ended: string[];
let answer: (exchange: HttpExchange) => Promise<HttpAnswer>;
/** Why the server refuses a WebSocket. */
let refusal: MillraceError | null;

const ROUTE = { path: '/tail', maxMessageBytes: 65_536, maxBackpressureBytes: 1024 ** 2, idleTimeoutS: 30 };

beforeEach(async () => {
  errors = [];
  ended = [];
  refusal = null;
  back = await listen((net) => {
    net.http((exchange) => answer(exchange));
    net.websocket({
      ...ROUTE,
      upgrade: async ({ query, subprotocols }) => {
        if (refusal !== null) throw refusal;
        return {
          protocol: subprotocols.includes('chosen') ? 'chosen' : '',
          start: (socket) => {
            socket.sendText(query);
            return { message: () => {}, closed: () => {} };
          },
        };
      },
    });
  });
  front = await listen((net) => {
    net.http(forwardTo(back.port));
    net.websocket(
      new ForwardedSockets(
        back.port,
        { ...ROUTE, subprotocol: 'chosen' },
        () => {},
        ({ code }) => ended.push(code),
      ).route,
    );
  });
});
afterEach(() => {
  front.net.close();
  back.net.close();
});

async function listen(add: (net: NetServer) => void): Promise<{ net: NetServer; port: number }> {
  const net = await openTestEdge((error) => errors.push(error));
  add(net);
  return { net, port: await net.listen('127.0.0.1', 0) };
}

/** What comes back, but for the date, for bytes that no client library would send. */
async function ask(port: number, head: string, rest = ''): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (part: string) => (text += part));
  socket.write(`${head} HTTP/1.1\r\nHost: 127.0.0.1\r\n${rest}\r\n`);
  await until('the whole answer', () => isWhole(text, head.startsWith('HEAD')));
  socket.destroy();
  return text.replace(/^date: .*\r\n/im, '');
}

function isWhole(text: string, headOnly: boolean): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0 || headOnly || text.startsWith('HTTP/1.1 304')) return end >= 0;
  const length = /^content-length: (\d+)/im.exec(text.slice(0, end))?.[1];
  return length === undefined ? text.endsWith('0\r\n\r\n') : text.length === end + 4 + Number(length);
}

const plain = (body: HttpAnswer['body'], headers: Record<string, string> = {}): HttpAnswer => ({
  status: 200,
  headers: { 'Content-Type': 'text/plain', ...headers },
  body,
});

async function* three(): AsyncGenerator<string> {
  for (let n = 0; n < 3; n++) yield 'part';
}

describe('a request that is passed on', () => {
  test.each([
    ['headers that are not ASCII', 'GET /', 'X-Asked: é中\r\n'],
    ['a body in chunks', 'POST /', 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n'],
    // Node's own parser refuses both.
    ...(TEST_EDGE === 'node'
      ? []
      : [
          ['a target that is not ASCII', 'GET /é?name=中#x', ''],
          ['an unknown method', 'FOO /', ''],
        ]),
  ])('with %s arrives and is answered as without a process between', async (_name, head = '', rest) => {
    answer = async ({ method, path, query, header, body }) => {
      const sent = await body(1_000);
      return plain(JSON.stringify([method, path, query, header('x-asked'), sent.toString()]));
    };
    const direct = await ask(back.port, head, rest);
    expect(direct).toContain('200 OK');
    expect(await ask(front.port, head, rest)).toBe(direct);
  });

  test.each([
    ['a HEAD of known length', 'HEAD /', () => plain('whole')],
    ['a HEAD of a stream', 'HEAD /', () => plain(three())],
    ['an empty answer', 'GET /', () => plain('')],
    ['a 304', 'GET /', () => ({ status: 304, headers: { ETag: '"a"' }, body: null })],
  ])('is answered with %s alike', async (_name, head, make) => {
    answer = async () => make();
    expect(await ask(front.port, head)).toBe(await ask(back.port, head));
  });

  test('ends with its client, which is no defect', async () => {
    let ended = false;
    answer = async ({ signal }) =>
      plain(
        (async function* () {
          yield 'first';
          await once(signal, 'abort');
          ended = true;
        })(),
      );
    const socket = connect(front.port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    await once(socket, 'data');
    socket.destroy();
    await until('the end of the answer', () => ended);
    // The next one is behind all that came of the first.
    answer = async () => plain('next');
    expect(await ask(front.port, 'GET /')).toContain('next');
    expect(errors).toEqual([]);
  });

  test('is answered when there can be no answer to it', async () => {
    answer = async () => plain('no tunnel');
    const socket = connect(front.port, '127.0.0.1');
    socket.write('CONNECT / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    const [data] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    // Node's own parser knows what a CONNECT is, so it is not passed on.
    expect(data.toString().slice(9, 12)).toBe(TEST_EDGE === 'node' ? '405' : '503');
  });
});

describe('a WebSocket that is passed on', () => {
  /** The first message that it hears, or the code with which it is closed. */
  async function first(port: number, query: string, offered: string): Promise<string | number> {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (part: string) => (text += part));
    socket.write(
      `GET /tail?${query} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${offered}\r\n`,
    );
    // A short frame of the server's: kind, length, payload.
    const frame = await until('a frame', () => /\r\n\r\n([^])([^])([^]+)$/.exec(text) ?? undefined);
    socket.destroy();
    const [, kind = '', , payload = ''] = frame;
    return kind === '\x88' ? Buffer.from(payload, 'latin1').readUInt16BE(0) : payload;
  }

  test.each([
    ['a subprotocol that is not selected', 'a=1', 'Sec-WebSocket-Protocol: other\r\n'],
    ['the same subprotocol twice', 'a=1', 'Sec-WebSocket-Protocol: other, other, chosen\r\n'],
    ['subprotocols that are none', 'a=1', 'Sec-WebSocket-Protocol: b/c,\r\n'],
    ['a fragment', 'a=1#b', ''],
  ])('may come with %s', async (_name, query, offered) => {
    const heard = await first(front.port, query, offered);
    expect(decodeURIComponent(String(heard))).toBe(query);
    expect(await first(back.port, query, offered)).toBe(query);
    expect(errors).toEqual([]);
  });

  test('which the server refuses ends with the close code of the error, and is no defect', async () => {
    refusal = new MillraceError('too_many_connections', 'no room');
    const socket = new WebSocket(`ws://127.0.0.1:${front.port}/tail`);
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([1012, 'no room']);
    expect(ended).toEqual(['too_many_connections']);
    expect(errors).toEqual([]);
  });

  test('to a server that is not there comes back later, which is no defect', async () => {
    back.net.stopListening();
    const socket = new WebSocket(`ws://127.0.0.1:${front.port}/tail`);
    expect((await once(socket, 'close'))[0]).toBe(1012);
    expect(errors).toEqual([]);
  });
});
