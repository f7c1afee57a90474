/**
 * Answers of rows out of DuckDB: JSON pages and a CSV stream as /v1/query makes them, beside the same rows read by the
 * same statement through DuckDB's own package. `npm run build`, then
 * `node bench/answers.mjs [--quick] [--runs 5] [--rows N] [--write]`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { createApi } from '../dist/src/api/index.js';
import { ColumnBatch, LIMITS } from '../dist/src/core/index.js';
import { openDuckDbStore } from '../dist/src/store/index.js';
import { count, flag, ratio, report, spread } from './report.mjs';

const quick = process.argv.includes('--quick');
const runs = Number(flag('runs', quick ? 2 : 5));
const rows = Number(flag('rows', quick ? 100_000 : 1_000_000));
const pages = quick ? 5 : 20;
const PAGE_ROWS = LIMITS.queryDefaultRows;
const BATCH_ROWS = 50_000;
const DEVICES = 500;
const NS_PER_MS = 1_000_000n;
const FROM_NS = BigInt(Date.UTC(2026, 0, 1)) * NS_PER_MS;

const column = (name, type, role = 'field', float32 = false) => ({
  name,
  role,
  type,
  float32,
  unit: null,
  doc: null,
});
const tags = [column('site', 'string', 'tag'), column('room', 'string', 'tag')];
const fields = [
  column('temperature', 'float', 'field', true),
  column('humidity', 'float', 'field', true),
  column('co2', 'float'),
  column('count', 'integer'),
  column('on', 'boolean'),
];
const measurement = { name: 'climate', doc: null, tags, fields, subjects: ['climate'] };

/** A reading of each device per second, with a value missing here and there. */
function batchOf(first) {
  const batch = new ColumnBatch({ measurement: 'climate', doc: null, columns: [...tags, ...fields] });
  const length = Math.min(BATCH_ROWS, rows - first);
  batch.reserve(length);
  for (let row = 0; row < length; row++) {
    const i = first + row;
    const device = i % DEVICES;
    batch.timeNs[row] = FROM_NS + BigInt(Math.floor(i / DEVICES) * 1000 + (device % 7)) * NS_PER_MS;
    batch.device[row] = `device-${String(device).padStart(5, '0')}`;
    const [site, room, temperature, humidity, co2, counted, on] = batch.columns;
    site.values[row] = `site-${device % 10}`;
    room.values[row] = device % 9 === 0 ? null : `a room with the number ${device % 100}`;
    temperature.values[row] = Math.fround(20 + Math.round(Math.sin(i) * 100) / 10);
    humidity.values[row] = i % 11 === 0 ? NaN : Math.fround(50 + Math.round(Math.cos(i) * 200) / 10);
    co2.values[row] = 400 + ((i * 7919) % 100_003) / 97;
    counted.values[row] = BigInt(i);
    counted.present[row] = 1;
    on.values[row] = i % 2;
  }
  batch.rows = length;
  return batch;
}

/** A body, whole or in pieces. */
async function bytesOf(body) {
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body);
  const pieces = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

function neverAborted() {
  return new AbortController().signal;
}

function exchange(query) {
  return {
    method: 'GET',
    path: '/v1/query',
    query: `measurement=climate&from=2025-12-31T00:00:00Z&to=2027-01-01T00:00:00Z${query}`,
    header: () => undefined,
    signal: neverAborted(),
  };
}

const folder = mkdtempSync(join(tmpdir(), 'millrace-answers-'));
const path = join(folder, 'points.duckdb');
try {
  /** @type {import('../dist/src/store/store.js').Store} */
  const store = await openDuckDbStore({ path });
  for (let first = 0; first < rows; first += BATCH_ROWS) {
    await store.write([batchOf(first)], { epoch: 'e', position: first + BATCH_ROWS, refused: [] });
  }
  const handle = createApi({
    journal: { epoch: 'e', settledPosition: () => rows },
    registry: { measurement: () => measurement },
    store,
    clock: { nowMs: () => Date.now() },
    version: '0',
    queryTimeoutMs: 600_000,
  });

  const ofPages = [];
  const ofStreams = [];
  for (let run = 0; run <= runs; run++) {
    const startMs = performance.now();
    let cursor = '';
    for (let page = 0; page < pages; page++) {
      const answer = await handle(exchange(cursor));
      if (answer.status !== 200) throw new Error(answer.body);
      const body = await bytesOf(answer.body);
      const foot = body.subarray(-2_000).toString();
      cursor = `&cursor=${/"cursor":"([^"]+)"/.exec(foot)?.[1] ?? ''}`;
    }
    const middleMs = performance.now();
    const answer = await handle(exchange('&format=csv'));
    let lines = -1;
    for await (const part of answer.body)
      lines += Buffer.from(part).reduce((n, byte) => n + (byte === 10), 0);
    if (lines !== rows) throw new Error(`the stream had ${lines} rows of ${rows}`);
    const endMs = performance.now();
    if (run === 0) continue;
    ofPages.push((pages * PAGE_ROWS) / ((middleMs - startMs) / 1000));
    ofStreams.push(rows / ((endMs - middleMs) / 1000));
  }
  await store.close();

  const instance = await DuckDBInstance.create(path, { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  const found = await connection.runAndReadAll(
    "SELECT database_name, schema_name, table_name FROM duckdb_tables() WHERE table_name = 'climate'",
  );
  const table = found
    .getRows()[0]
    .map((name) => `"${String(name)}"`)
    .join('.');
  const names = ['device', ...tags, ...fields].map((each) => `"${each.name ?? each}"`);
  const all =
    `SELECT epoch_ns("time"), ${names.join(', ')} FROM ${table} ORDER BY "time", "device", ` +
    `"site" NULLS FIRST, "room" NULLS FIRST`;
  /** Rows per second of a statement, each row an array as the package makes it. */
  const bare = async (statement) => {
    const startMs = performance.now();
    const result = await connection.stream(statement);
    let read = 0;
    for (let chunk = await result.fetchChunk(); chunk !== null && chunk.rowCount > 0;) {
      read += chunk.getRows().length;
      chunk = await result.fetchChunk();
    }
    return [read, performance.now() - startMs];
  };
  const barePages = [];
  const bareStreams = [];
  for (let run = 0; run <= runs; run++) {
    let read = 0;
    let ms = 0;
    for (let page = 0; page < pages; page++) {
      const [more, tookMs] = await bare(`${all} LIMIT ${PAGE_ROWS + 1} OFFSET ${page * PAGE_ROWS}`);
      read += more;
      ms += tookMs;
    }
    const [streamed, streamedMs] = await bare(all);
    if (run === 0) continue;
    barePages.push(read / (ms / 1000));
    bareStreams.push(streamed / (streamedMs / 1000));
  }
  connection.disconnectSync();
  instance.closeSync();

  const pairs = [
    [`JSON pages of ${count(PAGE_ROWS)} rows`, ofPages, barePages],
    [`CSV stream of ${count(rows)} rows`, ofStreams, bareStreams],
  ].map(([what, ours, theirs]) => ({ what, ours: spread(ours), theirs: spread(theirs) }));
  report({
    name: 'answers',
    title: 'Answers of rows from DuckDB',
    command: 'node bench/answers.mjs',
    columns: ['', 'rows/s', "rows/s of the package's rows", 'ratio'],
    rows: pairs.map(({ what, ours, theirs }) => [
      what,
      count(ours.median),
      count(theirs.median),
      ratio(ours.median / theirs.median),
    ]),
    notes: [
      'Beside it the same statement through DuckDB’s own package, each row made an array, nothing written.',
    ],
    data: { runs, rows, pairs },
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
