/**
 * Reads of a DuckDB store at size, beside the same question as SQL straight in DuckDB's own package on the same file, in
 * turn in the same run; answers over HTTP beside DuckDB's own COPY of the same rows. `npm run build`, then
 * `node bench/reads.mjs [--rows 3000000] [--devices 200] [--days 7] [--runs 5] [--write]`.
 */
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { LIMITS } from '../dist/src/core/index.js';
import { processesOf, rssBytes, startGateway } from './gateway.mjs';
import { deviceName, measurement, ReadStore } from './read-store.mjs';
import { atLeast, atMost, count, flag, megabytes, ratio, report, spread } from './report.mjs';

const rows = Number(flag('rows', 3_000_000));
const devices = Number(flag('devices', 200));
const days = Number(flag('days', 7));
const runs = Number(flag('runs', 5));
const PAGE_ROWS = LIMITS.queryDefaultRows;
/** Takes turns between the store and the bare engine so often, as one file is open in one of them only. */
const TURNS = Number(flag('turns', 3));
const NS_PER_MS = 1_000_000n;
const HOUR_MS = 3_600_000;

const dir = mkdtempSync(join(tmpdir(), 'millrace-reads-'));
mkdirSync(join(dir, 'data'));
const source = new ReadStore({ path: join(dir, 'data', 'points.duckdb'), rows, devices, days });
const { fromMs, toMs } = source;
const middleMs = Math.floor((fromMs + toMs) / 2);
const device = deviceName(Math.floor(devices / 2));
const ns = (ms) => BigInt(ms) * NS_PER_MS;
const neverAborted = () => new AbortController().signal;

async function drain(answer) {
  let read = 0;
  for await (const batch of (await answer).chunks) read += batch.rows;
  return read;
}

const selection = (more = {}) => ({
  ...{ measurement, fields: [], devices: [], tags: {}, fromNs: ns(fromMs), toNs: ns(toMs + HOUR_MS) },
  ...more,
});
const rowsOf = (more) => (store) =>
  drain(store.rows({ ...selection(), order: 'asc', limit: null, after: null, ...more }, neverAborted()));
const aggregateOf = (more) => (store) =>
  drain(
    store.aggregate(
      { ...selection(), everyNs: null, group: [], order: 'asc', limit: null, after: null, ...more },
      neverAborted(),
    ),
  );
/** A page behind a row at this time, with the row more that tells whether there are others. */
const pageOf = (ms, more = {}) =>
  rowsOf({ limit: PAGE_ROWS + 1, after: { timeNs: ns(ms), key: null, skip: 0 }, ...more });

const TABLE = 'bench.points.environment';
const FIELDS = measurement.fields.map(({ name }) => `"${name}"`).join(', ');
const RAW = `SELECT epoch_ns("time"), device, ${FIELDS} FROM ${TABLE}`;
const at = (ms) => `make_timestamp_ns(${ns(ms)})`;
const between = (from, to) => `"time" >= ${at(from)} AND "time" < ${at(to)}`;
const pageMs = Math.ceil(((PAGE_ROWS * 1.05) / devices) * source.stepMs);
const LATEST = `SELECT epoch_ns(max("time")), device, ${measurement.fields
  .map(({ name }) => `arg_max("${name}", "time")`)
  .join(', ')} FROM ${TABLE} GROUP BY device ORDER BY device`;

function pageQuestion(what, ours, where, direction = 'ASC') {
  const order = `ORDER BY "time" ${direction}, device ${direction}`;
  const sql = `${RAW} WHERE ${where} ${order} LIMIT ${PAGE_ROWS + 1}`;
  return { what: `${what} of ${count(PAGE_ROWS)}`, ours, sql, mostRatio: 1.5 };
}

