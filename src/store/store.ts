import type { StoreKind } from '../config/index.ts';
import type {
  AggregateFunction,
  AnswerBatch,
  AnswerColumn,
  ColumnBatch,
  Measurement,
  RowKey,
} from '../core/index.ts';

export { FUNCTIONS } from '../core/index.ts';
export type { AggregateFunction, RowKey } from '../core/index.ts';

/** A frame with points that were refused for good; what it takes to make its dead letter again. */
export interface RefusedFrame {
  /** Position of the frame in the journal. */
  position: number;
  /** Points of it that were refused. */
  readings: number;
  code: string;
  message: string;
}

/**
 * Where in the journal a store's contents end: every frame before `position` of this epoch is written, apart from
 * the refused frames of the last write, which stand here for the case that the process dies before the
 * journal has them as dead letters.
 */
export interface StorePosition {
  epoch: string;
  position: number;
  refused: readonly RefusedFrame[];
}

/** A point that the store refused for good. `row` is its row in `batch`. */
export interface RefusedPoint {
  batch: ColumnBatch;
  row: number;
  message: string;
}

/**
 * What a read saw: all frames before `position`. When `exact` it saw nothing after it; otherwise rows of
 * frames written during the read may be among those returned.
 */
export interface View {
  position: number;
  /** Epoch of the journal whose frames the position counts; null before the first write, and where the view is not exact. */
  epoch: string | null;
  exact: boolean;
  /** Where not exact: no frame at or behind this position is among the rows. Read it after the last chunk. */
  upper?: number;
}

/** Rows to choose: empty lists choose all. Times are [fromNs, toNs). Tags by name, any of the values. */
export interface Selection {
  measurement: Measurement;
  /** Names of fields; all of them when empty. */
  fields: readonly string[];
  devices: readonly string[];
  tags: Readonly<Record<string, readonly string[]>>;
  fromNs: bigint;
  toNs: bigint;
}

/**
 * Raw rows ordered by time, then device, then the tags in the measurement's order (null first); `desc`
 * is the exact reverse. `after` goes on behind a row.
 */
export interface RowsQuery extends Selection {
  order: 'asc' | 'desc';
  limit: number | null;
  after: RowsAfter | null;
}

/**
 * A row to go on behind: that of `key` at `timeNs`, there or not; where the key is null, past `skip` rows of that time.
 * The time of an aggregate's row is the start of its bucket.
 */
export interface RowsAfter {
  timeNs: bigint;
  key: RowKey | null;
  skip: number;
}

/** One output column of an aggregate: a function over a field, under the name that the answer shows. */
export interface AggregateColumn {
  field: string;
  fn: AggregateFunction;
  name: string;
}

/** Aggregates by time bucket (aligned to the epoch; none: one bucket at fromNs) and by `group`. */
export interface AggregateQuery extends Selection {
  aggregates: readonly AggregateColumn[];
  everyNs: bigint | null;
  /** `device` or tag names; empty merges all series. */
  group: readonly string[];
  order: 'asc' | 'desc';
  limit: number | null;
  /** Rows of its bucket and time range alone: those of earlier buckets must be left out by the range. */
  after: RowsAfter | null;
}

/**
 * An answer. `columns` for rows: time, device, tags, fields; for aggregates: time, group, aggregates; for
 * latest: time, device, tags, fields. They are told here alone, with their types, and whoever writes the answer goes
 * by them. Rows come in batches of columns; leaving the iteration early frees what it holds.
 */
export interface Answer {
  columns: readonly AnswerColumn[];
  /** Known before the rows when exact, else read it after the last chunk. */
  view(): View;
  chunks: AsyncIterable<AnswerBatch>;
}

/** A device as the store knows it, by the rows' own times. */
export interface StoredDevice {
  device: string;
  firstSeenNs: bigint;
  lastSeenNs: bigint;
  measurements: readonly string[];
}

/**
 * Devices with rows of these measurements. The store may hold others: those of other programs, of which nothing is
 * told.
 */
export interface DevicesQuery {
  measurements: readonly Measurement[];
  /** Only ids behind it; null for all. */
  after: string | null;
  limit: number;
}

export interface DeviceQuery {
  measurements: readonly Measurement[];
  device: string;
}

export interface StoreState {
  state: 'up' | 'down';
  /** Why it is down, for people. */
  reason: string | null;
}

/** What a store promises beyond its methods: whoever has to treat stores differently asks for this, never for a name. */
export interface StoreTraits {
  /**
   * It keeps its position in the transaction of the points. Where it does not, the journal alone says where its contents
   * end, and what the journal has settled is taken to be in it.
   */
  keepsPosition: boolean;
  /**
   * How long one of its calls may take, in milliseconds; the process that runs a longer one hangs and is ended. Null
   * where each call has a limit of its own, and many of them together may be right.
   */
  longestCallMs: number | null;
  /** It may drop its oldest points by a retention that others set: what is older than all that it has is not lost. */
  dropsOldPoints: boolean;
}

/**
 * Where points live for good. Writing the same series (measurement, device, tags) and time again
 * overwrites the fields that are present and keeps the others: the last write wins, field by field.
 */
export interface Store {
  /** Its name, for people. */
  readonly kind: StoreKind;
  readonly traits: StoreTraits;
  /**
   * Writes points, in order, and with them the position, in one transaction where the store has them.
   * `position.refused` are frames that the caller could not turn into points; a store that remembers its position adds
   * to them those that it refuses itself.
   * Resolves with points that the store refused for good. Rejects with `store_unavailable` when it may work
   * later; then nothing is known of the batch and the caller writes it again. Rejects with `store_refused` when it
   * works and would refuse the same batch again: the caller finds the frame that is at fault.
   */
  write(batches: readonly ColumnBatch[], position: StorePosition): Promise<RefusedPoint[]>;
  /** What the store itself remembers; null when it keeps none (StoreTraits.keepsPosition) or none is stored yet. */
  position(): StorePosition | null;
  /** Tells a store that keeps no position of its own where the settled contents end (journal progress). */
  setPosition(position: StorePosition): void;

  rows(query: RowsQuery, signal: AbortSignal): Promise<Answer>;
  aggregate(query: AggregateQuery, signal: AbortSignal): Promise<Answer>;
  /** One row per device: its newest time and the newest value of each tag and field. Ordered by device. */
  latest(
    selection: Pick<Selection, 'measurement' | 'fields' | 'devices' | 'tags'>,
    signal: AbortSignal,
  ): Promise<Answer>;
  /** Devices in order of id. */
  devices(query: DevicesQuery, signal: AbortSignal): Promise<StoredDevice[]>;
  device(query: DeviceQuery, signal: AbortSignal): Promise<StoredDevice | null>;

  state(): StoreState;
  /** Asks whether the store takes writes now, with as little work as can be; rejects with `store_unavailable`. */
  probe(): Promise<void>;
  close(): Promise<void>;
}
