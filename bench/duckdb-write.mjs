/**
 * The way into DuckDB: columns into the store, frames into the store, and frames through the whole server until a count
 * query sees all, beside the bare appender with chunks that were filled beforehand, into the same table with commits
 * after as many rows, in the same run. `npm run build`, then
 * `node bench/duckdb-write.mjs [--quick] [--runs 5] [--rounds N] [--end-rounds N] [--rows N]
 * [--shape-rows N] [--write]`.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BOOLEAN,
  DOUBLE,
  DuckDBDataChunk,
  DuckDBInstance,
  DuckDBTimestampNanosecondsValue,
  TIMESTAMP_NS,
  VARCHAR,
} from '@duckdb/node-api';
import { compileSchema, SINGLE_OBJECT_HEADER_BYTES } from '../dist/src/codec/index.js';
import { ColumnBatch, LIMITS } from '../dist/src/core/index.js';
import { openDuckDbStore } from '../dist/src/store/index.js';
import { Environment, schemaText } from './environment.mjs';
import { endToEnd } from './end-to-end.mjs';
import { startGateway } from './gateway.mjs';
import { atLeast, count, flag, ratio, report, spread } from './report.mjs';
import { measureShapes } from './series-shapes.mjs';

const quick = process.argv.includes('--quick');
const runs = Number(flag('runs', quick ? 2 : 5));
/** Frames of each device in one run. */
const rounds = Number(flag('rounds', quick ? 15 : 30));
/** End to end, where the first batches and the last, which waits for more, must weigh little. */
const endRounds = Number(flag('end-rounds', quick ? 20 : rounds));
const DEVICES = Number(flag('devices', 1_000));
const READINGS = 100;
/** Rows of one transaction, as the writer gathers them under load. */
const batchRows = Number(flag('rows', LIMITS.storeBatchRows));
/** Of one write of each shape of series. */
const shapeRows = Number(flag('shape-rows', quick ? 50_000 : batchRows));
const CHUNK_ROWS = 2_048;
const TARGET = 0.7;
/** Of two series that take turns, by one. */
const SHAPE_TARGET = 0.7;

const schema = compileSchema(schemaText);

function decodeInto(batch, { device, bytes }, position) {
  schema.decode(bytes, SINGLE_OBJECT_HEADER_BYTES, bytes.length, batch, device, 0, position);
}

/** Batches as the writer makes them; it fills the memory of one again when the store has it. */
function* batchesOf(frames, again = null) {
  let batch = again ?? new ColumnBatch(schema.mapping);
  batch.clear();
  for (const [position, frame] of frames.entries()) {
    decodeInto(batch, frame, position);
    if (batch.rows < batchRows) continue;
    yield batch;
    batch = again ?? new ColumnBatch(schema.mapping);
    if (again !== null) batch.clear();
  }
  if (batch.rows > 0) yield batch;
}

/** The rows of a batch in DuckDB's own chunks. */
function chunksOf(batch) {
  const chunks = [];
  for (let from = 0; from < batch.rows; from += CHUNK_ROWS) {
    const rows = Math.min(CHUNK_ROWS, batch.rows - from);
    const chunk = DuckDBDataChunk.create(
      [TIMESTAMP_NS, VARCHAR, ...batch.columns.map(({ type }) => (type === 'boolean' ? BOOLEAN : DOUBLE))],
      rows,
    );
    const column = (value) => Array.from({ length: rows }, (_, i) => value(from + i));
    chunk.setColumns([
      column((row) => new DuckDBTimestampNanosecondsValue(batch.timeNs[row])),
      column((row) => batch.device[row]),
      ...batch.columns.map((_, index) => column((row) => batch.cell(index, row))),
    ]);
    chunks.push(chunk);
  }
  return { rows: batch.rows, chunks };
}

/** The least that stores durably: a table, an appender, a transaction for each batch. */
class BareAppender {
  #instance;
  #connection;

  static async open(dir) {
    const bare = new BareAppender();
    bare.#instance = await DuckDBInstance.create(':memory:', { memory_limit: '1024MB', threads: '2' });
    bare.#connection = await bare.#instance.connect();
    const columns = schema.mapping.columns.map(
      ({ name, type }) => `"${name}" ${type === 'boolean' ? 'BOOLEAN' : 'DOUBLE'}`,
    );
    await bare.#connection.run(`ATTACH '${join(dir, 'bare.duckdb')}' AS bare`);
    await bare.#connection.run(
      `CREATE TABLE bare.points ("time" TIMESTAMP_NS NOT NULL, "device" VARCHAR NOT NULL, ${columns.join(', ')})`,
    );
    return bare;
  }

  async write(batches) {
    let rows = 0;
    for (const batch of batches) {
      await this.#connection.run('BEGIN TRANSACTION');
      const appender = await this.#connection.createAppender('points', 'main', 'bare');
      for (const chunk of batch.chunks) appender.appendDataChunk(chunk);
      appender.closeSync();
      await this.#connection.run('COMMIT');
      rows += batch.rows;
    }
    return rows;
  }

  close() {
    this.#connection.disconnectSync();
    this.#instance.closeSync();
  }
}

let position = 0;
async function store(into, batches) {
  let rows = 0;
  for (const batch of batches) {
    const refused = await into.write([batch], { epoch: 'bench', position: ++position, refused: [] });
    if (refused.length > 0) throw new Error(refused[0].message);
    rows += batch.rows;
  }
  return rows;
}

