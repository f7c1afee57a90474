import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { LIMITS, MillraceError } from '../../src/core/index.ts';
import type { HttpAnswer, NetServer, Socket } from '../../src/net/index.ts';
import { EDGES, openTestEdge } from '../fixtures/edge.ts';
import { until } from '../fixtures/until.ts';

const UNREAD_BYTES = 16 * 1024 ** 2;
const BODY_BYTES = 256 * 1024;

let net: NetServer;
let port: number;
let ended: MillraceError[];
let asked: number;
let body: string;
let sockets: Socket[];
let clients: (TcpSocket | WebSocket)[];

interface Client {
  tcp: TcpSocket;
  text(): string;
  closed(): boolean;
}

function dial(): Client {
  const tcp = connect(port, '127.0.0.1').on('error', () => {});
  clients.push(tcp);
  let text = '';
  let closed = false;
  tcp.setEncoding('utf8').on('data', (part: string) => (text += part));
  tcp.on('close', () => (closed = true));
  return { tcp, text: () => text, closed: () => closed };
}

const request = (path = '/', more = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${more}\r\n`;
const post = (path: string, length: number): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
const answers = (text: string): number => text.split('HTTP/1.1 ').length - 1;
const codes = (): string[] => ended.map((error) => error.code);

describe.each(EDGES)('on %s', (edge) => {
  beforeEach(async () => {
    ended = [];
    sockets = [];
    clients = [];
    asked = 0;
    body = 'hello';
    const note = (error: MillraceError): void => void ended.push(error);
    net = await openTestEdge(note as (error: unknown) => void, {
      edge,
      onEnded: note,
      unreadBytes: UNREAD_BYTES,
      heldBodyBytes: BODY_BYTES,
    });
    net.http(async (exchange): Promise<HttpAnswer> => {
      asked++;
      if (exchange.path === '/known') {
        const { length } = await exchange.body(128 * 1024);
        return { status: 200, headers: {}, body: String(length) };
      }
      if (exchange.path === '/accept') {
        return { status: 200, headers: {}, body: exchange.header('accept') ?? '' };
      }
      return { status: exchange.path === '/' ? 200 : 404, headers: {}, body };
    });
    net.websocket({
      path: '/socket',
      maxMessageBytes: 1_000,
      maxBackpressureBytes: 64 * 1024 ** 2,
      idleTimeoutS: 30,
      upgrade: async ({ query }) => {
        asked++;
        if (query === 'no') throw new MillraceError('device_missing', 'none');
        return {
          protocol: '',
          start: (socket) => {
            sockets.push(socket);
            return { message: () => {}, ending: note, closed: () => {} };
          },
        };
      },
    });
    port = await net.listen('127.0.0.1', 0);
  });
  afterEach(() => {
    for (const client of clients) {
      if (client instanceof WebSocket) client.terminate();
      else client.destroy();
    }
    net.close();
  });

  describe('requests that come before the answers to earlier ones are read', () => {
    test('are all answered while they are few', async () => {
      const client = dial();
      client.tcp.write(request().repeat(20));
      await until('the answers', () => answers(client.text()) === 20);
      expect(client.closed()).toBe(false);
    });

    test('end the connection beyond what one turn answers, and other clients are served', async () => {
      const client = dial();
      client.tcp.write(request().repeat(10_000));
      await until('the end', () => client.closed());
      expect(asked).toBeLessThanOrEqual(LIMITS.requestsPerTurn);
      expect(codes()).toEqual(['too_many_requests']);
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hello');
    });

    test('end the connection when they are upgrades that are refused, too', async () => {
      const upgrade =
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
      const client = dial();
      client.tcp.write(request('/socket?no', upgrade).repeat(1_000));
      await until('the end', () => client.closed());
      expect(asked).toBeLessThanOrEqual(LIMITS.requestsPerTurn + 1);
      // Node reads no other request behind an upgrade.
      expect(codes()).toEqual(edge === 'node' ? [] : ['too_many_requests']);
    });

    test('wait, or end the connection, when the socket does not take the answer before them', async () => {
      body = 'x'.repeat(8 * 1024 ** 2);
      const client = dial();
      client.tcp.pause();
      client.tcp.write(request());
      await until('an answer that waits', () => net.held().unread.bytes > 0);
      client.tcp.write(request());
      if (edge === 'node') {
        // Node reads no further meanwhile.
        client.tcp.resume();
        await until('both answers', () => answers(client.text()) === 2);
        return;
      }
      await until('nothing to wait', () => net.held().unread.bytes === 0);
      expect(asked).toBe(1);
      client.tcp.resume();
      await until('the end', () => client.closed());
    });
  });

  describe('what readers leave unread', () => {
    test('ends the one who left most when all together left too much', async () => {
      body = 'x'.repeat(12 * 1024 ** 2);
      const large = dial();
      large.tcp.pause();
      large.tcp.write(request());
      await until('an answer that waits', () => net.held().unread.bytes > 0);
      const small = new WebSocket(`ws://127.0.0.1:${port}/socket`).on('error', () => {});
      clients.push(small);
      await once(small, 'open');
      small.pause();
      const socket = sockets[0];
      const text = 'y'.repeat(256 * 1024);
      while (net.held().unread.bytes < UNREAD_BYTES && codes().length === 0) socket?.sendText(text);
      expect(codes()).toEqual(['too_much_unread']);
      expect(net.held().unread.bytes).toBe(socket?.bufferedBytes());
      expect(socket?.open).toBe(true);
      while (codes().length < 2) socket?.sendText(text);
      expect(socket?.open).toBe(false);
      expect(codes()).toEqual(['too_much_unread', 'too_much_unread']);
      expect(net.held().unread.bytes).toBe(0);
    });
  });

  describe('pings', () => {
    test('of a client that reads are answered', async () => {
      const client = new WebSocket(`ws://127.0.0.1:${port}/socket`).on('error', () => {});
      clients.push(client);
      await once(client, 'open');
      let pongs = 0;
      client.on('pong', () => pongs++);
      for (let i = 0; i < 50; i++) client.ping('x');
      await until('the pongs', () => pongs === 50);
      expect(ended).toEqual([]);
    });

    test('in numbers end the connection', async () => {
      const client = new WebSocket(`ws://127.0.0.1:${port}/socket`).on('error', () => {});
      clients.push(client);
      await once(client, 'open');
      const closed = once(client, 'close');
      for (let i = 0; i < 10_000; i++) client.ping('x'.repeat(100));
      const [code] = (await closed) as [number];
      expect(code).toBe(4015);
      expect(codes()).toEqual(['too_many_messages']);
    });
  });

  describe('bodies', () => {
    test('for nobody are not waited for', async () => {
      const client = dial();
      client.tcp.write(post('/unknown', 100_000_000));
      await until('the answer', () => client.text().startsWith('HTTP/1.1 404'));
      client.tcp.write('x'.repeat(100_000));
      expect(net.held().bodies.bytes).toBe(0);
    });

    test('over the limit of their route are refused before they come', async () => {
      const client = dial();
      client.tcp.write(post('/known', 128 * 1024 + 1));
      await until('the answer', () => client.text().startsWith('HTTP/1.1 413'));
    });

    test('over any limit are refused also when many requests come at once', async () => {
      const many = Array.from({ length: 2 * LIMITS.requestsPerTurn }, dial);
      await Promise.all(many.map(({ tcp }) => once(tcp, 'connect')));
      for (const { tcp } of many) tcp.write(post('/known', 100_000_000));
      await until('the answers', () => many.every((client) => client.text() !== ''));
      for (const client of many) expect(client.text()).toMatch(/^HTTP\/1.1 413 [^]*body_too_large/);
      expect(ended).toEqual([]);
    });

    test('that are large and refused are not read on, at a known route or another one', async () => {
      const part = Buffer.alloc(1024 ** 2);
      const parts = 64;
      const sendLarge = async (path: string): Promise<void> => {
        const client = dial();
        let taken = 0;
        const send = (): void => {
          if (taken === parts) return;
          client.tcp.write(part, (error) => {
            if (error !== undefined && error !== null) return;
            taken++;
            send();
          });
        };
        client.tcp.write(post(path, parts * part.length));
        send();
        await until('the answer', () => client.text().startsWith('HTTP/1.1 4'));
        await until('the end', () => client.closed());
        expect(client.text().toLowerCase()).toContain('connection: close');
        expect(taken).toBeLessThan(parts);
      };
      await Promise.all([sendLarge('/known'), sendLarge('/unknown')]);
    });

    test('without a size are refused when they pass the limit', async () => {
      const client = dial();
      client.tcp.write('POST /known HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
      client.tcp.write(`28000\r\n${'x'.repeat(0x28000)}\r\n`);
      await until('the answer', () => client.text().startsWith('HTTP/1.1 413'));
      expect(net.held().bodies.bytes).toBe(0);
    });

    test('are together bounded: the largest is refused, and small ones are taken', async () => {
      const large = [dial(), dial(), dial()];
      const part = 'x'.repeat(100_000);
      for (const client of large) client.tcp.write(post('/known', 128 * 1024) + part);
      const refused = await until('a refusal', () => large.find((client) => client.text() !== ''));
      expect(refused.text()).toMatch(/^HTTP\/1.1 503[^]*retry-after: 1[^]*"code":"too_many_bodies"/i);
      const small = dial();
      small.tcp.write(`${post('/known', 5)}hello`);
      await until('its answer', () => small.text().endsWith('\r\n\r\n5'));
      expect(net.held().bodies.bytes).toBe(200_000);
      for (const client of large) client.tcp.destroy();
      await until('nothing to be held', () => net.held().bodies.bytes === 0);
    });

    test('that come too slowly are refused', async () => {
      const client = dial();
      client.tcp.write(`${post('/known', 5)}hell`);
      await until('the answer', () => client.text().includes('"code":"body_late"'));
      expect(client.text()).toMatch(/^HTTP\/1.1 408 /);
    });
  });

  describe('headers', () => {
    test.each(['Host: b', 'Authorization: x\r\nAuthorization: y', 'Content-Type: a/b\r\nContent-Type: c/d'])(
      'of which one can be are refused when there are two: %j',
      async (header) => {
        const client = dial();
        client.tcp.write(request('/', `${header}\r\n`));
        await until('the answer', () => client.text().includes('"code":"header_repeated"'));
        expect(client.text()).toMatch(/^HTTP\/1.1 400 /);
        expect(asked).toBe(0);
      },
    );

    test('of which several can be are one list', async () => {
      const client = dial();
      client.tcp.write(request('/accept', 'Accept: a/b\r\nAccept: c/d\r\n'));
      await until('the answer', () => client.text().endsWith('\r\n\r\na/b, c/d'));
    });
  });
});
