import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket as NetSocket } from 'node:net';
import { WebSocketServer, type ServerOptions } from 'ws';
import { LIMITS } from '../../core/index.ts';
import type { OnDefect, UpgradeAccepted, UpgradeRequest, WebSocketRoute } from '../edge.ts';
import type { HeldBytes } from '../held-bytes.ts';
import { IdleWatch } from './idle-watch.ts';
import type { RequestHead } from './request.ts';
import { NodeSocket, type SocketParts } from './socket.ts';

/** A handshake that waits for its route's word. */
export interface Handshake {
  request: IncomingMessage;
  head: RequestHead;
  raw: NetSocket;
  /** What came behind the request already. */
  rest: Buffer;
}

/** The WebSockets of one route. */
export class Upgrades {
  readonly #route: WebSocketRoute;
  readonly #parts: SocketParts;
  readonly #server: WebSocketServer;
  /** Of the handshake that is completed at this moment. */
  #protocol = '';

  constructor(route: WebSocketRoute, unread: HeldBytes, onDefect: OnDefect) {
    this.#route = route;
    this.#parts = {
      maxBackpressureBytes: route.maxBackpressureBytes,
      idle: new IdleWatch(route.idleTimeoutS),
      unread,
      onDefect,
    };
    const options: ServerOptions & { closeTimeout: number; maxPendingAutoPongs: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: route.maxMessageBytes,
      closeTimeout: LIMITS.closeTimeoutMs,
      // Ours say why a connection ends for its pings: see Pings.
      maxPendingAutoPongs: 0,
    };
    this.#server = new WebSocketServer(options);
    this.#server.on('headers', (headers) => {
      if (this.#protocol !== '') headers.push(`Sec-WebSocket-Protocol: ${this.#protocol}`);
    });
  }

  /** Asks the route, and opens the socket. Rejects as the route does. */
  async accept(handshake: Handshake): Promise<void> {
    const { raw, head } = handshake;
    const left = new AbortController();
    const leave = (): void => left.abort();
    raw.once('end', leave).once('close', leave);
    try {
      const accepted = await this.#route.upgrade(upgradeRequest(head, left.signal));
      if (left.signal.aborted) raw.destroy();
      else this.#open(handshake, accepted);
    } finally {
      raw.off('end', leave).off('close', leave);
    }
  }

  #open({ request, raw, rest }: Handshake, accepted: UpgradeAccepted): void {
    this.#protocol = accepted.protocol;
    // The route has chosen; ws would refuse what is no list of tokens, as the part of a bearer's offer need not be.
    delete request.headers['sec-websocket-protocol'];
    this.#server.handleUpgrade(request, raw, rest, (ws) => {
      new NodeSocket(ws, raw, this.#parts).begin((socket) => accepted.start(socket));
    });
  }

  /** Cuts all of them. */
  close(): void {
    this.#parts.idle.close();
  }
}

function upgradeRequest({ path, query, headers }: RequestHead, signal: AbortSignal): UpgradeRequest {
  const offered = headers.get('sec-websocket-protocol') ?? '';
  return {
    path,
    query,
    header: (name) => headers.get(name),
    headers,
    subprotocols: offered === '' ? [] : offered.split(',').map((name) => name.trim()),
    signal,
  };
}

/** A response on a socket that Node has let go of for an upgrade which does not come about. */
export function responseOn(raw: NetSocket, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(raw);
  raw.on('timeout', () => response.emit('timeout'));
  response.once('finish', () => {
    response.detachSocket(raw);
    raw.end();
    raw.resume();
    const timer = setTimeout(() => raw.destroy(), LIMITS.lingerMs);
    raw.once('close', () => clearTimeout(timer));
  });
  return response;
}
