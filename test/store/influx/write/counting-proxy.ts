import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** Stands in front of a server, counts what is written through it, and may refuse bodies as too large. */
export interface CountingProxy {
  readonly url: string;
  /** Lines of each body with points that went to the server or was refused here, in order. */
  readonly bodies: string[][];
  /** Bodies of more bytes get a 413. */
  maxBodyBytes: number;
  close(): void;
}

export async function countingProxy(target: string): Promise<CountingProxy> {
  const server = createServer((incoming, answer) => {
    void (async () => {
      const bytes = await buffer(incoming);
      if (incoming.url?.startsWith('/api/v2/write') === true && bytes.length > 0) {
        proxy.bodies.push(bytes.toString().split('\n'));
        if (bytes.length > proxy.maxBodyBytes) {
          answer.writeHead(413).end('too large');
          return;
        }
      }
      const { method, headers } = incoming;
      const sent = request(`${target}${incoming.url ?? ''}`, { method, headers }, (response) => {
        answer.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(answer);
      });
      sent.on('error', () => answer.destroy());
      sent.end(bytes);
    })();
  });
  // A connection that it closed for idleness would look like a fault of the server behind it.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy: CountingProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bodies: [],
    maxBodyBytes: Infinity,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return proxy;
}
