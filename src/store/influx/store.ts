import {
  LIMITS,
  MillraceError,
  Places,
  messageOf,
  selectColumns,
  type AnswerColumn,
  type ColumnBatch,
} from '../../core/index.ts';
import type {
  AggregateQuery,
  Answer,
  DeviceQuery,
  DevicesQuery,
  RefusedPoint,
  RowsQuery,
  Selection,
  Store,
  StoredDevice,
  StorePosition,
  StoreState,
  StoreTraits,
  View,
} from '../store.ts';
import { aggregateColumns } from '../shared/aggregate-columns.ts';
import { readAggregates } from './read/aggregate.ts';
import { readAnswer } from './transport/answer.ts';
import { readDevice, readDevices } from './read/devices.ts';
import { InfluxHealth } from './health.ts';
import { BodyPool } from './write/body.ts';
import { Encoder } from './write/encoder.ts';
import { readLatest } from './read/latest.ts';
import { InfluxReader } from './read/reader.ts';
import { streamRows } from './read/rows.ts';
import { InfluxTransport, type InfluxConnection } from './transport/transport.ts';
import { InfluxUnavailable } from './transport/unavailable.ts';
import { BodySender } from './write/sender.ts';

/** A probe without an answer for this long has failed, in milliseconds. */
const PROBE_TIMEOUT_MS = 5_000;

export const INFLUX_TRAITS: StoreTraits = {
  keepsPosition: false,
  longestCallMs: null,
  dropsOldPoints: true,
};

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
  readonly traits = INFLUX_TRAITS;
  readonly #transport: InfluxTransport;
  readonly #reader: InfluxReader;
  readonly #health: InfluxHealth;
  readonly #closing = new AbortController();
  readonly #pool = new BodyPool();
  readonly #sender: BodySender;
  #settled = 0;
  #attempted = 0;
  /** Writes take their turns, so that a later one always wins over an earlier one. */
  #lastWrite: Promise<unknown> = Promise.resolve();

  constructor(connection: InfluxConnection) {
    this.#transport = new InfluxTransport(connection);
    this.#sender = new BodySender(this.#transport, this.#pool);
    this.#health = new InfluxHealth(() => this.#probe());
    this.#reader = new InfluxReader(
      this.#transport,
      new Places(LIMITS.maxOpenReads, LIMITS.maxQueriesWaiting),
      (error) => this.#health.onRead(error),
    );
  }

  start(): Promise<void> {
    return this.#health.start();
  }

  write(batches: readonly ColumnBatch[], position: StorePosition): Promise<RefusedPoint[]> {
    const written = this.#lastWrite.then(async () => {
      try {
        return await this.#write(batches, position);
      } catch (cause) {
        if (cause instanceof MillraceError) throw cause;
        // A defect that these points meet, and would meet again.
        throw new MillraceError('store_refused', `the points cannot be sent: ${messageOf(cause)}`, { cause });
      }
    });
    this.#lastWrite = written.catch(() => {});
    return written;
  }

  async #write(batches: readonly ColumnBatch[], position: StorePosition): Promise<RefusedPoint[]> {
    this.#attempted = Math.max(this.#attempted, position.position);
    const encoder = new Encoder(batches, this.#pool);
    const refused: RefusedPoint[] = [];
    const sent = await this.#sendAll(encoder, refused).catch((error: unknown) => {
      if (error instanceof MillraceError) this.#health.onWrite(error);
      throw error;
    });
    if (sent) this.#health.onWrite(null);
    for (const point of encoder.refused) refused.push(point);
    this.#settled = Math.max(this.#settled, position.position);
    return refused;
  }

  /** Sends all bodies over as many connections as pay. Tells whether there were any; the refused points come into `refused`. */
  async #sendAll(encoder: Encoder, refused: RefusedPoint[]): Promise<boolean> {
    const sending: Promise<void>[] = [];
    let active = 0;
    let sent = false;
    let done = false;
    let failure: unknown = null;
    const send = async (): Promise<void> => {
      active++;
      try {
        // The last connection stays until all is sent: each that leaves is counted at once.
        while (!done && active <= this.#sender.connections) {
          const body = this.#sender.next(encoder);
          done = body === null;
          if (body === null) return;
          sent = true;
          const reply = this.#sender.send(encoder, body);
          // The server begins with this body while the next one is made.
          setImmediate(connect);
          for (const point of await reply) refused.push(point);
        }
      } catch (error) {
        failure ??= error;
        done = true;
      } finally {
        active--;
      }
    };
    const connect = (): void => {
      if (!done && active < this.#sender.connections) sending.push(send());
    };
    connect();
    // All connections come to rest before a failure is told: nothing of this write may land after the next one.
    for (const ended of sending) await ended;
    if (failure !== null) throw failure;
    return sent;
  }

  position(): StorePosition | null {
    return null;
  }

  /**
   * What reads then tell as their view. A write that has timed out may still be under way in the server: the
   * position counts only what it has answered.
   */
  setPosition(position: StorePosition): void {
    this.#settled = position.position;
    this.#attempted = Math.max(this.#attempted, position.position);
  }

  async rows(query: RowsQuery, signal: AbortSignal): Promise<Answer> {
    const { columns } = selectColumns(query.measurement, query.fields);
    return this.#stream(columns, signal, (run) => streamRows(query, run));
  }

  async aggregate(query: AggregateQuery, signal: AbortSignal): Promise<Answer> {
    return this.#stream(aggregateColumns(query), signal, (run) => readAggregates(query, run));
  }

  async latest(
    selection: Pick<Selection, 'measurement' | 'fields' | 'devices' | 'tags'>,
    signal: AbortSignal,
  ): Promise<Answer> {
    const { columns } = selectColumns(selection.measurement, selection.fields);
    return this.#stream(columns, signal, (run) => readLatest(selection, run));
  }

  #stream(
    columns: readonly AnswerColumn[],
    signal: AbortSignal,
    read: Parameters<InfluxReader['stream']>[3],
  ): Promise<Answer> {
    const position = this.#settled;
    const view = (): View => ({ position, epoch: null, exact: false, upper: this.#attempted });
    return this.#reader.stream(columns, view, this.#ending(signal), read);
  }

  async devices(query: DevicesQuery, signal: AbortSignal): Promise<StoredDevice[]> {
    return this.#reader.collect(this.#ending(signal), (run) => readDevices(query, run));
  }

  async device(query: DeviceQuery, signal: AbortSignal): Promise<StoredDevice | null> {
    return this.#reader.collect(this.#ending(signal), (run) => readDevice(query, run));
  }

  probe(): Promise<void> {
    return this.#health.probe();
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

  /** Asks for a read and for a write without points, so that a refused token or a missing bucket shows. */
  async #probe(): Promise<void> {
    await this.#transport.probeWrite(PROBE_TIMEOUT_MS);
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
