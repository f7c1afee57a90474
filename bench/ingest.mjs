/**
 * Frames received, checked, made durable and acknowledged per second, beside a bare receiver of the same messages, what
 * the disk takes of the same bytes, and the least program that acknowledges durably. `npm run build`, then
 * `node bench/ingest.mjs [--quick] [--runs 5] [--seconds 5] [--connections 1000] [--against FOLDER] [--edge node] [--env JSON] [--write]`,
 * where the folder has another version, built, which takes its turn in each round, as does the edge that is named, and
 * JSON has settings of the gateway.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bareFile, bareLmdb } from './disk.mjs';
import { startGateway } from './gateway.mjs';
import { load } from './generator.mjs';
import { atLeast, atMost, count, flag, ratio, report, spread } from './report.mjs';
import { environmentFrame } from './wire.mjs';

const quick = process.argv.includes('--quick');
const runs = Number(flag('runs', quick ? 1 : 5));
const seconds = Number(flag('seconds', quick ? 2 : 5));
const connections = Number(flag('connections', 1_000));
const against = flag('against', null);
/** Another edge of this version. */
const edge = flag('edge', null);
const env = JSON.parse(flag('env', '{}'));
/** Frames in flight per connection: enough to keep the disk busy, few enough to fit memory. */
const WINDOWS = { 1: 256, 100: 16 };
const TARGETS = { 1: 0.7, 100: 0.8 };
const OF_THE_FIRST_EDGE = 0.5;
const MAX_LOOP_DELAY_MS = 10;

const file = (name) => fileURLToPath(new URL(name, import.meta.url));

const loaded = (port, path, readings, windowFrames, onReady) =>
  load({ port, path, connections, readings, windowFrames, framesPerS: 0, seconds }, onReady);

async function reference(kind, readings) {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const child = fork(file('prototype.mjs'), [JSON.stringify({ kind, dir })]);
  const [{ port }] = await once(child, 'message');
  const result = await loaded(port, '/{device}', readings, kind === 'bare' ? 0 : WINDOWS[readings]);
  child.send('stop');
  const [own] = await once(child, 'message');
  await once(child, 'exit');
  rmSync(dir, { recursive: true, force: true });
  if (own.failed > 0) throw new Error(`${own.failed} frames failed the prototype's guard`);
  const frames = kind === 'bare' ? own.received : result.ackedInTime;
  return {
    framesPerS: frames / result.elapsedS,
    cpuS: own.cpuS,
    loadCpuS: result.cpuS,
    elapsedS: result.elapsedS,
  };
}

/** Blocks of such frames with nothing but the disk before them, into lmdb or into a file. */
async function disk(append, readings) {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const frame = environmentFrame(readings);
  const bytesPerS = await append(dir, seconds / 2, frame);
  rmSync(dir, { recursive: true, force: true });
  return { framesPerS: bytesPerS / frame.length };
}

