import type { EdgeKind, MillraceError } from '../core/index.ts';

/** A request. What it has is its own: it stays as it is whatever becomes of the connection. */
export interface HttpExchange {
  method: string;
  path: string;
  /** Without the question mark, still encoded. */
  query: string;
  /** By lower-case name; an absent header is undefined. */
  header(name: string): string | undefined;
  /** All of them, likewise. */
  headers: ReadonlyMap<string, string>;
  /**
   * The whole body. Rejects with `body_too_large` beyond `maxBytes`, with `body_late` and `too_many_bodies`. Ask for it
   * once, and before anything is waited for: a body that nobody asks for is not kept.
   */
  body(maxBytes: number): Promise<Buffer>;
  /**
   * The body in parts as it comes, instead: as fast as they are read, so that one of any size takes bounded memory. Ask
   * for it as for `body`. Rejects with `body_invalid` when the client has left, with `body_late` when nothing came for
   * long, and with `too_many_bodies`.
   */
  stream(): AsyncIterable<Uint8Array>;
  /** Fires when the client has gone. */
  signal: AbortSignal;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  /** A stream is written as fast as the client reads it. */
  body: string | Uint8Array | AsyncIterable<string | Uint8Array> | null;
  /** Bytes of the body that a HEAD's answer speaks of without having it. */
  length?: number;
}

/** What a WebSocket upgrade may be judged by. */
export interface UpgradeRequest {
  path: string;
  /** Without the question mark, still encoded. */
  query: string;
  header(name: string): string | undefined;
  /** All headers, by lower-case name. */
  headers: ReadonlyMap<string, string>;
  /** The subprotocols that the client offers, in its order. */
  subprotocols: readonly string[];
  /** Fires when the client left before the upgrade. */
  signal: AbortSignal;
}

export interface UpgradeAccepted {
  /** The subprotocol to select; empty for none. */
  protocol: string;
  start(socket: Socket): SocketHandler;
}

export interface WebSocketRoute {
  path: string;
  maxMessageBytes: number;
  /** Bytes that may wait for a slow reader; a message beyond it is dropped and `sendText` says so. */
  maxBackpressureBytes: number;
  idleTimeoutS: number;
  /** Accepts the upgrade, or throws a MillraceError that is answered before it as problem+json. */
  upgrade(request: UpgradeRequest): Promise<UpgradeAccepted>;
}

/** What became of a message: `queued` is sent but the reader lags; `dropped` was not sent. */
export type SendOutcome = 'sent' | 'queued' | 'dropped' | 'closed';

/** One WebSocket. Every method is safe after the close, and does nothing then. */
export interface Socket {
  readonly open: boolean;
  sendText(text: string): SendOutcome;
  /** Calls `action`; what it sends goes to the system as one. */
  cork(action: () => void): void;
  /** Bytes that wait in user space for the reader. */
  bufferedBytes(): number;
  /** Starts the closing handshake. */
  end(code: number, reason: string): void;
  /** Cuts the connection without a handshake. */
  terminate(): void;
}

/** What a part does with one connection. `message` bytes are valid only during the call: copy what stays. */
export interface SocketHandler {
  message(bytes: Uint8Array, isBinary: boolean): void;
  /** The reader took what was queued. */
  drain?(): void;
  /** The edge ends the connection, for what its client did; `closed` follows. */
  ending?(error: MillraceError): void;
  /** The connection is gone; called exactly once. 1009 also says that a message was over the route's limit. */
  closed(code: number): void;
}

/** Where the parts put their routes. They hear of nothing before the port is open. */
export interface Edge {
  websocket(route: WebSocketRoute): void;
  /**
   * Answers every HTTP request that is no upgrade, or those of one path alone, which then are no others'. The handler of a
   * path is asked in the turn of the event loop in which the request comes, others when there is time.
   */
  http(handler: (exchange: HttpExchange) => Promise<HttpAnswer>, path?: string): void;
}

/** One listening port for HTTP and WebSockets. Routes are added before `listen`. */
export interface NetServer extends Edge {
  /** Opens the port (0 takes a free one) and resolves with its number. Rejects with `port_in_use` or `listen_failed`. */
  listen(host: string, port: number): Promise<number>;
  /** The same for a port that another process of this server may have open: the system spreads connections over all. */
  join(host: string, port: number): Promise<number>;
  /** Takes no new connections; those that are open go on. */
  stopListening(): void;
  /** Resolves when all that has been asked is answered, or after `ms`. */
  answered(ms: number): Promise<void>;
  /** What it holds for all connections together, and how much that may be. */
  held(): HeldByEdge;
  /** Cuts every connection that is left. End sockets with 1012 first: this one gives them 1006. */
  close(): void;
}

/** Bytes of answers and messages that readers have not taken, and of bodies that are received. */
export type HeldByEdge = Readonly<
  Record<'unread' | 'bodies', { readonly bytes: number; readonly limit: number }>
>;

/** What an operator may ask for; with `auto` it is uWebSockets.js where that loads. */
export type WantedEdge = EdgeKind | 'auto';

export interface EdgeOptions {
  /** `auto` where it is left out. */
  edge?: WantedEdge;
  /** Connections at once, those of WebSockets included, where the edge can bound them. */
  maxConnections?: number;
  /** Whether one more connection may stay, asked for each that comes; others are closed at once. All may, when left out. */
  hasRoom?: () => boolean;
  /** Hears of each HTTP connection that is cut for what its client does, or does not. */
  onEnded?: (error: MillraceError) => void;
  /** LIMITS.unreadBytes and LIMITS.heldBodyBytes where they are left out. */
  unreadBytes?: number;
  heldBodyBytes?: number;
}

/** Hears of defects: errors without a stable code, already answered with `internal`. */
export type OnDefect = (error: unknown) => void;
