import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, ListenOptions, Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS, MillraceError } from '../../core/index.ts';
import type {
  EdgeOptions,
  HeldByEdge,
  HttpAnswer,
  HttpExchange,
  NetServer,
  OnDefect,
  WebSocketRoute,
} from '../edge.ts';
import { openResponderParts, type ResponderParts } from '../answering.ts';
import { noBody } from '../body-stream.ts';
import { assertPortFree, listenError } from '../port.ts';
import { asMillraceError, problem } from '../problem.ts';
import { TurnCount } from '../turn-count.ts';
import { refusalOf, refuse } from './refuse.ts';
import { isHandshake, readHead, withoutUpgrade, type RequestHead } from './request.ts';
import { NodeResponder } from './responder.ts';
import { sharesPorts } from '../shares-ports.ts';
import { responseOn, Upgrades, type Handshake } from './upgrades.ts';

type Handler = (exchange: HttpExchange) => Promise<HttpAnswer>;

/** The edge on node:http and ws. */
export class NodeServer implements NetServer {
  readonly #onDefect: OnDefect;
  readonly #maxConnections: number | undefined;
  readonly #hasRoom: () => boolean;
  readonly #servers: Server[] = [];
  readonly #sockets = new Map<string, Upgrades>();
  readonly #handlers = new Map<string, Handler>();
  #fallback: Handler | null = null;
  readonly #answering = new Set<Promise<void>>();
  /**
   * The answers that a connection waits for: each request is answered behind the one before. What Node hands out of its
   * turn behind them ends the connection, as its answer would be taken for theirs.
   */
  readonly #queues = new WeakMap<Duplex, { waiting: number; last: Promise<void> }>();
  /** Sockets whose requests are read again: see `withoutUpgrade`. */
  readonly #readAgain = new WeakSet<Duplex>();
  /** Sockets that Node has let go of for an upgrade. */
  readonly #upgraded = new Set<NetSocket>();
  readonly #refused = new WeakSet<Duplex>();

  readonly #turn = new TurnCount();
  readonly #parts: ResponderParts;

  constructor(onDefect: OnDefect, options: EdgeOptions) {
    const { maxConnections, hasRoom } = options;
    this.#onDefect = onDefect;
    this.#maxConnections = maxConnections;
    this.#hasRoom = hasRoom ?? (() => true);
    this.#parts = openResponderParts(options);
  }

