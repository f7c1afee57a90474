import { setImmediate as nextTurn } from 'node:timers/promises';
import { steadyClock, type Cursor, type MillraceError, type SelectedColumns } from '../core/index.ts';
import * as messages from './messages.ts';
import type { SubscriptionId } from './request.ts';

/** Where a subscription's messages go: a WebSocket, an event stream, a poll. */
export interface TailSink {
  /** The server's address as its client knows it, `http://HOST`; empty where that is not known. */
  readonly baseUrl: string;
  send(message: messages.TailMessage): void;
  /** True while the reader has more to take than it should: nothing is sent then until `drained`. */
  lagging(): boolean;
}

/** What was sent, over all subscriptions since the start. */
export interface TailCounts {
  rows: number;
  messages: number;
  gaps: number;
  /** How often a reader fell behind. */
  lags: number;
  /** How often a filter was applied to a block … */
  looks: number;
  /** … and to how many rows. */
  rowsLooked: number;
}

/** Rows on their way out. */
export interface OutgoingRows {
  /** How many rows. */
  rows: number;
  /** The rows as JSON arrays, comma separated. */
  rowsJson: string;
  /** The message that was made of them last: subscribers of one id that began together get the same. */
  last?: { id: SubscriptionId; n: number; message: messages.TailMessage };
}

/** One subscription's messages: numbers them, announces columns and waits for a slow reader. */
export class Outlet {
  readonly #id: SubscriptionId;
  readonly #sink: TailSink;
  readonly #counts: TailCounts;
  #announced: readonly string[] = [];
  #n = 0;
  #lastSentMs: number;
  #waiter: (() => void) | null = null;
  #closed = false;

  constructor(id: SubscriptionId, sink: TailSink, counts: TailCounts) {
    this.#id = id;
    this.#sink = sink;
    this.#counts = counts;
    this.#lastSentMs = steadyClock.nowMs();
  }

  get lagging(): boolean {
    return this.#sink.lagging();
  }

  /** Milliseconds since the last message. */
  silentMs(nowMs: number): number {
    return nowMs - this.#lastSentMs;
  }

  /** Tells the columns unless they are known: at the start, and when a later schema brought more. */
  announce({ names }: SelectedColumns, cursor: Cursor): void {
    if (names === this.#announced) return;
    const known =
      names.length === this.#announced.length && names.every((name, i) => name === this.#announced[i]);
    this.#announced = names;
    if (!known) this.#send(messages.subscribedMessage(this.#id, names, cursor));
  }

  data(cursor: string, rows: OutgoingRows): void {
    this.#n += 1;
    this.#counts.rows += rows.rows;
    const id = this.#id;
    const n = this.#n;
    if (rows.last?.id !== id || rows.last.n !== n) {
      rows.last = { id, n, message: messages.dataMessage(id, n, cursor, rows.rowsJson) };
    }
    this.#send(rows.last.message);
  }

  live(cursor: Cursor): void {
    this.#send(messages.liveMessage(this.#id, cursor));
  }

  progress(cursor: Cursor): void {
    this.#send(messages.progressMessage(this.#id, cursor));
  }

  /** Rows between two cursors cannot be delivered; `query` is where they may still be read. */
  gap(from: Cursor, to: Cursor, query: string): void {
    this.#counts.gaps += 1;
    this.#send(messages.gapMessage(this.#id, { from, to, missed: null, query }));
  }

  error(error: MillraceError): void {
    this.#send(messages.errorMessage(this.#id, error));
  }

  /** The reader fell behind; the edge says when it has caught up. */
  noteLag(): void {
    this.#counts.lags += 1;
  }

  drained(): void {
    this.#waiter?.();
  }

  /** Nothing leaves any more. */
  close(): void {
    this.#closed = true;
    this.#waiter?.();
  }

  /** True when the reader can take more, or is gone; false when `patienceMs` passed first. */
  async waitForDrain(patienceMs?: number): Promise<boolean> {
    const patience = new AbortController();
    const timer =
      patienceMs === undefined
        ? undefined
        : setTimeout(() => {
            patience.abort();
            this.#waiter?.();
          }, patienceMs);
    // A socket counts what it holds back only until the end of its callback: no one would tell of that drain.
    if (this.lagging) await nextTurn();
    while (!patience.signal.aborted && !this.#closed && this.lagging) {
      await new Promise<void>((resolve) => {
        this.#waiter = resolve;
      });
    }
    this.#waiter = null;
    clearTimeout(timer);
    return this.#closed || !this.lagging;
  }

  #send(message: messages.TailMessage): void {
    if (this.#closed) return;
    this.#lastSentMs = steadyClock.nowMs();
    this.#counts.messages += 1;
    this.#sink.send(message);
  }
}