async function product(readings, folder, more = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const gateway = await startGateway(
    { MILLRACE_DATA_DIR: dir, MILLRACE_JOURNAL_MAX_BYTES: '64GiB', ...env, ...more },
    folder,
  );
  try {
    const port = Number(new URL(gateway.url).port);
    // What it tells is since the look before: this one is when all devices are connected.
    const result = await loaded(port, '/v1/ingest?device={device}', readings, WINDOWS[readings], () =>
      loopDelayMs(gateway.url),
    );
    if (result.acked !== result.sent)
      throw new Error(`${result.sent - result.acked} frames were not acknowledged`);
    const { received, rejected, duplicates } = await gateway.json('/v1/ledger');
    if (received !== result.sent * readings || rejected + duplicates > 0)
      throw new Error('the ledger disagrees');
    return {
      framesPerS: result.ackedInTime / result.elapsedS,
      cpuS: gateway.cpuSeconds(),
      loadCpuS: result.cpuS,
      elapsedS: result.elapsedS,
      loopDelayMs: await loopDelayMs(gateway.url),
    };
  } finally {
    await gateway.kill();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Between two samples of the event loop: what is told holds it. */
const SAMPLE_EVERY_MS = 10;

/** How late the gateway's event loop got to what was due since the last look, at the 99th percentile. */
async function loopDelayMs(url) {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  const [, seconds] = /^millrace_nodejs_eventloop_lag_p99_seconds ([0-9.e-]+)$/m.exec(metrics);
  return Math.max(0, seconds * 1_000 - SAMPLE_EVERY_MS);
}

/** Middle of the ratios to what ran in the same round. */
const toOther = (of, other) => spread(of.map(({ framesPerS }, i) => framesPerS / other[i].framesPerS)).median;

const middleDelayMs = (of) => spread(of.map(({ loopDelayMs: ms }) => ms)).median;

const data = {};
const rows = [];
for (const readings of [100, 1]) {
  const kinds = {
    ...{ bare: [], file: [], lmdb: [], prototype: [], product: [] },
    ...(against === null ? {} : { against: [] }),
    ...(edge === null ? {} : { edge: [] }),
  };
  for (let run = quick ? 0 : -1; run < runs; run++) {
    const results = {
      bare: await reference('bare', readings),
      file: await disk(bareFile, readings),
      lmdb: await disk(bareLmdb, readings),
      prototype: await reference('prototype', readings),
      product: await product(readings),
      ...(against === null ? {} : { against: await product(readings, against) }),
      ...(edge === null ? {} : { edge: await product(readings, undefined, { MILLRACE_EDGE: edge }) }),
    };
    // The first round warms the disk and the caches up; the quick form does without.
    if (run >= 0) for (const kind of Object.keys(kinds)) kinds[kind].push(results[kind]);
  }
  const rates = Object.fromEntries(
    Object.entries(kinds).map(([kind, of]) => [
      kind,
      spread(of.map(({ framesPerS }) => framesPerS * readings)),
    ]),
  );
  const toPrototype = (of) => toOther(of, kinds.prototype);
  data[`readings${readings}`] = {
    rates,
    toPrototype: toPrototype(kinds.product),
    ...(edge === null
      ? {}
      : { ofTheFirstEdge: toOther(kinds.edge, kinds.product), edgeLoopDelayMs: middleDelayMs(kinds.edge) }),
    loopDelayMs: middleDelayMs(kinds.product),
    runs: kinds,
  };
  for (const [kind, name] of [
    ['bare', 'bare receiver'],
    ['file', 'bare write and fdatasync'],
    ['lmdb', 'bare lmdb append'],
    ['prototype', 'prototype, synced and acknowledged'],
    ['product', 'Millrace'],
    ...(against === null ? [] : [['against', `the version in ${against}`]]),
    ...(edge === null ? [] : [['edge', `Millrace with --edge ${edge}`]]),
  ]) {
    const { min, median, max } = rates[kind];
    rows.push([
      `${name}, ${readings} a frame`,
      count(min),
      count(median),
      count(max),
      ...('loopDelayMs' in kinds[kind][0]
        ? [ratio(toPrototype(kinds[kind])), middleDelayMs(kinds[kind]).toFixed(0)]
        : ['', '']),
    ]);
  }
}
report({
  name: 'ingest',
  title: 'Readings acknowledged per second',
  command: `node bench/ingest.mjs --runs ${runs} --seconds ${seconds} --connections ${connections}${edge === null ? '' : ` --edge ${edge}`}${Object.keys(env).length === 0 ? '' : ` --env '${JSON.stringify(env)}'`}`,
  columns: ['readings per second', 'min', 'median', 'max', 'of the prototype', 'loop delay p99, ms'],
  rows,
  notes: [
    `${count(connections)} connections; ${runs} runs of ${seconds} s${quick ? '' : ' after one to warm up'}, all in turn; the load generator runs on the same cores.`,
  ],
  targets: [100, 1].flatMap((readings) => [
    ...(edge === null
      ? []
      : [
          atLeast(
            `with --edge ${edge}, ${readings} a frame, of Millrace without`,
            data[`readings${readings}`].ofTheFirstEdge,
            OF_THE_FIRST_EDGE,
          ),
        ]),
    atLeast(
      `acked durable, ${readings} a frame, of the prototype`,
      data[`readings${readings}`].toPrototype,
      TARGETS[readings],
    ),
    atMost(
      `the event loop's delay meanwhile, ${readings} a frame, p99 in ms`,
      data[`readings${readings}`].loopDelayMs,
      MAX_LOOP_DELAY_MS,
    ),
  ]),
  data,
});
