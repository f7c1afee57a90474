import { once } from 'node:events';
import { connect, type Socket as TcpSocket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { LIMITS } from '../../src/core/index.ts';
import type { HttpExchange, NetServer } from '../../src/net/index.ts';
import { EDGES, openTestEdge } from '../fixtures/edge.ts';
import { until } from '../fixtures/until.ts';

let net: NetServer;
let port: number;
let read: (exchange: HttpExchange) => Promise<string>;
let clients: TcpSocket[];

interface Client {
  tcp: TcpSocket;
  text(): string;
}

function dial(): Client {
  const tcp = connect(port, '127.0.0.1').on('error', () => {});
  clients.push(tcp);
  let text = '';
  tcp.setEncoding('utf8').on('data', (part: string) => (text += part));
  return { tcp, text: () => text };
}

const head = (more: string): string => `POST /stream HTTP/1.1\r\nHost: a\r\n${more}\r\n\r\n`;

async function sizeOf(parts: AsyncIterable<Uint8Array>): Promise<number> {
  let bytes = 0;
  for await (const part of parts) bytes += part.length;
  return bytes;
}

describe.each(EDGES)('a body that is read as it comes, on %s', (edge) => {
  beforeEach(async () => {
    clients = [];
    net = await openTestEdge(() => {}, { edge });
    net.http(async (exchange) => ({ status: 200, headers: {}, body: await read(exchange) }), '/stream');
    port = await net.listen('127.0.0.1', 0);
  });
  afterEach(() => {
    for (const tcp of clients) tcp.destroy();
    net.close();
  });

  test('has all of its bytes, announced or in chunks, and the connection serves the next request', async () => {
    read = async (exchange) => `${await sizeOf(exchange.stream())} bytes.`;
    const { tcp, text } = dial();
    const body = Buffer.alloc(3 * LIMITS.bodyWindowBytes, 'x');
    tcp.write(head(`Content-Length: ${body.length}`));
    tcp.write(body);
    await until('an answer', () => text().includes(`${body.length} bytes.`));
    tcp.write(head('Transfer-Encoding: chunked'));
    tcp.write('3\r\nabc\r\n');
    tcp.write('2\r\nde\r\n0\r\n\r\n');
    await until('an answer', () => text().includes('5 bytes.'));
    tcp.write(head('Content-Length: 0'));
    await until('an answer', () => text().includes('0 bytes.'));
  });

  test('makes its client wait while nobody reads on, and holds a bounded part of it', async () => {
    let go: () => void = () => {};
    const waiting = new Promise<void>((resolve) => (go = resolve));
    let most = 0;
    read = async (exchange) => {
      let bytes = 0;
      for await (const part of exchange.stream()) {
        if (bytes === 0) await waiting;
        bytes += part.length;
        most = Math.max(most, net.held().bodies.bytes);
      }
      return `${bytes} bytes.`;
    };
    const { tcp, text } = dial();
    const total = 64 * 1024 ** 2;
    tcp.write(head(`Content-Length: ${total}`));
    const chunk = Buffer.alloc(1024 ** 2);
    const sent = (async () => {
      for (let at = 0; at < total; at += chunk.length) {
        if (!tcp.write(chunk)) await once(tcp, 'drain');
      }
    })();
    await until('a client that waits', () => tcp.writableNeedDrain && net.held().bodies.bytes > 0);
    const held = net.held().bodies.bytes;
    go();
    await sent;
    await until('the answer', () => text().includes(`${total} bytes.`), 30_000);
    // uWebSockets.js reads up to ten times 512 KiB of a socket before it looks whether that is to be held.
    expect(Math.max(held, most)).toBeLessThanOrEqual(LIMITS.bodyWindowBytes + 5 * 1024 ** 2);
    expect(net.held().bodies.bytes).toBe(0);
  });

  test('ends with an error when the client leaves, after what came', async () => {
    let seen = 0;
    let failure: unknown = null;
    read = async (exchange) => {
      try {
        for await (const part of exchange.stream()) seen += part.length;
      } catch (error) {
        failure = error;
      }
      return '';
    };
    const { tcp } = dial();
    tcp.write(head('Content-Length: 1000'));
    tcp.write(Buffer.alloc(10));
    await until('a part', () => seen === 10);
    tcp.destroy();
    await until('the end', () => failure !== null);
    expect(failure).toMatchObject({ code: 'body_invalid' });
    expect(net.held().bodies.bytes).toBe(0);
  });

  test('may be left half-way: the answer comes, and a short rest passes', async () => {
    read = async (exchange) => {
      for await (const part of exchange.stream()) return `${part.length > 0} is enough.`;
      return 'nothing';
    };
    const { tcp, text } = dial();
    tcp.write(head('Content-Length: 20'));
    tcp.write('0123456789');
    await until('the answer', () => text().includes('true is enough.'));
    tcp.write('0123456789');
    tcp.write(head('Content-Length: 5') + 'hello');
    await until('the next one', () => text().split('is enough.').length === 3);
  });

  test('that is left with a long rest ends the connection behind the answer', async () => {
    read = async (exchange) => {
      for await (const part of exchange.stream()) return `${part.length > 0} is enough.`;
      return 'nothing';
    };
    const { tcp, text } = dial();
    tcp.write(head(`Content-Length: ${1024 ** 3}`));
    tcp.write('0123456789');
    await until('the answer', () => text().includes('true is enough.'));
    expect(text().toLowerCase()).toContain('connection: close');
  });
});
