import { LIMITS, MillraceError, type Clock } from '../core/index.ts';
import {
  asMillraceError,
  type RawParameters,
  type Socket,
  type SocketHandler,
  type UpgradeRequest,
  type WebSocketRoute,
} from '../net/index.ts';
import { baseUrlOf } from './gap-query.ts';
import type { TailHub } from './hub.ts';
import type { TailLimits } from './limits.ts';
import { errorMessage, goawayMessage, helloMessage, type TailMessage } from './messages.ts';
import type { TailSink } from './outlet.ts';
import { parseClientMessage, parseSubscribe, subscribeBodyOf, type SubscriptionId } from './request.ts';
import type { Subscription } from './subscription.ts';

const SUBPROTOCOL = 'millrace.v1';

/** The route's fixed part: what another process needs to pass its sockets on. */
export const TAIL_ROUTE = {
  path: '/v1/tail',
  maxMessageBytes: LIMITS.maxControlBytes,
  maxBackpressureBytes: LIMITS.tailBackpressureBytes,
  idleTimeoutS: LIMITS.idleTimeoutS,
  subprotocol: SUBPROTOCOL,
} as const;

/** The id of the subscription that the URL's parameters ask for. */
const URL_SUBSCRIPTION = '0';

export interface WebSocketTailOptions {
  hub: TailHub;
  limits: TailLimits;
  clock: Clock;
  /** Throws a MillraceError that refuses the connection before the upgrade. */
  authorize: (request: UpgradeRequest) => void | Promise<void>;
  /** Hears of each connection that the server ends, and why. */
  onEnded: (error: MillraceError) => void;
}

/** `GET /v1/tail` as a WebSocket: the connections, and the route that makes them. */
export class WebSocketTail {
  readonly route: WebSocketRoute;
  readonly #options: WebSocketTailOptions;
  readonly #connections = new Set<TailConnection>();
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
    const connection = new TailConnection(socket, baseUrl, this.#options, () =>
      this.#connections.delete(connection),
    );
    this.#connections.add(connection);
    connection.greet(query);
    return connection;
  }
}

/** One client: its socket and its subscriptions. */
class TailConnection implements SocketHandler, TailSink {
  readonly baseUrl: string;
  readonly #socket: Socket;
  readonly #hub: TailHub;
  readonly #limits: TailLimits;
  readonly #clock: Clock;
  readonly #onClosed: () => void;
  readonly #onEnded: WebSocketTailOptions['onEnded'];
  /** By the JSON text of the id: 1 and "1" are two. */
  readonly #subscriptions = new Map<string, Subscription>();

  constructor(socket: Socket, baseUrl: string, options: WebSocketTailOptions, onClosed: () => void) {
    this.#socket = socket;
    this.baseUrl = baseUrl;
    this.#hub = options.hub;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#onClosed = onClosed;
    this.#onEnded = options.onEnded;
  }

  greet(query: string): void {
    const { epoch } = this.#hub;
    this.send(
      helloMessage(epoch, {
        maxSubscriptions: this.#limits.subscriptions,
        maxMessageBytes: LIMITS.maxControlBytes,
        messageRows: this.#limits.messageRows,
        progressMs: this.#limits.progressMs,
      }),
    );
    const body = subscribeBodyOf(query);
    if (body !== null) this.#subscribe(URL_SUBSCRIPTION, body);
  }

  message(bytes: Uint8Array, isBinary: boolean): void {
    if (isBinary) {
      this.end('protocol_error', 'a tail takes text messages only');
      return;
    }
    let message;
    try {
      message = parseClientMessage(Buffer.from(bytes).toString('utf8'));
    } catch (error) {
      const known = asMillraceError(error);
      this.send(errorMessage(null, known));
      this.end('protocol_error', known.message);
      return;
    }
    switch (message.type) {
      case 'subscribe':
        this.#subscribe(message.id, message.body);
        return;
      case 'unsubscribe':
        // One that an error has ended meanwhile is no mistake of the client's.
        void this.#subscriptions.get(JSON.stringify(message.id))?.close();
        return;
      case 'auth':
        // With authentication off there is nothing to prove.
        return;
    }
  }

  drain(): void {
    // What is sent inside uWebSockets.js' own callback and does not fit is never flushed: it stops watching the
    // socket when the callback ends. So nothing is sent before the next turn.
    setImmediate(() => {
      if (this.#socket.bufferedBytes() > this.#limits.socketBytes / 2) return;
      for (const subscription of this.#subscriptions.values()) subscription.drained();
    });
  }

  closed(): void {
    for (const subscription of this.#subscriptions.values()) void subscription.close();
    this.#onClosed();
  }

  send(message: TailMessage): void {
    if (this.#socket.sendText(message.json) === 'dropped') {
      this.end('slow_consumer', 'more waits for the reader than the server keeps');
    }
  }

  lagging(): boolean {
    return this.#socket.bufferedBytes() > this.#limits.socketBytes;
  }

  end(code: 'protocol_error' | 'slow_consumer' | 'draining', reason: string): void {
    const error = new MillraceError(code, reason);
    if (this.#socket.open) this.#onEnded(error);
    const { close = 1011 } = error.row;
    this.#socket.end(close, reason);
  }

  #subscribe(id: SubscriptionId, body: RawParameters): void {
    const key = JSON.stringify(id);
    try {
      if (this.#subscriptions.has(key)) {
        throw new MillraceError('parameter_invalid', `the id ${key} is in use; unsubscribe it first`);
      }
      if (this.#subscriptions.size >= this.#limits.subscriptions) {
        throw new MillraceError(
          'too_many_subscriptions',
          `a connection has at most ${this.#limits.subscriptions} subscriptions`,
        );
      }
      const request = parseSubscribe(id, body, this.#hub.registry, this.#clock.nowMs());
      const subscription = this.#hub.subscribe(request, this, () => {
        if (this.#subscriptions.get(key) === subscription) this.#subscriptions.delete(key);
      });
      this.#subscriptions.set(key, subscription);
      // The first message may have found a reader that is far too slow, and cut it off.
      if (!this.#socket.open) void subscription.close();
    } catch (error) {
      const known = asMillraceError(error);
      if (known.code === 'internal') this.#hub.onDefect(error);
      this.send(errorMessage(id, known));
    }
  }
}
