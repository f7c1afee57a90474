import { RECONNECT, reconnectDelayMs, verdictOfClose, verdictOfStatus } from './reconnect.ts';
import { openSocket } from './socket.ts';
import type { OpenSocket, SocketEnd, WebSocketConstructor } from './socket.ts';
import { systemTimers } from './timers.ts';
import type { Timers } from './timers.ts';

/** What both clients need of the world around them. */
export interface Surroundings {
  /** The browser's `WebSocket`, or that of the package `ws`. */
  WebSocket: WebSocketConstructor;
  /** Default: setTimeout and performance.now(). */
  timers?: Timers;
  /** Uniform in [0, 1); default Math.random. */
  random?: () => number;
}

/** Why a client gave up. */
export interface Stop {
  /** `closed` by the caller, or the server's close code or HTTP status says not to come back. */
  cause: 'closed' | 'close_code' | 'http_status';
  closeCode: number | null;
  status: number | null;
  reason: string;
}

export type LinkState =
  | { name: 'connecting' }
  | { name: 'open' }
  | { name: 'waiting'; delayMs: number; end: SocketEnd }
  | { name: 'stopped'; stop: Stop };

export interface LinkEvents {
  /** The socket is open; the server's first message is still to come. */
  onOpen(): void;
  onText(text: string): void;
  /** The connection is gone; another one follows unless `onState` says stopped. */
  onDown(): void;
  onState(state: LinkState): void;
}

/** A connection without the server's first message is given up after this long. */
const GREETING_TIMEOUT_MS = 15_000;

/** One connection after another to the same URL, as the contract's close codes ask. */
export class Link {
  readonly #url: string;
  readonly #protocols: string[];
  readonly #WebSocket: WebSocketConstructor;
  readonly #events: LinkEvents;
  readonly timers: Timers;
  readonly #random: () => number;
  #socket: OpenSocket | null = null;
  #cancelTimer: () => void = () => {};
  #attempt = 0;
  #greetedAtMs: number | null = null;
  #stopped = false;

  constructor(url: string, protocols: string[], surroundings: Surroundings, events: LinkEvents) {
    this.#url = url;
    this.#protocols = protocols;
    this.#WebSocket = surroundings.WebSocket;
    this.timers = surroundings.timers ?? systemTimers;
    this.#random = surroundings.random ?? Math.random;
    this.#events = events;
  }

  /** Throws for a URL that is none. */
  connect(): void {
    this.#events.onState({ name: 'connecting' });
    this.#cancelTimer = this.timers.after(GREETING_TIMEOUT_MS, () => this.renew('no greeting in time'));
    this.#socket = openSocket(this.#WebSocket, this.#url, this.#protocols, {
      onOpen: () => this.#events.onOpen(),
      onText: (text) => this.#events.onText(text),
      onEnd: (end) => this.#ended(end),
    });
  }

  send(data: string | Uint8Array): void {
    this.#socket?.send(data);
  }

  /** The server's greeting came. */
  greeted(): void {
    this.#cancelTimer();
    this.#greetedAtMs = this.timers.nowMs();
    this.#events.onState({ name: 'open' });
  }

  /** The connection did what it is for: the next failure is a first one again. */
  worked(): void {
    this.#attempt = 0;
  }

  /** Leaves this connection at once and opens another after a backoff. */
  renew(reason: string): void {
    if (this.#socket === null) return;
    this.#socket.abandon();
    this.#ended({ closeCode: 1006, status: null, reason });
  }

  /** Closes this connection politely; another one follows. */
  finish(): void {
    this.#socket?.close(1000, '');
  }

  /** Ends it for good. */
  close(): void {
    if (this.#stopped) return;
    const socket = this.#socket;
    this.#stop({ cause: 'closed', closeCode: null, status: null, reason: 'closed by the caller' });
    socket?.close(1000, '');
  }

  #ended(end: SocketEnd): void {
    if (this.#stopped) return;
    this.#cancelTimer();
    this.#socket = null;
    this.#events.onDown();
    const verdict = end.status === null ? verdictOfClose(end.closeCode) : verdictOfStatus(end.status);
    if (verdict === 'stop') {
      const cause = end.status === null ? 'close_code' : 'http_status';
      this.#stop({ cause, ...end });
      return;
    }
    if (verdict === 'return' || this.#wasStable()) this.#attempt = 0;
    this.#greetedAtMs = null;
    const delayMs = reconnectDelayMs(this.#attempt, this.#random);
    this.#attempt += 1;
    this.#cancelTimer = this.timers.after(delayMs, () => this.connect());
    this.#events.onState({ name: 'waiting', delayMs, end });
  }

  /** A connection that lasted counts as one that worked, even if nothing was sent on it. */
  #wasStable(): boolean {
    return this.#greetedAtMs !== null && this.timers.nowMs() - this.#greetedAtMs >= RECONNECT.maxDelayMs;
  }

  #stop(stop: Stop): void {
    this.#stopped = true;
    this.#cancelTimer();
    this.#socket = null;
    this.#events.onState({ name: 'stopped', stop });
  }
}