  held(): HeldByEdge {
    return { unread: this.#parts.unread, bodies: this.#parts.bodies.held };
  }

  websocket(route: WebSocketRoute): void {
    this.#sockets.set(route.path, new Upgrades(route, this.#parts.unread, this.#onDefect));
  }

  http(handler: Handler, path?: string): void {
    if (path === undefined) this.#fallback = handler;
    else this.#handlers.set(path, handler);
  }

  async listen(host: string, port: number): Promise<number> {
    await assertPortFree(host, port);
    return this.join(host, port);
  }

  join(host: string, port: number): Promise<number> {
    const server = this.#open();
    return new Promise((resolve, reject) => {
      const failed = (cause: Error): void => reject(listenError(host, port, cause));
      server.once('error', failed);
      const options: ListenOptions & { reusePort: boolean } = { host, port, reusePort: sharesPorts('node') };
      server.listen(options, () => {
        server.off('error', failed);
        server.on('error', this.#onDefect);
        this.#servers.push(server);
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  #open(): Server {
    const options = {
      maxHeaderSize: LIMITS.httpHeadBytes,
      headersTimeout: LIMITS.headTimeoutMs,
      // A streamed body may take any time; the others have times of their own.
      requestTimeout: 0,
      connectionsCheckingInterval: LIMITS.headTimeoutMs / 4,
      keepAliveTimeout: LIMITS.keepAliveMs,
      // It is looked for in `readHead`, for an answer with a code.
      requireHostHeader: false,
      // Where Node asks, a request to upgrade to anything else is one as any other.
      shouldUpgradeCallback: isHandshake,
    };
    const server = createServer(options, (request, response) => this.#request(request, response));
    // As many as fit into the bytes of a head: beyond its own limit Node drops headers in silence.
    server.maxHeadersCount = 0;
    if (this.#maxConnections !== undefined) server.maxConnections = this.#maxConnections;
    server.on('connection', (socket) => {
      if (this.#readAgain.has(socket) || this.#hasRoom()) return;
      this.#parts.onEnded(new MillraceError('too_many_connections', NO_ROOM));
      socket.destroy();
    });
    server.on('upgrade', (request, socket, rest) => {
      if (this.#upgrade(request, socket as NetSocket, rest)) return;
      this.#readAgain.add(socket);
      socket.unshift(Buffer.concat([withoutUpgrade(request), rest]));
      server.emit('connection', socket);
    });
    server.on('connect', (_request, socket) => {
      socket.on('error', () => {});
      if (this.#queues.has(socket)) socket.destroy();
      else refuse(socket, new MillraceError('method_not_allowed', 'this is no proxy'), ALLOWED);
    });
    server.on('clientError', (error, socket) => this.#refuse(error, socket));
    return server;
  }

  #refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (this.#refused.has(socket)) return;
    this.#refused.add(socket);
    const refusal = refusalOf(error);
    const silent = 'bytesRead' in socket && socket.bytesRead === 0;
    if (refusal === null || silent || !socket.writable || this.#queues.has(socket)) socket.destroy();
    else refuse(socket, refusal, refusal.code === 'method_not_allowed' ? ALLOWED : {});
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    // Node goes on with what it has read, though the connection was cut.
    if (socket.destroyed) return;
    const queue = this.#queues.get(socket) ?? { waiting: 0, last: Promise.resolve() };
    queue.waiting += 1;
    if (queue.waiting > LIMITS.requestsPerTurn) {
      this.#parts.onEnded(new MillraceError('too_many_requests', PIPELINED));
      socket.destroy();
      return;
    }
    this.#queues.set(socket, queue);
    const head = readHead(request);
    const responder = new NodeResponder(request, response, this.#parts);
    const before = queue.waiting === 1 ? null : queue.last;
    queue.last = this.#answer(responder, head, before).finally(() => {
      queue.waiting -= 1;
      if (queue.waiting === 0) this.#queues.delete(socket);
    });
  }

  #answer(responder: NodeResponder, head: RequestHead, before: Promise<void> | null): Promise<void> {
    return this.#track(async () => {
      if (before !== null) await before;
      const headOnly = head.method === 'HEAD';
      await this.#reply(responder, headOnly, async () => {
        if (this.#turn.next() > LIMITS.requestsPerTurn) await this.#parts.bodies.rounds.turn();
        if (head.fault !== null) throw head.fault;
        return this.#handle(responder, head);
      });
    });
  }

  async #handle(responder: NodeResponder, head: RequestHead): Promise<HttpAnswer> {
    const { method, path, query, headers } = head;
    if (this.#sockets.has(path)) {
      const error = new MillraceError('upgrade_required', `${path} is a WebSocket`);
      return problem(error, { Upgrade: 'websocket', Connection: 'Upgrade' });
    }
    const handler = this.#handlers.get(path) ?? this.#fallback;
    if (handler === null) throw new MillraceError('route_unknown', `there is no ${path}`);
    const hasBody = method !== 'GET' && method !== 'HEAD';
    return handler({
      method,
      path,
      query,
      header: (name) => headers.get(name),
      headers,
      body: (maxBytes) => (hasBody ? responder.body(maxBytes) : Promise.resolve(Buffer.alloc(0))),
      stream: () => (hasBody ? responder.stream() : noBody()),
      signal: responder.signal,
    });
  }

  /** False for what is no handshake of a WebSocket that there is: it is a request as any other. */
  #upgrade(request: IncomingMessage, raw: NetSocket, rest: Buffer): boolean {
    if (this.#queues.has(raw)) {
      raw.destroy();
      return true;
    }
    const head = readHead(request);
    const route = isHandshake(request) ? this.#sockets.get(head.path) : undefined;
    if (route === undefined) return false;
    this.#upgraded.add(raw);
    raw.once('close', () => this.#upgraded.delete(raw));
    // What ends it is heard as its close.
    raw.on('error', () => {});
    void this.#track(() => this.#accept(route, { request, head, raw, rest }));
    return true;
  }

  async #accept(route: Upgrades, handshake: Handshake): Promise<void> {
    const { request, head, raw } = handshake;
    try {
      if (head.fault !== null) throw head.fault;
      await route.accept(handshake);
    } catch (error) {
      if (raw.destroyed) return;
      const responder = new NodeResponder(request, responseOn(raw, request), this.#parts);
      await this.#reply(responder, false, () => Promise.reject(error));
    }
  }

  async #reply(
    responder: NodeResponder,
    headOnly: boolean,
    produce: () => Promise<HttpAnswer>,
  ): Promise<void> {
    try {
      await responder.send(await produce(), headOnly);
    } catch (error) {
      const known = asMillraceError(error);
      if (known.code === 'internal') this.#onDefect(error);
      await responder.send(problem(known), headOnly);
    }
  }

  #track(work: () => Promise<void>): Promise<void> {
    const answering = work();
    this.#answering.add(answering);
    return answering.finally(() => this.#answering.delete(answering));
  }

  stopListening(): void {
    for (const server of this.#servers) server.close();
  }

  async answered(ms: number): Promise<void> {
    await Promise.race([Promise.allSettled(this.#answering), sleep(ms, null, { ref: false })]);
  }

  close(): void {
    this.stopListening();
    for (const route of this.#sockets.values()) route.close();
    for (const raw of this.#upgraded) raw.destroy();
    for (const server of this.#servers) server.closeAllConnections();
  }
}

const NO_ROOM = 'the process may open no more files and connections';
const ALLOWED = { Allow: 'GET, HEAD, POST' };
const PIPELINED = `more than ${LIMITS.requestsPerTurn} requests at once, of which the client had read no answer`;
