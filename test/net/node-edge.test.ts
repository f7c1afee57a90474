import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { openNetServer, sharesPorts, type HttpAnswer, type NetServer } from '../../src/net/index.ts';
import { until } from '../fixtures/until.ts';
import { frame, HANDSHAKE, RawConnection } from './raw.ts';

/** What node:http with ws serves, and uWebSockets.js by itself does not. */
let net: NetServer;
let port: number;
let ended: string[];
let received: string[];
let closes: number[];
let answer: () => Promise<HttpAnswer>;

beforeEach(async () => {
  ended = [];
  received = [];
  closes = [];
  answer = async () => ({ status: 200, headers: {}, body: 'served' });
  net = await openNetServer(() => {}, { edge: 'node', onEnded: ({ code }) => ended.push(code) });
  net.websocket({
    path: '/socket',
    maxMessageBytes: 1_000,
    maxBackpressureBytes: 1_000,
    idleTimeoutS: 0.2,
    upgrade: async () => ({
      protocol: '',
      start: () => ({
        message: (bytes) => void received.push(Buffer.from(bytes).toString()),
        closed: (code) => void closes.push(code),
      }),
    }),
  });
  net.http(() => answer());
  port = await net.listen('127.0.0.1', 0);
});
afterEach(() => net.close());

async function ask(bytes: string): Promise<string> {
  const raw = await RawConnection.open(port);
  raw.write(bytes);
  return raw.end();
}

describe('HTTP/1.0', () => {
  test('a probe without a Host is answered, and the connection closed', async () => {
    expect(await ask('GET /healthz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1.1 200 OK[^]*\r\n\r\nserved$/);
  });

  test('a proxy that asks to keep its connection may', async () => {
    const raw = await RawConnection.open(port);
    for (let n = 0; n < 2; n++) {
      raw.text = '';
      raw.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\nHost: a\r\n\r\n');
      await raw.expect(/served$/);
    }
    raw.socket.destroy();
  });

  test('a stream ends with the connection; half of one is cut off with a reset', async () => {
    answer = async () => ({ status: 200, headers: {}, body: parts(false) });
    expect(await ask('GET / HTTP/1.0\r\n\r\n')).toMatch(/\r\n\r\nonetwo$/);
    answer = async () => ({ status: 200, headers: {}, body: parts(true) });
    const raw = await RawConnection.open(port);
    let reset = '';
    raw.socket.on('error', ({ code }: NodeJS.ErrnoException) => (reset = code ?? ''));
    raw.write('GET / HTTP/1.0\r\n\r\n');
    await raw.end();
    expect(reset).toBe('ECONNRESET');
  });

  async function* parts(fails: boolean): AsyncGenerator<string> {
    yield 'one';
    if (fails) throw new Error('half');
    yield 'two';
  }
});

describe('what is no sound request is refused with a code', () => {
  test.each([
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'request_malformed'],
    ['another protocol', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'request_malformed'],
    ['a space in the target', 'GET /a b c HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'request_malformed'],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      400,
      'request_malformed',
    ],
    [
      'a length beside chunks',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
      400,
      'request_malformed',
    ],
    ['an unknown method', 'FOO / HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'method_not_allowed'],
    ['a tunnel', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'method_not_allowed'],
    [
      'a Host of 20,000 characters',
      `GET / HTTP/1.1\r\nHost: ${'a'.repeat(20_000)}\r\n\r\n`,
      431,
      'head_too_large',
    ],
  ])('%s', async (_name, bytes, status, code) => {
    const text = await ask(bytes);
    expect(text).toMatch(
      new RegExp(`^HTTP/1.1 ${status} [^]*application/problem\\+json[^]*"code":"${code}"`),
    );
  });

  test.each([
    ['it', 'rubbish\r\n\r\n'],
    ['a tunnel', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n'],
  ])('behind a request that waits for its answer %s ends the connection', async (_, second) => {
    let release = (): void => {};
    answer = () =>
      new Promise((resolve) => (release = () => resolve({ status: 200, headers: {}, body: 'late' })));
    expect(await ask(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${second}`)).toBe('');
    release();
  });
});

test('requests on one connection are answered in their order, and too many at once end it', async () => {
  let asked = 0;
  answer = async () => ({ status: 200, headers: {}, body: `<${asked++}>` });
  const one = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
  const raw = await RawConnection.open(port);
  raw.write(one.repeat(20));
  await raw.expect(/<19>/);
  expect(raw.text.match(/<\d+>/g)).toEqual(Array.from({ length: 20 }, (_, i) => `<${i}>`));
  raw.write(one.repeat(1_000));
  await raw.end();
  expect(ended).toEqual(['too_many_requests']);
});

test('messages that come with the handshake are not lost', async () => {
  const raw = await RawConnection.open(port);
  raw.write(Buffer.concat([Buffer.from(HANDSHAKE), frame(1, 'early'), frame(2, 'bird')]));
  await until('both', () => received.length === 2);
  expect(received).toEqual(['early', 'bird']);
  raw.socket.destroy();
});

test('a client that sends frames without a mask is told 1002', async () => {
  const raw = await RawConnection.open(port);
  raw.write(HANDSHAKE);
  await raw.expect(/101 Switching/);
  raw.write(frame(1, 'bare', false));
  // A close frame with 1002 in two bytes.
  await until('the code', () => raw.text.includes('\x03\xea'));
  await until('the close', () => closes.length === 1);
  raw.socket.destroy();
});

test('a client that answers pings stays, and one that is silent is cut', async () => {
  const alive = new WebSocket(`ws://127.0.0.1:${port}/socket`);
  const silent = new WebSocket(`ws://127.0.0.1:${port}/socket`, { autoPong: false });
  let pings = 0;
  alive.on('ping', () => pings++);
  await once(silent, 'close');
  await until('some pings', () => pings > 2);
  expect(closes).toEqual([1006]);
  expect(alive.readyState).toBe(WebSocket.OPEN);
  alive.terminate();
});

test.each([
  ['20.19.0', false],
  ['22.11.0', false],
  ['22.12.0', true],
  ['23.0.0', false],
  ['23.1.0', true],
  ['24.0.0', true],
])('Node %s lets processes share a port: %s', (version, shares) => {
  expect(sharesPorts('node', 'linux', version)).toBe(shares);
  expect(sharesPorts('node', 'darwin', version)).toBe(false);
});
