import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { post } from '../../../../src/store/influx/transport/post.ts';
import { InfluxTransport } from '../../../../src/store/influx/transport/transport.ts';

describe('how bodies travel to InfluxDB', () => {
  let server: Server;
  let url: string;
  let onRequest: (request: IncomingMessage, response: ServerResponse) => void;

  beforeEach(async () => {
    server = createServer((request, response) => onRequest(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const send = async (gzip?: boolean): Promise<{ request: IncomingMessage; body: Buffer }> => {
    const received = new Promise<{ request: IncomingMessage; body: Buffer }>((resolve) => {
      onRequest = (request, response) => {
        void (async () => {
          const body = await buffer(request);
          response.writeHead(204).end();
          resolve({ request, body });
        })();
      };
    });
    const connection = { url: `${url}/behind/`, token: 't', org: 'o&x', bucket: 'b/rp' };
    const transport = new InfluxTransport(connection, ...(gzip === undefined ? [] : [gzip]));
    expect(await transport.write(Buffer.from('m x=1 1'))).toEqual({ status: 204, message: '' });
    transport.close();
    return received;
  };

  test('over http as they are, below the path that the URL names, with the token', async () => {
    const { request, body } = await send();
    expect(body.toString()).toBe('m x=1 1');
    expect(request.url).toBe('/behind/api/v2/write?org=o%26x&bucket=b%2Frp&precision=ns');
    expect(request.headers).toMatchObject({ authorization: 'Token t', 'content-length': '7' });
    expect(request.headers).not.toHaveProperty('content-encoding');
  });

  test('compressed where that is asked for, as it is over https', async () => {
    const { request, body } = await send(true);
    expect(request.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(body).toString()).toBe('m x=1 1');
  });

  test('a server that does not answer in time loses the connection, so that it cannot write later', async () => {
    const agent = new Agent({ keepAlive: true });
    const closed = new Promise((resolve) => {
      onRequest = (request) => request.socket.once('close', resolve);
    });
    const answer = post(new URL(url), agent, {}, Buffer.from('m x=1 1'), 50);
    await expect(answer).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('did not answer within 0.05 s'),
    });
    await closed;
    agent.destroy();
  });

  test('a connection that the server closed while it was idle is no fault', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let requests = 0;
    onRequest = (request, response) => {
      requests++;
      if (requests === 2) request.socket.resetAndDestroy();
      else void buffer(request).then(() => response.writeHead(204).end());
    };
    for (let i = 0; i < 2; i++) {
      expect(await post(new URL(url), agent, {}, Buffer.from('m x=1 1'), 10_000)).toMatchObject({
        status: 204,
      });
    }
    expect(requests).toBe(3);
    agent.destroy();
  });

  test('an answer without end is given up, and is no verdict', async () => {
    const agent = new Agent();
    const chunk = Buffer.alloc(1024 * 1024, 'x');
    onRequest = (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(chunk));
        response.once('drain', more);
      };
      response.writeHead(400);
      more();
    };
    const answer = post(new URL(url), agent, {}, Buffer.from('m x=1 1'), 10_000);
    await expect(answer).rejects.toMatchObject({
      code: 'store_unavailable',
      message: expect.stringContaining('too long'),
    });
    agent.destroy();
  });
});
