import { Link } from './link.ts';
import type { LinkState, Surroundings } from './link.ts';
import { parseTailMessage } from './protocol.ts';
import type { TailError, TailGap, TailRequest, TailRow, TailServerMessage } from './protocol.ts';
import { SubscriptionPlace } from './subscription.ts';

export interface TailOptions extends Surroundings {
  /** `ws://HOST:PORT` or `wss://…`; the route `/v1/tail` is added where there is no path. */
  url: string;
  onState?(state: LinkState): void;
  /** An error that is about no subscription. */
  onError?(error: TailError): void;
}

export interface TailHandlers {
  /** Rows in order, each once. A row's cells are in the order of `columns`. */
  onRows(rows: readonly TailRow[], columns: readonly string[]): void;
  /** Called before the first rows, and again after a reconnect, since columns may have been added meanwhile. */
  onColumns?(columns: readonly string[]): void;
  /** History is done: what follows is live. Again after each resume. */
  onLive?(): void;
  /** Rows that will not come; the tail goes on after them. */
  onGap?(gap: TailGap): void;
  /** `willRetry`: the client subscribes again by itself. Otherwise the subscription has ended. */
  onError?(error: TailError, willRetry: boolean): void;
}

/** A running subscription. */
export interface TailSubscription {
  readonly id: string;
  /** Where it stands: give it as `cursor` to go on later. Null before the server answered. */
  readonly cursor: string | null;
  unsubscribe(): void;
}

interface OpenTail {
  subscription: SubscriptionPlace;
  handlers: TailHandlers;
  cancelRetry: () => void;
}

/** Errors that pass: subscribe again after a while. */
const PASSING = new Set(['store_unavailable', 'query_timeout', 'too_many_queries']);
const RETRY_DELAY_MS = 2_000;

/** Live tails over one connection, which resume where they were when it is lost. */
export class TailClient {
  readonly #options: TailOptions;
  readonly #link: Link;
  readonly #entries = new Map<string, OpenTail>();
  #nextId = 1;
  #open = false;
  #greeted = false;

  /** Connects at once. Throws for a malformed URL. */
  constructor(options: TailOptions) {
    this.#options = options;
    this.#link = new Link(tailUrl(options.url), [], options, {
      onOpen: () => this.#opened(),
      onText: (text) => this.#receive(text),
      onDown: () => {
        this.#open = false;
        this.#greeted = false;
      },
      onState: (state) => this.#options.onState?.(state),
    });
    this.#link.connect();
  }

  /** Begins a tail now, or as soon as there is a connection. */
  subscribe(request: TailRequest, handlers: TailHandlers): TailSubscription {
    const id = String(this.#nextId++);
    const subscription = new SubscriptionPlace(id, request);
    const entry: OpenTail = { subscription, handlers, cancelRetry: () => {} };
    this.#entries.set(id, entry);
    if (this.#open) this.#send(entry);
    return {
      id,
      get cursor() {
        return subscription.cursor;
      },
      unsubscribe: () => {
        if (!this.#entries.delete(id)) return;
        entry.cancelRetry();
        if (this.#open) this.#link.send(JSON.stringify({ type: 'unsubscribe', id }));
      },
    };
  }

  close(): void {
    for (const entry of this.#entries.values()) entry.cancelRetry();
    this.#entries.clear();
    this.#link.close();
  }

  #opened(): void {
    this.#open = true;
    for (const entry of this.#entries.values()) this.#send(entry);
  }

  #send(entry: OpenTail): void {
    entry.cancelRetry();
    this.#link.send(JSON.stringify(entry.subscription.resume()));
  }

  #receive(text: string): void {
    const message = parseTailMessage(text);
    if (message === null) return;
    if (!this.#greeted) {
      this.#greeted = true;
      this.#link.greeted();
    }
    if (message.type === 'hello') return;
    if (message.type === 'goaway') {
      this.#link.finish();
      return;
    }
    const entry = message.id === null ? undefined : this.#entries.get(message.id);
    if (entry !== undefined) this.#apply(message, entry);
    else if (message.type === 'error') this.#options.onError?.(message);
  }

  #apply(message: Exclude<TailServerMessage, { type: 'hello' | 'goaway' }>, entry: OpenTail): void {
    const { subscription, handlers } = entry;
    switch (message.type) {
      case 'subscribed':
        subscription.subscribed(message);
        handlers.onColumns?.(message.columns);
        return;
      case 'data':
        if (subscription.data(message)) {
          this.#link.worked();
          handlers.onRows(message.rows, subscription.columns);
        } else {
          this.#link.renew('a data message is missing');
        }
        return;
      case 'live':
        this.#link.worked();
        subscription.progress(message);
        handlers.onLive?.();
        return;
      case 'progress':
        subscription.progress(message);
        return;
      case 'gap':
        subscription.gap(message);
        handlers.onGap?.(message);
        return;
      case 'error':
        this.#failed(message, entry);
    }
  }

  #failed(error: TailError, entry: OpenTail): void {
    const willRetry = PASSING.has(error.code);
    if (willRetry) {
      entry.cancelRetry();
      entry.cancelRetry = this.#link.timers.after(RETRY_DELAY_MS, () => {
        if (this.#open) this.#send(entry);
      });
    } else {
      this.#entries.delete(entry.subscription.id);
    }
    entry.handlers.onError?.(error, willRetry);
  }
}

/** The address to connect to. Throws a TypeError for a malformed URL. */
export function tailUrl(url: string): string {
  const address = new URL(url);
  if (address.pathname === '/') address.pathname = '/v1/tail';
  return address.href;
}
