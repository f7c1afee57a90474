import { DEVICE_COLUMN, TIME_COLUMN, batchOfRows, type Measurement } from '../../src/core/index.ts';
import type { AnswerRequest, ReadableStore } from '../../src/answers/index.ts';

const MEASUREMENT: Measurement = { name: 'meter', doc: null, tags: [], fields: [], subjects: [] };

/** A store whose answers have so many batches of so many rows each, and that counts the reads that are open. */
export function countingStore(batches: number, rowsOfBatch: number) {
  const state = { open: 0, opened: 0 };
  const columns = [TIME_COLUMN, DEVICE_COLUMN];
  async function* chunks() {
    state.open++;
    state.opened++;
    try {
      for (let batch = 0; batch < batches; batch++) {
        const rows = Array.from({ length: rowsOfBatch }, (_, row) => [
          BigInt(batch * rowsOfBatch + row),
          `device-${(row * 7_919) % 1_000}`,
        ]);
        yield batchOfRows(columns, rows);
      }
    } finally {
      state.open--;
    }
  }
  const answer = () =>
    Promise.resolve({
      columns,
      view: () => ({ position: 9, epoch: 'e', exact: true }),
      chunks: chunks(),
    });
  const store: ReadableStore = { rows: answer, aggregate: answer, latest: answer };
  return { state, store };
}

/** A request for raw rows of everything. */
export function rowsRequest(change: Partial<AnswerRequest> = {}): AnswerRequest {
  return {
    plan: {
      kind: 'rows',
      query: {
        measurement: MEASUREMENT,
        fields: [],
        devices: [],
        tags: {},
        fromNs: 0n,
        toNs: 1n,
        order: 'asc',
      },
    },
    form: 'csv',
    encoding: 'identity',
    limit: null,
    pages: { binding: 'b', from: null },
    journal: { epoch: 'e', settled: 0 },
    timeoutMs: 60_000,
    ...change,
  };
}