/** Each question: through the store, as SQL, and what the ratio may be. A page's SQL has both bounds of time, made by hand. */
const QUESTIONS = [
  {
    what: `latest of ${count(devices)} devices`,
    ours: (store) => drain(store.latest(selection(), neverAborted())),
    sql: LATEST,
    mostRatio: 1.3,
  },
  {
    what: 'count of all',
    ours: aggregateOf({ aggregates: [{ field: 'temperature', fn: 'count', name: 'temperature' }] }),
    sql: `SELECT count(temperature) FROM ${TABLE}`,
  },
  {
    what: 'mean of all by hour',
    ours: aggregateOf({
      everyNs: ns(HOUR_MS),
      aggregates: [{ field: 'temperature', fn: 'mean', name: 'temperature' }],
    }),
    sql: `SELECT epoch_ns("time") // ${ns(HOUR_MS)} AS b, favg(temperature) FROM ${TABLE} GROUP BY b ORDER BY b`,
    mostRatio: 1.3,
  },
  {
    what: 'mean by hour, one device',
    ours: aggregateOf({
      devices: [device],
      everyNs: ns(HOUR_MS),
      aggregates: [{ field: 'temperature', fn: 'mean', name: 'temperature' }],
    }),
    sql: `SELECT epoch_ns("time") // ${ns(HOUR_MS)} AS b, favg(temperature) FROM ${TABLE} WHERE device = '${device}' GROUP BY b ORDER BY b`,
    mostRatio: 1.3,
  },
  {
    what: "one device's last hour",
    ours: rowsOf({ devices: [device], fromNs: ns(toMs - HOUR_MS) }),
    sql: `${RAW} WHERE "time" >= ${at(toMs - HOUR_MS)} AND device = '${device}' ORDER BY "time"`,
    mostRatio: 1.5,
  },
  {
    what: "one device's day",
    ours: rowsOf({ devices: [device], fromNs: ns(middleMs), toNs: ns(middleMs + 24 * HOUR_MS) }),
    sql: `${RAW} WHERE ${between(middleMs, middleMs + 24 * HOUR_MS)} AND device = '${device}' ORDER BY "time"`,
    mostRatio: 1.5,
  },
  pageQuestion('first page', pageOf(fromMs), between(fromMs, fromMs + pageMs)),
  pageQuestion('page in the middle', pageOf(middleMs), between(middleMs, middleMs + pageMs)),
  pageQuestion(
    'page in the middle, newest first',
    pageOf(middleMs, { order: 'desc' }),
    between(middleMs - pageMs, middleMs + 1),
    'DESC',
  ),
  pageQuestion(
    'page of one device',
    pageOf(fromMs, { devices: [device] }),
    `${between(fromMs, fromMs + pageMs * devices)} AND device = '${device}'`,
  ),
  {
    what: 'all rows, streamed',
    ours: rowsOf({}),
    sql: `${RAW} ORDER BY "time", device`,
    mostRatio: 1.5,
  },
];

async function timesOf(work) {
  await work();
  const times = [];
  for (let run = 0; run < runs; run++) {
    const begin = performance.now();
    await work();
    times.push(performance.now() - begin);
  }
  return times;
}

async function withBare(work) {
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: `${LIMITS.duckdbMemoryMb}MiB`,
    threads: String(LIMITS.duckdbThreads),
    temp_directory: join(dir, 'bare.tmp'),
  });
  const connection = await instance.connect();
  try {
    await connection.run(`ATTACH '${source.path}' AS bench (READ_ONLY)`);
    return await work(connection);
  } finally {
    await connection.run('DETACH bench');
    connection.disconnectSync();
    instance.closeSync();
  }
}

async function bareRows(connection, sql) {
  const result = await connection.stream(sql);
  for (let read = 0; ;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return read;
    read += chunk.rowCount;
  }
}

/** The latest values when the store has so many rows: what they cost must not depend on that. */
async function latestMs(store) {
  const [{ ours }] = QUESTIONS;
  return spread(await timesOf(() => ours(store))).median;
}

/** An answer over HTTP, its bytes thrown away: how long it took, how many they were, and the most memory of all processes. */
async function fetched(gateway, path) {
  const begin = performance.now();
  const response = await fetch(gateway.url + path);
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  let bytes = 0;
  let peakBytes = 0;
  let lookMs = 0;
  for await (const piece of response.body) {
    bytes += piece.length;
    if (performance.now() < lookMs) continue;
    lookMs = performance.now() + 100;
    peakBytes = Math.max(
      peakBytes,
      processesOf(gateway.pid).reduce((sum, pid) => sum + rssBytes(pid), 0),
    );
  }
  return { ms: performance.now() - begin, bytes, peakBytes };
}

