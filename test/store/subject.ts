import { afterAll, beforeAll, expect } from '@jest/globals';
import { rowsOfBatch, type Cell, type ColumnBatch, type Measurement } from '../../src/core/index.ts';
import type {
  AggregateQuery,
  Answer,
  RefusedPoint,
  RowsQuery,
  Selection,
  Store,
  StoredDevice,
} from '../../src/store/index.ts';
import { BASE_NS, batchOf, SECOND_NS, type Point, type Shape } from './points.ts';

export interface OpenedStore {
  store: Store;
  close: () => Promise<void>;
}

/** A range around all times of the tests. */
export const ALL_TIMES = { fromNs: BASE_NS - 1_000_000n * SECOND_NS, toNs: BASE_NS + 1_000_000n * SECOND_NS };

/** The store under test, opened once for a whole suite: its tests keep apart by measurement and device names. */
export class Subject {
  #opened: OpenedStore | null = null;
  #position = 0;
  readonly #written = new Map<string, Measurement>();

  constructor(open: () => Promise<OpenedStore>) {
    beforeAll(async () => {
      this.#opened = await open();
    });
    afterAll(() => this.#opened?.close());
  }

  get store(): Store {
    if (this.#opened === null) throw new Error('the store is not open yet');
    return this.#opened.store;
  }

  /** Writes each list of points as one batch, all in one write. */
  async write(shape: Shape, ...batches: (readonly Point[])[]): Promise<RefusedPoint[]> {
    return this.writeColumns(
      shape.measurement,
      batches.map((points) => batchOf(shape, points)),
    );
  }

  /** Writes batches of one measurement. */
  async writeColumns(measurement: Measurement, batches: readonly ColumnBatch[]): Promise<RefusedPoint[]> {
    this.#position += 1;
    const known = this.#written.get(measurement.name)?.fields ?? [];
    const fields = new Map([...known, ...measurement.fields].map((field) => [field.name, field]));
    this.#written.set(measurement.name, { ...measurement, fields: [...fields.values()] });
    const position = { epoch: 'suite', position: this.#position, refused: [] };
    const refused = await this.store.write(batches, position);
    this.store.setPosition(position);
    return refused;
  }

  /** Every measurement that was written, with all of its fields. */
  get measurements(): readonly Measurement[] {
    return [...this.#written.values()];
  }

  devices(after: string | null, limit: number): Promise<StoredDevice[]> {
    return this.store.devices({ measurements: this.measurements, after, limit }, neverAborted());
  }

  device(device: string): Promise<StoredDevice | null> {
    return this.store.device({ measurements: this.measurements, device }, neverAborted());
  }

  async rows(measurement: Measurement, query: Partial<RowsQuery> = {}): Promise<Cell[][]> {
    return cellsOf(await this.store.rows(rowsQuery(measurement, query), neverAborted()));
  }

  async aggregate(
    measurement: Measurement,
    query: Partial<AggregateQuery> & Pick<AggregateQuery, 'aggregates'>,
  ): Promise<Cell[][]> {
    return cellsOf(await this.store.aggregate(aggregateQuery(measurement, query), neverAborted()));
  }
}

function wholeSelection(measurement: Measurement): Selection {
  return { measurement, fields: [], devices: [], tags: {}, ...ALL_TIMES };
}

export function rowsQuery(measurement: Measurement, query: Partial<RowsQuery> = {}): RowsQuery {
  return {
    ...wholeSelection(measurement),
    order: 'asc',
    limit: null,
    after: null,
    ...query,
  };
}

export function aggregateQuery(
  measurement: Measurement,
  query: Partial<AggregateQuery> & Pick<AggregateQuery, 'aggregates'>,
): AggregateQuery {
  return {
    ...wholeSelection(measurement),
    everyNs: null,
    group: [],
    order: 'asc',
    limit: null,
    after: null,
    ...query,
  };
}

export function neverAborted(): AbortSignal {
  return new AbortController().signal;
}

export async function cellsOf(answer: Answer): Promise<Cell[][]> {
  const rows: Cell[][] = [];
  for await (const batch of answer.chunks) rows.push(...rowsOfBatch(batch));
  return rows;
}

export function namesOf(answer: Answer): string[] {
  return answer.columns.map(({ name }) => name);
}

/** Compares exactly, -0 apart from 0; on failure shows the first row that differs instead of thousands. */
export function expectRows(actual: readonly Cell[][], expected: readonly Cell[][]): void {
  const differs = expected.findIndex((row, i) => !sameCells(actual[i] ?? [], row));
  if (differs >= 0)
    expect({ index: differs, row: actual[differs] }).toEqual({ index: differs, row: expected[differs] });
  expect(actual.length).toBe(expected.length);
}

function sameCells(a: readonly Cell[], b: readonly Cell[]): boolean {
  return a.length === b.length && a.every((cell, i) => Object.is(cell, b[i]));
}
