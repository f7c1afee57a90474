/**
 * The whole way into InfluxDB: frames from devices until a count query sees all, beside a bare loader that posts lines
 * made beforehand to the same server, and beside what an afternoon's code gives.
 * `npm run build`, influxd on PATH, then `node bench/influx-end-to-end.mjs [--quick] [--runs 5] [--write]`.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { compileSchema, SINGLE_OBJECT_HEADER_BYTES } from '../dist/src/codec/index.js';
import { ColumnBatch } from '../dist/src/core/index.js';
import { endToEnd, startStream } from './end-to-end.mjs';
import { Environment, schemaText } from './environment.mjs';
import { startGateway } from './gateway.mjs';
import { told } from './generator.mjs';
import { cpuSeconds, load, LOADER, loaderBodies, unsortedBodies } from './influx-loader.mjs';
import { startInfluxd } from './influxd.mjs';
import { atLeast, atMost, count, flag, ratio, report, spread } from './report.mjs';

const quick = process.argv.includes('--quick');
const runs = Number(flag('runs', quick ? 1 : 5));
const DEVICES = Number(flag('devices', 1_000));
/** Frames of each device in one run: of 100 readings, and of one. */
const ROUNDS = quick ? { 100: 5, 1: 256 } : { 100: 20, 1: 1_024 };
/** Enough for the gateway's code to be compiled. */
const WARM_UP_ROUNDS = { 100: 2, 1: 128 };
/** Frames of one write of a device: half of the window that the ingest benchmark has. One is a packet for each frame. */
const BURST = { 100: 1, 1: 128 };
/** A packet for each frame costs sender, receiver and system far more than the frame: fewer of these. */
const PACKET_ROUNDS = quick ? 20 : 100;

/** The server is at rest when it takes less CPU time than this between looks, so many times in a row. */
const QUIET = { everyMs: 100, cpuMs: 20, looks: 3, atMostMs: quick ? 1_500 : 20_000 };
/** How often that did not come within the time. */
let restless = 0;

const schema = compileSchema(schemaText);
let clockMs = Date.now() - 30 * 86_400_000;

/** Where in time a run's readings begin, so that no run writes points of another. */
function begin(readings, rounds = ROUNDS[readings]) {
  const startMs = clockMs;
  clockMs += rounds * readings * 1_000 + 3_600_000;
  return startMs;
}

function batchOf(bursts) {
  const batch = new ColumnBatch(schema.mapping);
  let position = 0;
  for (const ofDevices of bursts) {
    for (const [device, frames] of ofDevices) {
      for (const bytes of frames)
        schema.decode(bytes, SINGLE_OBJECT_HEADER_BYTES, bytes.length, batch, device, 0, position++);
    }
  }
  return batch;
}

/** Lines of frames of which each device sends so many at a time. */
async function loader(influx, readings, burst = 1) {
  const batch = batchOf(new Environment(DEVICES, begin(readings)).bursts(ROUNDS[readings], readings, burst));
  const bodies = readings > 1 ? loaderBodies([batch]) : unsortedBodies(batch);
  const server = cpuSeconds(influx.process.pid);
  const cpu = process.cpuUsage();
  const from = performance.now();
  const points = await load(influx, bodies);
  const elapsedS = (performance.now() - from) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    rowsPerS: points / elapsedS,
    cpuS: ((user + system) / 1e6) * (1e6 / points),
    serverCpuS: (cpuSeconds(influx.process.pid) - server) * (1e6 / points),
  };
}

/** Frames through the gateway, which has been warmed up. */
async function product(readings, { rounds = ROUNDS[readings], burst = BURST[readings] } = {}) {
  const server = cpuSeconds(influx.process.pid);
  const startMs = begin(readings, rounds);
  const result = await endToEnd(gateway, { devices: DEVICES, rounds, readings, startMs, burst });
  return { ...result, serverCpuS: (cpuSeconds(influx.process.pid) - server) * (1e6 / result.rows) };
}

async function afternoon(influx, kind) {
  const file = fileURLToPath(new URL('afternoon.mjs', import.meta.url));
  const { url, token, org, bucket } = influx;
  const child = fork(file, [JSON.stringify({ kind, influx: { url, token, org, bucket } })]);
  const { port } = await told(child);
  const startMs = begin(100);
  const stream = await startStream({
    port,
    devices: DEVICES,
    rounds: ROUNDS[100],
    readings: 100,
    startMs,
    burst: BURST[100],
  });
  // Fewer than devices times rounds: some sensors are silent for a while.
  const points = stream.frames * 100;
  child.send({ points });
  const server = cpuSeconds(influx.process.pid);
  const cpu = cpuSeconds(child.pid);
  const from = performance.now();
  const ended = once(child, 'exit').then(() => {
    throw new Error(`the code of kind ${kind} ended before it had written all`);
  });
  const written = Promise.race([once(child, 'message'), ended]);
  const [fleet] = await Promise.all([stream.run(), written]);
  const elapsedS = (performance.now() - from) / 1_000;
  const result = {
    rowsPerS: points / elapsedS,
    cpuS: (cpuSeconds(child.pid) - cpu) * (1e6 / points),
    serverCpuS: (cpuSeconds(influx.process.pid) - server) * (1e6 / points),
    fleetCpuS: fleet.cpuS * (1e6 / points),
  };
  child.disconnect();
  await once(child, 'exit');
  return result;
}