try {
  const measured = QUESTIONS.map(() => ({ ours: [], bare: [] }));
  let store = await source.open();
  await source.fill(store, Math.floor(rows / 4));
  const fewMs = await latestMs(store);
  await source.fill(store, rows);
  const manyMs = await latestMs(store);
  await store.close();
  const bytesPerRow = statSync(source.path).size / source.rows;

  for (let turn = 0; turn < TURNS; turn++) {
    store = await source.open();
    for (const [i, { ours }] of QUESTIONS.entries())
      measured[i].ours.push(...(await timesOf(() => ours(store))));
    await store.close();
    await withBare(async (connection) => {
      for (const [i, { sql }] of QUESTIONS.entries()) {
        measured[i].bare.push(...(await timesOf(() => bareRows(connection, sql))));
      }
    });
  }

  const range = `measurement=environment&from=${fromMs}&to=${toMs + HOUR_MS}`;
  const gateway = await startGateway({ MILLRACE_DATA_DIR: join(dir, 'data') });
  const http = [];
  try {
    const day = `measurement=environment&from=${middleMs}&to=${middleMs + 24 * HOUR_MS}`;
    const csv = `(FORMAT csv, HEADER)`;
    for (const [what, path, where] of [
      ["one device's day as JSON", `${day}&device=${device}`, null],
      ['a day of all devices as CSV', `${day}&format=csv`, between(middleMs, middleMs + 24 * HOUR_MS)],
      ['all rows as CSV', `${range}&format=csv`, 'true'],
    ]) {
      const answers = [];
      for (let run = 0; run < TURNS; run++) answers.push(await fetched(gateway, `/v1/query?${path}`));
      http.push({
        what,
        ms: spread(answers.map(({ ms }) => ms)).median,
        mbPerS: spread(answers.map(({ ms, bytes }) => bytes / 1e6 / (ms / 1_000))).median,
        peakBytes: Math.max(...answers.map(({ peakBytes }) => peakBytes)),
        copy:
          where === null
            ? null
            : `COPY (${RAW} WHERE ${where} ORDER BY "time", device) TO '${join(dir, 'copy.csv')}' ${csv}`,
      });
    }
  } finally {
    await gateway.stop();
  }
  await withBare(async (connection) => {
    for (const each of http) {
      if (each.copy === null) continue;
      const times = [];
      for (let run = 0; run < TURNS; run++) {
        const begin = performance.now();
        await connection.run(each.copy);
        times.push(performance.now() - begin);
      }
      each.copyMs = spread(times).median;
    }
  });

  const results = QUESTIONS.map(({ what, mostRatio }, i) => {
    const ours = spread(measured[i].ours);
    const bare = spread(measured[i].bare);
    return { what, ours, bare, ratio: ours.median / bare.median, mostRatio };
  });
  const of = (what) => results.find((result) => result.what.startsWith(what));
  report({
    name: 'reads',
    title: 'Reads of a DuckDB store',
    command: `node bench/reads.mjs --rows ${rows} --devices ${devices} --days ${days}`,
    columns: ['question', 'p50, ms', 'the same in SQL, ms', 'ratio'],
    rows: [
      ...results.map(({ what, ours, bare, ratio: by }) => [
        what,
        ratio(ours.median),
        ratio(bare.median),
        ratio(by),
      ]),
      ...http.map(({ what, ms, mbPerS, copyMs }) => [
        `${what}, over HTTP, ${ratio(mbPerS)} MB/s`,
        ratio(ms),
        copyMs === undefined ? '' : ratio(copyMs),
        copyMs === undefined ? '' : ratio(ms / copyMs),
      ]),
    ],
    notes: [
      `${count(source.rows)} Environment rows of ${count(devices)} devices over ${ratio((toMs - fromMs) / 86_400_000)} days, ${ratio(bytesPerRow)} bytes a row on disk. Beside each question the same as SQL in DuckDB's own package, with as many threads and as much memory; a page's has both bounds of its times, which only who knows the rows can name. Over HTTP beside DuckDB's own COPY of the same rows into a file.`,
      `Latest: ${ratio(fewMs)} ms with a quarter of the rows, ${ratio(manyMs)} with all. All processes of the gateway at most: ${megabytes(Math.max(...http.map(({ peakBytes }) => peakBytes)))} MB.`,
    ],
    targets: [
      atMost(`latest of ${count(devices)} devices, ms`, of('latest').ours.median, 3),
      atMost('latest with all rows, by a quarter of them', manyMs / fewMs, 1.5),
      atMost('a page in the middle, ms', of('page in the middle').ours.median, 20),
      atMost(
        'a page in the middle, by the first',
        of('page in the middle').ours.median / of('first page').ours.median,
        1.5,
      ),
      ...results
        .filter(({ mostRatio }) => mostRatio !== undefined)
        .map(({ what, ratio: by, mostRatio }) => atMost(`${what}, by the same in SQL`, by, mostRatio)),
      ...http
        .filter(({ copyMs }) => copyMs !== undefined)
        .flatMap(({ what, ms, mbPerS, copyMs }) => [
          atLeast(`${what}, MB/s`, mbPerS, 100),
          atLeast(`${what}, of the rate of COPY`, copyMs / ms, 0.6),
        ]),
    ],
    data: {
      rows: source.rows,
      devices,
      days,
      bytesPerRow,
      latestQuarterMs: fewMs,
      latestAllMs: manyMs,
      results,
      http: http.map(({ what, ms, copyMs, mbPerS, peakBytes }) => ({ what, ms, copyMs, mbPerS, peakBytes })),
    },
  });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
