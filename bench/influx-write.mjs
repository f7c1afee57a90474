/**
 * The way into InfluxDB: from columns to bytes of line protocol, and from frames to points that a real influxd has
 * taken, beside a bare loader that posts lines which were made beforehand, to the same server in the same run.
 * `npm run build`, influxd on PATH, then `node bench/influx-write.mjs [--quick] [--runs 5] [--write]`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MODELS } from '../dist/devices/index.js';
import { FrameEncoder, shippedSchema } from '../dist/devices/fleet/encoder.js';
import { compileSchema, SINGLE_OBJECT_HEADER_BYTES } from '../dist/src/codec/index.js';
import { ColumnBatch, LIMITS } from '../dist/src/core/index.js';
import { openInfluxStore } from '../dist/src/store/index.js';
import { BODY_BYTES, BodyPool } from '../dist/src/store/influx/write/body.js';
import { Encoder } from '../dist/src/store/influx/write/encoder.js';
import { cpuSeconds, load, loaderBodies, LOADER } from './influx-loader.mjs';
import { startInfluxd } from './influxd.mjs';
import { atLeast, atMost, count, flag, ratio, report, spread } from './report.mjs';

const of = (list, key) => spread(list.map((each) => each[key]));
const cells = ({ min, median, max }, form) => [min, median, max].map(form);
const quick = process.argv.includes('--quick');
const runs = Number(flag('runs', quick ? 1 : 5));
/** Frames of each device in one run. */
const rounds = quick ? 2 : 5;
const DEVICES = Number(flag('devices', 1_000));
const READINGS = 100;
/** Rows of one write, as the writer gathers them. */
const batchRows = Number(flag('rows', LIMITS.storeBatchRows));
const ENCODE_MS = Number(flag('ms', quick ? 500 : 1_500));

const schemaText = shippedSchema('environment.avsc');
const schema = compileSchema(schemaText);
const encoder = new FrameEncoder(schemaText);
const model = [...Object.values(MODELS)].find(({ name }) => name === 'environment');
const sources = Array.from({ length: DEVICES }, (_, i) => model.create(1, i));
/** The next frames go on where the last ones ended, so that no run writes points of another. */
let clockMs = Date.now() - 30 * 86_400_000;

/** Frames of all devices, `readings` each, as { device, bytes }. */
function framesOf(readings) {
  const span = { fromMs: clockMs, untilMs: clockMs + readings * 1_000, count: readings };
  clockMs = span.untilMs;
  return sources.flatMap((source, i) => {
    const record = source.next(span);
    return record === null
      ? []
      : [{ device: `device-${String(i).padStart(4, '0')}`, bytes: encoder.encode(record) }];
  });
}

function decodeInto(batch, { device, bytes }, position) {
  schema.decode(bytes, SINGLE_OBJECT_HEADER_BYTES, bytes.length, batch, device, clockMs, position);
}

/** Batches as the writer makes them; it fills the memory of one again when the store has it. */
function* batchesOf(frames, again = null) {
  const next = () => again ?? new ColumnBatch(schema.mapping);
  let batch = next();
  batch.clear();
  for (const [position, frame] of frames.entries()) {
    decodeInto(batch, frame, position);
    if (batch.rows < batchRows) continue;
    yield batch;
    batch = next();
    batch.clear();
  }
  if (batch.rows > 0) yield batch;
}

/** CPU nanoseconds per reading of turning batches into bodies, and bytes per line. */
function encode(batches) {
  const pool = new BodyPool();
  let points = 0;
  let bytes = 0;
  const begin = performance.now();
  const cpu = process.cpuUsage();
  while (performance.now() - begin < ENCODE_MS) {
    for (const batch of batches) {
      const from = new Encoder([batch], pool);
      for (
        let body = from.next(LOADER.points, BODY_BYTES);
        body !== null;
        body = from.next(LOADER.points, BODY_BYTES)
      ) {
        points += body.count;
        bytes += body.bytes.length;
        pool.give(body);
      }
    }
  }
  const { user, system } = process.cpuUsage(cpu);
  return { nsPerPoint: ((user + system) * 1e3) / points, bytesPerPoint: bytes / points };
}