/**
 * Until the server is done with what it does behind its answers (snapshots, compactions), so that none pays for what was
 * measured before it.
 */
async function quiet(influx) {
  const deadline = performance.now() + QUIET.atMostMs;
  for (let calm = 0; calm < QUIET.looks;) {
    if (performance.now() >= deadline) {
      restless++;
      return;
    }
    const before = cpuSeconds(influx.process.pid);
    await sleep(QUIET.everyMs);
    calm = (cpuSeconds(influx.process.pid) - before) * 1_000 < QUIET.cpuMs ? calm + 1 : 0;
  }
}

const dir = mkdtempSync(join(tmpdir(), 'millrace-influx-end-'));
const influx = await startInfluxd(join(dir, 'influx'));
const gateway = await startGateway({
  MILLRACE_DATA_DIR: join(dir, 'data'),
  MILLRACE_STORE: 'influxdb',
  INFLUX_URL: influx.url,
  INFLUX_TOKEN: influx.token,
  INFLUX_ORG: influx.org,
  INFLUX_BUCKET: influx.bucket,
});
const kinds = {
  loader: { title: 'bare loader, grouped by series', run: () => loader(influx, 100), of: 'loader' },
  product: { title: 'Millrace, 100 a frame', run: () => product(100), of: 'loader' },
  unsorted: {
    title: 'bare loader, one point of each series in turn',
    run: () => loader(influx, 1),
    of: 'unsorted',
  },
  bursts: {
    title: `bare loader, ${BURST[1]} points of each series in turn`,
    run: () => loader(influx, 1, BURST[1]),
    of: 'unsorted',
  },
  single: { title: 'Millrace, 1 a frame', run: () => product(1), of: 'unsorted' },
  packets: {
    title: 'Millrace, 1 a frame, each in a packet',
    run: () => product(1, { rounds: PACKET_ROUNDS, burst: 1 }),
    of: 'unsorted',
  },
  ws: { title: "ws, avsc, the client's Point", run: () => afternoon(influx, 'ws'), of: 'loader' },
  uws: { title: 'uWebSockets.js, avsc, writeRecords', run: () => afternoon(influx, 'uws'), of: 'loader' },
};
const results = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
try {
  await loader(influx, 100);
  for (const readings of [100, 1]) await product(readings, { rounds: WARM_UP_ROUNDS[readings] });
  for (let run = 0; run < runs; run++) {
    for (const [kind, { run: measure }] of Object.entries(kinds)) {
      await quiet(influx);
      results[kind].push(await measure());
    }
  }
} finally {
  await gateway.kill();
  await influx.remove();
  rmSync(dir, { recursive: true, force: true });
}

const of = (kind, key) => spread(results[kind].map((result) => result[key]));
const ratioOf = (kind) =>
  spread(results[kind].map(({ rowsPerS }, i) => rowsPerS / results[kinds[kind].of][i].rowsPerS)).median;
report({
  name: 'influx-end-to-end',
  title: 'From devices into InfluxDB, until a count query sees all',
  command: `node bench/influx-end-to-end.mjs${quick ? ' --quick' : ''}`,
  columns: [
    'readings per second',
    'min',
    'median',
    'max',
    'of its loader',
    'CPU s per million',
    "influxd's",
    "the fleet's",
  ],
  rows: Object.entries(kinds).map(([kind, { title }]) => {
    const { min, median, max } = of(kind, 'rowsPerS');
    const cpu = ['cpuS', 'serverCpuS', 'fleetCpuS'].map((whose) => of(kind, whose).median);
    return [
      title,
      count(min),
      count(median),
      count(max),
      ratio(ratioOf(kind)),
      ...cpu.map((s) => (s === undefined ? '' : ratio(s))),
    ];
  }),
  notes: [
    `${count(DEVICES)} devices; Environment readings; ${runs} runs. The loader posts ${count(LOADER.points)} points a body over ${LOADER.connections} connections. influxd, what is measured and the devices share the cores.`,
    `Devices write ${BURST[1]} single-reading frames at a time. "Each in a packet" they write one: then the system's work for packets, on both sides and on the same cores, is the limit.`,
    `The loader in turn has the order in which devices send that do not gather frames; ${BURST[1]} in turn is the order in which frames came here.`,
    'The last two acknowledge without a disk, check nothing, and are done when their client has written all. Each run of them is a process of its own that has not run before, with the client as it comes: it compresses bodies.',
    restless === 0
      ? 'The server was at rest before each.'
      : `The server was at rest before each but ${restless}.`,
  ],
  targets: [
    atLeast('end to end into InfluxDB, of the bare loader', ratioOf('product'), 0.9),
    atMost('CPU seconds of the gateway per million points', of('product', 'cpuS').median, 1),
    atLeast('single-reading frames, of a loader that sends them unsorted', ratioOf('single'), 1.2),
  ],
  data: {
    runs: results,
    ratios: Object.fromEntries(Object.keys(kinds).map((kind) => [kind, ratioOf(kind)])),
  },
});