async function closeStore(from) {
  await from.close();
}

/** Rows per second and CPU seconds per million rows of `work`, which tells the rows. */
async function measured(work) {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const rows = await work();
  const elapsedS = (performance.now() - begin) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { rowsPerS: rows / elapsedS, cpuS: ((user + system) / 1e6) * (1e6 / rows) };
}

const dir = mkdtempSync(join(tmpdir(), 'millrace-duckdb-write-'));
const path = (name) => {
  mkdirSync(join(dir, name));
  return join(dir, name);
};
const again = new ColumnBatch(schema.mapping);
/** `pair`: the bare appender just before each run end to end. */
const results = { bare: [], columns: [], frames: [], pair: [], server: [] };
const environment = new Environment(DEVICES);
const bare = await BareAppender.open(path('bare'));
const points = await openDuckDbStore({ path: join(path('store'), 'points.duckdb') });
let chunks = [];
for (let run = -1; run < runs; run++) {
  const note = (kind, result) => run >= 0 && results[kind].push(result);
  const columns = [...batchesOf(environment.frames(rounds, READINGS))];
  chunks = columns.map(chunksOf);
  note('bare', await measured(() => bare.write(chunks)));
  note('columns', await measured(() => store(points, columns)));
  const frames = environment.frames(rounds, READINGS);
  note('frames', await measured(() => store(points, batchesOf(frames, again))));
}
await closeStore(points);
const shapes = await measureShapes(path('shapes'), shapeRows, runs);

const gateway = await startGateway({ MILLRACE_DATA_DIR: path('server'), ...JSON.parse(flag('env', '{}')) });
try {
  let startMs = Date.now() - 30 * 86_400_000;
  for (let run = -1; run < runs; run++) {
    const pair = await measured(() => bare.write(chunks));
    const result = await endToEnd(gateway, {
      devices: DEVICES,
      // The first run warms up.
      rounds: run < 0 ? Math.min(endRounds, 5) : endRounds,
      readings: READINGS,
      startMs,
    });
    if (run >= 0) results.pair.push(pair);
    if (run >= 0) results.server.push(result);
    // A gap, so that the count of one run meets no row of another.
    startMs += endRounds * READINGS * 1_000 + 3_600_000;
  }
} finally {
  await gateway.kill();
  bare.close();
  rmSync(dir, { recursive: true, force: true });
}

const of = (kind, key) => spread(results[kind].map((result) => result[key]));
const cells = ({ min, median: middle, max }, form) => [min, middle, max].map(form);
/** End to end by the bare run just before it; the others by their turn. */
const ratioOf = (kind) =>
  spread(
    results[kind].map(
      ({ rowsPerS }, i) => rowsPerS / results[kind === 'server' ? 'pair' : 'bare'][i].rowsPerS,
    ),
  ).median;
const line = (title, kind) => [
  title,
  ...cells(of(kind, 'rowsPerS'), count),
  ratio(ratioOf(kind)),
  ratio(of(kind, 'cpuS').median),
];
const data = {
  runs,
  rowsPerTransaction: batchRows,
  bareRowsPerS: of('bare', 'rowsPerS'),
  columnsRowsPerS: of('columns', 'rowsPerS'),
  framesRowsPerS: of('frames', 'rowsPerS'),
  endToEndRowsPerS: of('server', 'rowsPerS'),
  endToEndAckedPerS: of('server', 'ackedPerS'),
  columnsRatio: ratioOf('columns'),
  framesRatio: ratioOf('frames'),
  endToEndRatio: ratioOf('server'),
  bareCpuSPerMillion: of('bare', 'cpuS'),
  endToEndCpuSPerMillion: of('server', 'cpuS'),
  shapes,
};
report({
  name: 'duckdb-write',
  title: 'Into DuckDB, rows per second',
  command: `node bench/duckdb-write.mjs${quick ? ' --quick' : ''}`,
  columns: ['measured', 'min', 'median', 'max', 'ratio', 'CPU s per million'],
  rows: [
    line('bare appender, chunks filled beforehand', 'bare'),
    line('store, decoded columns', 'columns'),
    line('decode and store', 'frames'),
    [
      'bare appender, before each of the next',
      ...cells(of('pair', 'rowsPerS'), count),
      ratio(1),
      ratio(of('pair', 'cpuS').median),
    ],
    line('end to end, until a count query sees all', 'server'),
  ],
  notes: [
    `Environment readings of ${count(DEVICES)} devices in frames of ${READINGS}; ${count(rounds * DEVICES * READINGS)} rows a run, ${count(endRounds * DEVICES * READINGS)} end to end after a run to warm up, a transaction for each ${count(batchRows)} of the bare appender's and the store's. End to end the sending processes share the machine.`,
    `One device whose readings have a tag of changing values, stored beside the same with one value: ${Object.entries(
      shapes,
    )
      .map(([shape, { min, median, max }]) => `${shape} ${[min, median, max].map(ratio).join(' / ')}`)
      .join(', ')} (min / median / max of the rate).`,
  ],
  targets: [
    atLeast('end to end into DuckDB, of the bare appender', data.endToEndRatio, TARGET),
    atLeast('two series in turn, of one', shapes['two in turn'].median, SHAPE_TARGET),
  ],
  data,
});