/** Runs `work` and tells points per second, our CPU seconds and the server's per million points. */
async function measured(server, work) {
  const cpu = process.cpuUsage();
  const serverCpu = cpuSeconds(server.process.pid);
  const begin = performance.now();
  const points = await work();
  const elapsedS = (performance.now() - begin) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  const perMillion = 1e6 / points;
  return {
    pointsPerS: points / elapsedS,
    cpuS: ((user + system) / 1e6) * perMillion,
    serverCpuS: (cpuSeconds(server.process.pid) - serverCpu) * perMillion,
  };
}

const again = new ColumnBatch(schema.mapping);

async function write(store, frames) {
  let points = 0;
  let position = 0;
  for (const batch of batchesOf(frames, again)) {
    points += batch.rows;
    const refused = await store.write([batch], { epoch: 'bench', position: ++position, refused: [] });
    if (refused.length > 0) throw new Error(refused[0].message);
  }
  return points;
}

const dir = mkdtempSync(join(tmpdir(), 'millrace-influx-write-'));
const server = await startInfluxd(join(dir, 'influx'));
try {
  const large = [...batchesOf(framesOf(READINGS))];
  const small = [...batchesOf(Array.from({ length: 20 }, () => framesOf(1)).flat())];
  encode(large);
  const encoded = { frames: [], single: [] };
  for (let run = 0; run < runs; run++) {
    encoded.frames.push(encode(large));
    encoded.single.push(encode(small));
  }

  const store = await openInfluxStore(server);
  await write(store, framesOf(READINGS));
  const ends = { loader: [], store: [] };
  for (let run = 0; run < runs; run++) {
    const next = () => Array.from({ length: rounds }, () => framesOf(READINGS)).flat();
    const bodies = loaderBodies(batchesOf(next()));
    ends.loader.push(await measured(server, () => load(server, bodies)));
    const frames = next();
    ends.store.push(await measured(server, () => write(store, frames)));
  }
  await store.close();

  const rates = ends.store.map(({ pointsPerS }, i) => pointsPerS / ends.loader[i].pointsPerS);
  const data = {
    runs,
    encodeNs: of(encoded.frames, 'nsPerPoint'),
    encodeSingleNs: of(encoded.single, 'nsPerPoint'),
    bytesPerPoint: encoded.frames[0].bytesPerPoint,
    pointsPerS: of(ends.store, 'pointsPerS'),
    loaderPointsPerS: of(ends.loader, 'pointsPerS'),
    ratio: spread(rates),
    cpuSPerMillion: of(ends.store, 'cpuS'),
    loaderCpuSPerMillion: of(ends.loader, 'cpuS'),
    influxdCpuSPerMillion: of(ends.store, 'serverCpuS'),
    loaderInfluxdCpuSPerMillion: of(ends.loader, 'serverCpuS'),
  };
  report({
    name: 'influx-write',
    title: 'From columns into InfluxDB',
    command: `node bench/influx-write.mjs${quick ? ' --quick' : ''}`,
    columns: ['measured', 'min', 'median', 'max'],
    rows: [
      [`columns to line protocol, frames of ${READINGS}, CPU ns per reading`, ...cells(data.encodeNs, count)],
      ['columns to line protocol, frames of 1, CPU ns per reading', ...cells(data.encodeSingleNs, count)],
      ['decode, encode and write, points/s', ...cells(data.pointsPerS, count)],
      ['bare loader, points/s', ...cells(data.loaderPointsPerS, count)],
      ['ratio to the bare loader', ...cells(data.ratio, ratio)],
      ['CPU seconds per million points', ...cells(data.cpuSPerMillion, ratio)],
      ["the bare loader's", ...cells(data.loaderCpuSPerMillion, ratio)],
      ["influxd's", ...cells(data.influxdCpuSPerMillion, ratio)],
      ["influxd's for the bare loader", ...cells(data.loaderInfluxdCpuSPerMillion, ratio)],
    ],
    notes: [
      `Environment readings of ${count(DEVICES)} devices, ${data.bytesPerPoint.toFixed(0)} bytes a line. The bare loader posts lines made beforehand, ${count(LOADER.points)} a body, grouped by series, over ${LOADER.connections} connections.`,
      'Decoding, encoding and sending; the journal and the sockets of devices come on top.',
    ],
    targets: [
      atMost('columns to line protocol, ns per reading', data.encodeNs.median, 300),
      atLeast('decode, encode and write into InfluxDB, of the bare loader', data.ratio.median, 0.9),
      atMost('its CPU seconds per million points', data.cpuSPerMillion.median, 1),
    ],
    data,
  });
} finally {
  await server.remove();
  rmSync(dir, { recursive: true, force: true });
}
