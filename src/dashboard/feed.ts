import type { TailClient, TailError, TailGap, TailRow, TailSubscription } from '../client/index.ts';
import { parseTimeMs } from './format.ts';
import { PointSeries } from './series.ts';

/** What is drawn: one field of some devices over a window of time. */
export interface FeedRequest {
  measurement: string;
  field: string;
  devices: readonly string[];
  /** Such as `15m`, and the same in milliseconds. */
  window: string;
  windowMs: number;
}

export type FeedPhase =
  | { name: 'idle' }
  /** Stored rows are coming in. */
  | { name: 'history' }
  | { name: 'live' }
  /** The store cannot be read: rows from now on only, until it can. */
  | { name: 'live_only' }
  | { name: 'failed'; message: string };

export interface Line {
  device: string;
  points: PointSeries;
}

/** Between two re-reads after gaps, so that a page too slow for its stream does not make it worse. */
const REFILL_INTERVAL_MS = 30_000;

/**
 * Rows of one tail, sorted into one series per device. Stored rows, live rows and rows read again all go the
 * same way: a series does not mind the order, nor a row that it has.
 */
export class Feed {
  readonly #tail: Pick<TailClient, 'subscribe'>;
  readonly #nowMs: () => number;
  #request: FeedRequest | null = null;
  #subscription: TailSubscription | null = null;
  #series = new Map<string, PointSeries>();
  #phase: FeedPhase = { name: 'idle' };
  #liveSinceMs: number | null = null;
  #rows = 0;
  #gaps = 0;
  #refilledAtMs = -Infinity;

  constructor(tail: Pick<TailClient, 'subscribe'>, nowMs: () => number) {
    this.#tail = tail;
    this.#nowMs = nowMs;
  }

  get request(): FeedRequest | null {
    return this.#request;
  }

  get phase(): FeedPhase {
    return this.#phase;
  }

  /** When history had joined live for the first time for this chart; null before. */
  get liveSinceMs(): number | null {
    return this.#liveSinceMs;
  }

  /** Rows received for this chart: changes whenever there may be something to draw. */
  get rows(): number {
    return this.#rows;
  }

  /** Gaps in the stream since this chart began. */
  get gaps(): number {
    return this.#gaps;
  }

  /** Begins another chart, or ends it with null. The same field keeps the points that it has. */
  follow(request: FeedRequest | null): void {
    if (sameChart(this.#request, request)) {
      const devices = new Set(request?.devices);
      for (const device of this.#series.keys()) if (!devices.has(device)) this.#series.delete(device);
    } else {
      this.#series = new Map();
      this.#rows = 0;
      this.#gaps = 0;
      this.#liveSinceMs = null;
    }
    this.#request = request;
    this.#subscribe(true);
  }

  /** The store can be read, as far as the server says: history that was missed is fetched. */
  storeIsUp(): void {
    if (this.#phase.name === 'live_only' || this.#phase.name === 'failed') this.#subscribe(true);
  }

  /** The lines in the order of the request, settled for a window that ends at `toMs`. */
  lines(toMs: number): Line[] {
    const request = this.#request;
    if (request === null) return [];
    return request.devices.map((device) => {
      const points = this.#of(device);
      points.settle(toMs - request.windowMs, request.windowMs);
      return { device, points };
    });
  }

  #subscribe(withHistory: boolean): void {
    this.#subscription?.unsubscribe();
    this.#subscription = null;
    const request = this.#request;
    if (request === null || request.devices.length === 0) {
      this.#phase = { name: 'idle' };
      return;
    }
    this.#phase = { name: withHistory ? 'history' : 'live_only' };
    const { measurement, field, devices } = request;
    const from = withHistory ? `-${request.window}` : 'now';
    this.#subscription = this.#tail.subscribe(
      { measurement, field, device: devices, from },
      {
        onRows: (rows, columns) => this.#take(rows, columns, field),
        onLive: () => this.#live(withHistory),
        onGap: (gap) => this.#missed(gap),
        onError: (error, willRetry) => this.#failed(error, willRetry),
      },
    );
  }

  #take(rows: readonly TailRow[], columns: readonly string[], field: string): void {
    const time = columns.indexOf('time');
    const device = columns.indexOf('device');
    const value = columns.indexOf(field);
    for (const row of rows) {
      const timeMs = parseTimeMs(String(row[time] ?? ''));
      const cell = row[value] ?? null;
      const amount = cell === null ? Number.NaN : Number(cell);
      const name = row[device];
      // A field that is missing from a row says nothing: another row of the same time may have it.
      if (typeof name === 'string' && Number.isFinite(timeMs) && Number.isFinite(amount)) {
        this.#of(name).add(timeMs, amount);
      }
    }
    this.#rows += rows.length;
  }

  #live(withHistory: boolean): void {
    this.#liveSinceMs ??= this.#nowMs();
    if (withHistory) this.#phase = { name: 'live' };
  }

  #missed(_gap: TailGap): void {
    this.#gaps += 1;
    const nowMs = this.#nowMs();
    if (this.#phase.name !== 'live' || nowMs - this.#refilledAtMs < REFILL_INTERVAL_MS) return;
    this.#refilledAtMs = nowMs;
    this.#subscribe(true);
  }

  #failed(error: TailError, willRetry: boolean): void {
    if (error.code === 'store_unavailable' && this.#phase.name === 'history') this.#subscribe(false);
    else if (!willRetry) this.#phase = { name: 'failed', message: error.message };
  }

  #of(device: string): PointSeries {
    let series = this.#series.get(device);
    if (series === undefined) {
      series = new PointSeries();
      this.#series.set(device, series);
    }
    return series;
  }
}

function sameChart(a: FeedRequest | null, b: FeedRequest | null): boolean {
  return a?.measurement === b?.measurement && a?.field === b?.field && a?.windowMs === b?.windowMs;
}
