import { connect } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { MillraceError } from '../../src/core/index.ts';
import type { HttpAnswer, NetServer, Socket } from '../../src/net/index.ts';
import { EDGES, openTestEdge } from '../fixtures/edge.ts';
import { until } from '../fixtures/until.ts';

let errors: unknown[];
let server: NetServer;
let port: number;
let answer: () => Promise<HttpAnswer>;
let socket: Socket | null;
let closes: number;

describe.each(EDGES)('the edge on %s', (edge) => {
  beforeEach(async () => {
    errors = [];
    socket = null;
    closes = 0;
    server = await openTestEdge((error) => errors.push(error), { edge });
    server.websocket({
      path: '/socket',
      maxMessageBytes: 1_000,
      maxBackpressureBytes: 1_000,
      idleTimeoutS: 30,
      upgrade: async (request) => {
        await Promise.resolve();
        if (request.query === 'no') throw new MillraceError('device_missing', 'none');
        return {
          protocol: '',
          start: (opened) => {
            socket = opened;
            return { message: (bytes) => opened.sendText(`${bytes.length}`), closed: () => void closes++ };
          },
        };
      },
    });
    server.http(() => answer());
    port = await server.listen('127.0.0.1', 0);
  });
  afterEach(() => server.close());

  const text = (body: HttpAnswer['body']): HttpAnswer => ({
    status: 200,
    headers: { 'Content-Type': 'text/plain' },
    body,
  });

  describe('HTTP answers', () => {
    test('are sent whole, and without a body to HEAD', async () => {
      answer = async () => text('hello');
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hello');
      const head = await fetch(`http://127.0.0.1:${port}/`, { method: 'HEAD' });
      expect(head.headers.get('content-length')).toBe('5');
    });

    test('stream as fast as the reader takes them', async () => {
      const chunk = 'x'.repeat(100_000);
      answer = async () =>
        text(
          (async function* () {
            for (let i = 0; i < 100; i++) yield chunk;
          })(),
        );
      expect((await (await fetch(`http://127.0.0.1:${port}/`)).text()).length).toBe(10_000_000);
    });

    test('that fail half-way cut the connection, so that nobody takes half for whole', async () => {
      answer = async () =>
        text(
          (async function* () {
            yield 'half';
            throw new Error('the other half is missing');
          })(),
        );
      await expect(fetch(`http://127.0.0.1:${port}/`).then((response) => response.text())).rejects.toThrow();
      await until('the error', () => errors.length > 0);
    });

    test('of a defect are problem+json without its words, which go to onError', async () => {
      answer = async () => {
        throw new Error('secret');
      };
      const response = await fetch(`http://127.0.0.1:${port}/`);
      expect(response.status).toBe(500);
      expect(response.headers.get('content-type')).toBe('application/problem+json');
      const body = await response.text();
      expect(JSON.parse(body)).toMatchObject({ code: 'internal', status: 500 });
      expect(body).not.toContain('secret');
      expect(errors).toHaveLength(1);
    });

    test('to a client that has gone go nowhere, and the server lives', async () => {
      let release = (): void => {};
      answer = () =>
        new Promise((resolve) => {
          release = () => resolve(text('late'));
        });
      const client = connect(port, '127.0.0.1');
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await until('the request', () => release.length === 0 && release.toString().includes('resolve'));
      client.destroy();
      await once(client, 'close');
      release();
      answer = async () => text('alive');
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('alive');
    });
  });

  describe('WebSockets', () => {
    test('what is sent corked arrives in its order, and a socket may be ended meanwhile, or what sends may fail', async () => {
      const client = new WebSocket(`ws://127.0.0.1:${port}/socket`);
      const heard: string[] = [];
      client.on('message', (data: Buffer) => heard.push(data.toString()));
      await once(client, 'open');
      await until('the socket', () => socket !== null);
      const opened = socket as unknown as Socket;
      opened.cork(() => {
        for (let n = 0; n < 40; n++) opened.sendText(`${n}`);
      });
      expect(() =>
        opened.cork(() => {
          opened.sendText('last');
          throw new Error('a defect');
        }),
      ).toThrow('a defect');
      await until('the last', () => heard.at(-1) === 'last');
      expect(heard).toEqual([...Array.from({ length: 40 }, (_, n) => `${n}`), 'last']);
      opened.cork(() => {
        opened.sendText('never read');
        opened.terminate();
        expect(opened.sendText('nothing')).toBe('closed');
      });
      await once(client, 'close');
      await until('the close', () => closes === 1);
      opened.cork(() => expect(opened.sendText('nothing')).toBe('closed'));
    });

    test('are refused before the upgrade with problem+json', async () => {
      const client = new WebSocket(`ws://127.0.0.1:${port}/socket?no`);
      const [, response] = (await once(client, 'unexpected-response')) as [unknown, { statusCode: number }];
      expect(response.statusCode).toBe(400);
    });

    test('may be used after their close: nothing happens', async () => {
      const client = new WebSocket(`ws://127.0.0.1:${port}/socket`);
      await once(client, 'open');
      client.send(Buffer.alloc(7));
      const [message] = (await once(client, 'message')) as [Buffer];
      expect(message.toString()).toBe('7');
      client.terminate();
      await until('the close', () => closes === 1);
      expect(socket?.open).toBe(false);
      expect(socket?.sendText('too late')).toBe('closed');
      expect(socket?.bufferedBytes()).toBe(0);
      socket?.end(1012, 'too late');
      socket?.terminate();
    });
  });

  test('a taken port is refused by its code', async () => {
    const second = await openTestEdge(() => {}, { edge });
    await expect(second.listen('127.0.0.1', port)).rejects.toMatchObject({ code: 'port_in_use' });
  });
});
