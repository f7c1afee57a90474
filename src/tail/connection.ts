import { LIMITS, MillraceError, type Clock, type Rounds } from '../core/index.ts';
import { asMillraceError, type RawParameters, type Socket, type SocketHandler } from '../net/index.ts';
import type { TailHub } from './hub.ts';
import type { TailLimits } from './limits.ts';
import { errorMessage, helloMessage, type TailMessage } from './messages.ts';
import type { TailSink } from './outlet.ts';
import { parseClientMessage, parseSubscribe, subscribeBodyOf, type SubscriptionId } from './request.ts';
import type { Subscription } from './subscription.ts';
import { WaitingMessages } from './waiting-messages.ts';

/** The id of the subscription that the URL's parameters ask for. */
const URL_SUBSCRIPTION = '0';

export interface TailConnectionOptions {
  hub: TailHub;
  limits: TailLimits;
  clock: Clock;
  /** Hears that the server ends the connection, and why. */
  onEnded: (error: MillraceError) => void;
}

/**
 * One client: its socket and its subscriptions. The edge cannot stop reading a WebSocket, and one read may hold
 * thousands of messages. So they wait, are taken in rounds with those of other clients, and none is taken while the
 * client does not read what it was sent.
 */
export class TailConnection implements SocketHandler, TailSink {
  readonly baseUrl: string;
  readonly #socket: Socket;
  readonly #hub: TailHub;
  readonly #limits: TailLimits;
  readonly #clock: Clock;
  readonly #onClosed: () => void;
  readonly #onEnded: TailConnectionOptions['onEnded'];
  readonly #rounds: Rounds;
  readonly #waiting = new WaitingMessages();
  /** By the JSON text of the id: 1 and "1" are two. */
  readonly #subscriptions = new Map<string, Subscription>();

  constructor(
    socket: Socket,
    baseUrl: string,
    options: TailConnectionOptions,
    rounds: Rounds,
    onClosed: () => void,
  ) {
    this.#socket = socket;
    this.baseUrl = baseUrl;
    this.#hub = options.hub;
    this.#limits = options.limits;
    this.#clock = options.clock;
    this.#onClosed = onClosed;
    this.#onEnded = options.onEnded;
    this.#rounds = rounds;
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
    this.#subscribe(URL_SUBSCRIPTION, () => subscribeBodyOf(query));
  }

  message(bytes: Uint8Array, isBinary: boolean): void {
    if (isBinary) {
      this.end('protocol_error', 'a tail takes text messages only');
      return;
    }
    try {
      this.#waiting.put(bytes);
    } catch (error) {
      this.#endWith(asMillraceError(error));
      return;
    }
    this.#rounds.enter(this.#takeNext);
  }

  /** Takes one message. True when there is one more, and the client reads. */
  readonly #takeNext = (): boolean => {
    if (!this.#socket.open || !this.#hasCaughtUp()) return false;
    const text = this.#waiting.take();
    if (text !== null) this.#take(text);
    return !this.#waiting.empty;
  };

  #take(text: string): void {
    let message;
    try {
      message = parseClientMessage(text);
    } catch (error) {
      const known = asMillraceError(error);
      this.send(errorMessage(null, known));
      this.end('protocol_error', known.message);
      return;
    }
    switch (message.type) {
      case 'subscribe':
        this.#subscribe(message.id, () => message.body);
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
      if (!this.#hasCaughtUp()) return;
      for (const subscription of this.#subscriptions.values()) subscription.drained();
      if (!this.#waiting.empty) this.#rounds.enter(this.#takeNext);
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

  /** Where one that lagged goes on again, and where messages are taken: what it does not read would only become more. */
  #hasCaughtUp(): boolean {
    return this.#socket.bufferedBytes() <= this.#limits.socketBytes / 2;
  }

  lagging(): boolean {
    return this.#socket.bufferedBytes() > this.#limits.socketBytes;
  }

  ending(error: MillraceError): void {
    this.#onEnded(error);
  }

  end(code: 'protocol_error' | 'slow_consumer' | 'draining', reason: string): void {
    this.#endWith(new MillraceError(code, reason));
  }

  #endWith(error: MillraceError): void {
    if (this.#socket.open) this.#onEnded(error);
    const { close = 1011 } = error.row;
    this.#socket.end(close, error.message);
  }

  /** `read` gives what is asked for, or null when nothing is; what it throws is told as the subscription's error. */
  #subscribe(id: SubscriptionId, read: () => RawParameters | null): void {
    const key = JSON.stringify(id);
    try {
      const body = read();
      if (body === null) return;
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
