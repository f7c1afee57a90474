import { LIMITS, MillraceError, Rounds } from '../core/index.ts';
import type { Socket, SocketHandler, UpgradeRequest, WebSocketRoute } from '../net/index.ts';
import { TailConnection, type TailConnectionOptions } from './connection.ts';
import { baseUrlOf } from './gap-query.ts';
import { goawayMessage } from './messages.ts';

const SUBPROTOCOL = 'millrace.v1';

/** The route's fixed part: what another process needs to pass its sockets on. */
export const TAIL_ROUTE = {
  path: '/v1/tail',
  maxMessageBytes: LIMITS.maxControlBytes,
  maxBackpressureBytes: LIMITS.tailBackpressureBytes,
  idleTimeoutS: LIMITS.idleTimeoutS,
  subprotocol: SUBPROTOCOL,
} as const;

export interface WebSocketTailOptions extends TailConnectionOptions {
  /** Throws a MillraceError that refuses the connection before the upgrade. */
  authorize: (request: UpgradeRequest) => void | Promise<void>;
}

/** `GET /v1/tail` as a WebSocket: the connections, and the route that makes them. */
export class WebSocketTail {
  readonly route: WebSocketRoute;
  readonly #options: WebSocketTailOptions;
  readonly #connections = new Set<TailConnection>();
  /** Clients with messages to be taken. */
  readonly #rounds = new Rounds(LIMITS.tailMessageSliceMs);
  #draining = false;

  constructor(options: WebSocketTailOptions) {
    this.#options = options;
    const { subprotocol: _, ...route } = TAIL_ROUTE;
    this.route = {
      ...route,
      upgrade: async (request) => {
        this.#checkRoom();
        await options.authorize(request);
        return {
          protocol: request.subprotocols.includes(SUBPROTOCOL) ? SUBPROTOCOL : '',
          start: (socket) => this.#start(socket, request.query, baseUrlOf(request)),
        };
      },
    };
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Asks every client to come back later, and takes no new ones. */
  goaway(reason: string): void {
    this.#draining = true;
    for (const connection of this.#connections) connection.send(goawayMessage(reason));
  }

  /** Ends every connection; they may reconnect elsewhere. */
  close(): void {
    this.#draining = true;
    for (const connection of this.#connections) connection.end('draining', 'the server is stopping');
  }

  #checkRoom(): void {
    if (this.#draining) throw new MillraceError('draining', 'the server is stopping');
    if (this.#connections.size >= this.#options.limits.connections) {
      throw new MillraceError('too_many_connections', 'as many tails as allowed are open');
    }
  }

  #start(socket: Socket, query: string, baseUrl: string): SocketHandler {
    const connection = new TailConnection(socket, baseUrl, this.#options, this.#rounds, () =>
      this.#connections.delete(connection),
    );
    this.#connections.add(connection);
    connection.greet(query);
    return connection;
  }
}
