import type {
  Subscribed,
  TailClientMessage,
  TailData,
  TailGap,
  TailLive,
  TailProgress,
  TailRequest,
} from './protocol.ts';

/**
 * One subscription's place in the stream, as a value: where to go on after the connection was lost, and
 * whether a message is missing.
 */
export class SubscriptionPlace {
  readonly id: string;
  readonly #request: TailRequest;
  #cursor: string | null = null;
  #received = 0;
  #columns: readonly string[] = [];

  constructor(id: string, request: TailRequest) {
    this.id = id;
    this.#request = request;
    this.#cursor = request.cursor ?? null;
  }

  /** Everything before it was received; null before the server named a first one. */
  get cursor(): string | null {
    return this.#cursor;
  }

  get columns(): readonly string[] {
    return this.#columns;
  }

  /** What to send on a new connection: the original request, from where the last one ended. */
  resume(): TailClientMessage {
    this.#received = 0;
    const { cursor: _first, from, ...filters } = this.#request;
    const start = this.#cursor === null ? (from === undefined ? {} : { from }) : { cursor: this.#cursor };
    return { type: 'subscribe', id: this.id, ...filters, ...start };
  }

  subscribed(message: Subscribed): void {
    this.#columns = message.columns;
    // Only what was received moves a place on: columns say nothing of rows.
    this.#cursor ??= message.cursor;
  }

  /** False when messages before this one are missing: its rows must not be used, resume instead. */
  data(message: TailData): boolean {
    if (message.n !== this.#received + 1) return false;
    this.#received = message.n;
    this.#cursor = message.cursor;
    return true;
  }

  progress(message: TailProgress | TailLive): void {
    this.#cursor = message.cursor ?? this.#cursor;
  }

  gap(message: TailGap): void {
    this.#cursor = message.to;
  }
}
