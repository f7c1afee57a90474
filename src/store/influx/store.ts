import { selectColumns, type ColumnBatch } from '../../core/index.ts';
import type {
  AggregateQuery,
  Answer,
  RefusedPoint,
  RowsQuery,
  Selection,
  Store,
  StoredDevice,
  StorePosition,
  StoreState,
  View,
} from '../store.ts';
import { aggregateColumns } from '../aggregate-columns.ts';
import { readAggregates } from './aggregate.ts';
import { readAnswer } from './answer.ts';
import { readDevice, readDevices } from './devices.ts';
import { InfluxHealth } from './health.ts';
import { writeIsolating } from './isolate.ts';
import { readLatest } from './latest.ts';
import { QueryPermits } from './permits.ts';
import { pointsOf, type Point } from './points.ts';
import { InfluxReader } from './reader.ts';
import { readRows } from './rows.ts';
import { InfluxTransport, WRITE_CONNECTIONS, type InfluxConnection } from './transport.ts';
import { InfluxUnavailable } from './unavailable.ts';

/** Points of one body: InfluxDB takes 5,000 to 20,000 best, and a batch of 10,000 then fills both connections. */
const BODY_POINTS = 5_000;
/** A probe without an answer for this long has failed, in milliseconds. */
const PROBE_TIMEOUT_MS = 5_000;
/** Characters of one body, for points with long strings. */
const BODY_CHARACTERS = 4 * 1024 * 1024;

/**
 * Opens the store on InfluxDB 2.7. It opens when the server is away too: then state() is down, and it looks for the
 * server in the background. Throws where `url` is no http(s) URL.
 */
export async function openInfluxStore(connection: InfluxConnection): Promise<Store> {
  const store = new InfluxStore(connection);
  await store.start();
  return store;
}

class InfluxStore implements Store {
  readonly kind = 'influxdb';
  readonly #transport: InfluxTransport;
  readonly #reader: InfluxReader;
  readonly #health: InfluxHealth;
  readonly #closing = new AbortController();
  #settled = 0;
  #attempted = 0;
  /** Writes take their turns, so that a later one always wins over an earlier one. */
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(connection: InfluxConnection) {
    this.#transport = new InfluxTransport(connection);
    this.#health = new InfluxHealth(() => this.#probe());
    this.#reader = new InfluxReader(this.#transport, new QueryPermits(), (error) =>
      this.#health.onRead(error),
    );
  }

  start(): Promise<void> {
    return this.#health.start();
  }

  write(batches: readonly ColumnBatch[], position: StorePosition): Promise<RefusedPoint[]> {
    const written = this.#lastWrite.then(() => this.#write(batches, position));
    this.#lastWrite = written.catch(() => {});
    return written;
  }

  async #write(batches: readonly ColumnBatch[], position: StorePosition): Promise<RefusedPoint[]> {
    this.#attempted = Math.max(this.#attempted, position.position);
    const { points, refused } = pointsOf(batches);
    const bodies = bodiesOf(points);
    const send = async (): Promise<void> => {
      for (let body = bodies.shift(); body !== undefined; body = bodies.shift()) {
        refused.push(...(await writeIsolating(body, (lines) => this.#transport.write(lines))));
      }
    };
    // All connections come to rest before a failure is told: nothing of this write may land after the next one.
    const ends = await Promise.allSettled(Array.from({ length: WRITE_CONNECTIONS }, send));
    for (const end of ends) {
      if (end.status === 'rejected') {
        this.#health.onWrite(end.reason);
        throw end.reason;
      }
    }
    if (points.length > 0) this.#health.onWrite(null);
    this.#settled = Math.max(this.#settled, position.position);
    return refused;
  }

  position(): StorePosition | null {
    return null;
  }

  setPosition(position: StorePosition): void {
    this.#settled = position.position;
    this.#attempted = Math.max(this.#attempted, position.position);
  }

  async rows(query: RowsQuery, signal: AbortSignal): Promise<Answer> {
    const { names } = selectColumns(query.measurement, query.fields);
    return this.#stream(names, signal, (run) => readRows(query, run));
  }

  async aggregate(query: AggregateQuery, signal: AbortSignal): Promise<Answer> {
    return this.#stream(aggregateColumns(query), signal, (run) => readAggregates(query, run));
  }

  async latest(
    selection: Pick<Selection, 'measurement' | 'fields' | 'devices' | 'tags'>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { names } = selectColumns(selection.measurement, selection.fields);
    return this.#stream(names, signal, (run) => readLatest(selection, run));
  }

  #stream(
    columns: readonly string[],
    signal: AbortSignal,
    read: Parameters<InfluxReader['stream']>[3],
  ): Promise<Answer> {
    const position = this.#settled;
    const view = (): View => ({ position, exact: false, upper: this.#attempted });
    return this.#reader.stream(columns, view, this.#ending(signal), read);
  }

  async devices(after: string | null, limit: number, signal: AbortSignal): Promise<StoredDevice[]> {
    return this.#reader.collect(this.#ending(signal), (run) => readDevices(after, limit, run));
  }

  async device(id: string, signal: AbortSignal): Promise<StoredDevice | null> {
    return this.#reader.collect(this.#ending(signal), (run) => readDevice(id, run));
  }

  probe(): Promise<void> {
    return this.#probe();
  }

  state(): StoreState {
    return this.#health.state();
  }

  async close(): Promise<void> {
    this.#health.close();
    await this.#lastWrite;
    this.#closing.abort();
    this.#transport.close();
  }

  #ending(signal: AbortSignal): AbortSignal {
    return AbortSignal.any([signal, this.#closing.signal]);
  }

  /** Asks for something of the bucket, so that a refused token or a missing bucket shows. */
  async #probe(): Promise<void> {
    const timeout = AbortSignal.timeout(PROBE_TIMEOUT_MS);
    const bytes = this.#transport.query('SHOW MEASUREMENTS LIMIT 1', this.#ending(timeout));
    try {
      const answer = readAnswer(bytes, 1);
      while ((await answer.next()).done !== true);
    } catch (error) {
      if (!timeout.aborted) throw error;
      throw new InfluxUnavailable(`InfluxDB did not answer within ${PROBE_TIMEOUT_MS / 1000} s`);
    }
  }
}

/** Cuts points into bodies, in order. */
function bodiesOf(points: readonly Point[]): Point[][] {
  const bodies: Point[][] = [];
  let body: Point[] = [];
  let characters = 0;
  for (const point of points) {
    if (body.length > 0 && (body.length >= BODY_POINTS || characters + point.line.length > BODY_CHARACTERS)) {
      bodies.push(body);
      body = [];
      characters = 0;
    }
    body.push(point);
    characters += point.line.length + 1;
  }
  if (body.length > 0) bodies.push(body);
  return bodies;
}
