import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Transform } from 'node:stream';

/** What the proxy does to a write instead of passing it on. Reads always pass, unless `all` is set. */
export type ProxyFault =
  | { do: 'answer'; status: number; body?: string; headers?: Record<string, string> }
  /** Passes the request on and answers this all the same: the server has the points. */
  | { do: 'take and answer'; status: number; body?: string; headers?: Record<string, string> }
  /** Passes bodies of at most so many bytes on, and answers 413 to the others. */
  | { do: 'limit'; maxBytes: number }
  /** Waits before it passes the request on. */
  | { do: 'delay'; ms: number }
  /** Passes half of the request on, then cuts both connections. */
  | { do: 'cut the request' }
  /** Passes the request on, waits for the server's answer, and cuts the client's connection. */
  | { do: 'cut the response' }
  /** Passes the request on and answers with bytes that are no HTTP. */
  | { do: 'garbage' };

/** An HTTP proxy in front of a real InfluxDB that can go wrong in chosen ways. */
export class InfluxProxy {
  readonly url: string;
  /** Writes that met a fault so far, and those that passed. */
  faults = 0;
  passed = 0;
  readonly #server: Server;
  readonly #target: URL;
  #fault: ProxyFault | null = null;
  #all = false;

  private constructor(server: Server, port: number, target: string) {
    this.#server = server;
    this.#target = new URL(target);
    this.url = `http://127.0.0.1:${port}`;
    server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
      this.#handle(incoming, outgoing);
    });
  }

  static async start(target: string): Promise<InfluxProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('no port was given');
    return new InfluxProxy(server, address.port, target);
  }

  /** From now on writes, or with `all` every request, meet this; null: all is well again. */
  set(fault: ProxyFault | null, all = false): void {
    this.#fault = fault;
    this.#all = all;
    this.faults = 0;
    this.passed = 0;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    incoming.on('error', () => {});
    outgoing.on('error', () => {});
    const isWrite = incoming.url?.startsWith('/api/v2/write') === true;
    const fault = isWrite || this.#all ? this.#fault : null;
    if (fault === null) {
      if (isWrite) this.passed += 1;
      this.#pass(incoming, outgoing);
      return;
    }
    this.faults += 1;
    switch (fault.do) {
      case 'answer':
        incoming.resume().on('end', () => answer(outgoing, fault));
        return;
      case 'take and answer':
        this.#take(incoming, () => answer(outgoing, fault));
        return;
      case 'limit':
        if (Number(incoming.headers['content-length']) <= fault.maxBytes) this.#pass(incoming, outgoing);
        else incoming.resume().on('end', () => answer(outgoing, { status: 413, body: 'too large' }));
        return;
      case 'delay':
        setTimeout(() => this.#pass(incoming, outgoing), fault.ms);
        return;
      case 'cut the request':
        this.#passHalf(incoming, outgoing);
        return;
      case 'cut the response':
        this.#take(incoming, () => outgoing.destroy());
        return;
      case 'garbage':
        this.#take(incoming, () => outgoing.socket?.end('\x00\xff this is not HTTP\r\n\r\n'));
    }
  }

  #forward(incoming: IncomingMessage, onAnswer: (response: IncomingMessage) => void) {
    const { hostname, port } = this.#target;
    const { method, url: path, headers } = incoming;
    const options = { hostname, port, method: method ?? 'GET', path: path ?? '/', headers };
    return request({ ...options, agent: false }, onAnswer);
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const forwarded = this.#forward(incoming, (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    incoming.pipe(forwarded);
  }

  #take(incoming: IncomingMessage, then: () => void): void {
    const forwarded = this.#forward(incoming, (response) => {
      response.resume().on('end', then);
    });
    forwarded.on('error', then);
    incoming.pipe(forwarded);
  }

  #passHalf(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const half = Number(incoming.headers['content-length'] ?? 2) >> 1;
    const forwarded = this.#forward(incoming, () => {});
    forwarded.on('error', () => {});
    let passedBytes = 0;
    const firstHalf = new Transform({
      transform(chunk: Buffer, _, done) {
        const part = chunk.subarray(0, Math.max(0, half - passedBytes));
        passedBytes += chunk.length;
        done(null, part);
        if (passedBytes < half) return;
        forwarded.destroy();
        outgoing.destroy();
      },
    });
    incoming.pipe(firstHalf).pipe(forwarded, { end: false });
  }
}

function answer(
  outgoing: ServerResponse,
  {
    status,
    body = '{"code":"fault","message":"a fault of the test"}',
    headers = {},
  }: {
    status: number;
    body?: string;
    headers?: Record<string, string>;
  },
): void {
  outgoing.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
}
