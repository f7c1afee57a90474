/**
 * Heavy frames beside good devices: one device sends eight frames at a time that weigh as much as the guard lets through,
 * another one readings whose tag changes from one to the next, while a fleet goes on. Tells how old the oldest frame was
 * that the store did not have, the writer's memory and what is on disk. `npm run build`, then
 * `node bench/heavy.mjs [--seconds 30] [--devices 100] [--write]`.
 */
import { cpSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import avsc from 'avsc';
import { WebSocket } from 'ws';
import { shippedSchema } from '../dist/devices/fleet/encoder.js';
import { IngestClient } from '../dist/src/client/index.js';
import { encodeSingleObjectHeader, fingerprintOf } from '../dist/src/codec/index.js';
import { LIMITS } from '../dist/src/core/index.js';
import { processesOf, rssBytes, startFleet, startGateway } from './gateway.mjs';
import { atMost, count, flag, megabytes, ratio, report, spread } from './report.mjs';
import { moduleSchema } from './series-shapes.mjs';

const seconds = Number(flag('seconds', 30));
const devices = Number(flag('devices', 100));
const HEAVY_FRAMES = 8;
const HEAVY_EVERY_MS = 5_000;
/** How long the fleet is watched alone. */
const ALONE_MS = Math.min(5_000, seconds * 1_000);
const LOOK_MS = 100;
const MODULE_READINGS = 5_000;
const TAGS = ['name', 'fleet', 'driver', 'model', 'device_version'];
/** Readings and bytes of each tag: many readings, or the longest tags that one point may have. */
const SHAPES = [
  { readings: 5_000, tagBytes: Math.floor(LIMITS.maxRepeatedTextBytes / 5_000 / TAGS.length) },
  { readings: 70, tagBytes: Math.floor(LIMITS.maxRepeatedTextBytes / 70 / TAGS.length) },
];

const encoderOf = (text) => {
  const type = avsc.Type.forSchema(JSON.parse(text));
  const header = encodeSingleObjectHeader(fingerprintOf(text));
  return (record) => Buffer.concat([header, type.toBuffer(type.clone(record, { wrapUnions: true }))]);
};
const vehicle = encoderOf(shippedSchema('vehicle.avsc'));
const moduleOf = encoderOf(moduleSchema);
let atMs = Date.now() - 86_400_000;

function heavyFrame(n, { readings, tagBytes }) {
  const tags = Object.fromEntries(TAGS.map((tag) => [tag, `${n % 10}`.padEnd(tagBytes, tag)]));
  return vehicle({
    ...tags,
    readings: Array.from({ length: readings }, () => ({ time: atMs++, latitude: 1 })),
  });
}

const moduleFrame = () =>
  moduleOf({
    readings: Array.from({ length: MODULE_READINGS }, (_, i) => ({
      time: atMs++,
      room: `room-${i % 2}`,
      v: i,
    })),
  });

const told = ({ median, max }) => `${ratio(median)} / ${ratio(max)}`;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const dir = mkdtempSync(join(tmpdir(), 'millrace-heavy-'));
const schemas = join(dir, 'schemas');
cpSync('schemas', schemas, { recursive: true });
writeFileSync(join(schemas, 'module.avsc'), moduleSchema);
const gateway = await startGateway({ MILLRACE_DATA_DIR: join(dir, 'data'), MILLRACE_SCHEMAS: schemas });

const refusals = [];
const clients = new Map();

/** Sends frames of a device and waits until all are acknowledged or refused. */
async function send(device, frames) {
  let client = clients.get(device);
  if (client === undefined) {
    client = new IngestClient({
      url: gateway.url.replace('http', 'ws'),
      device,
      WebSocket,
      onSettled: ({ refusal }) => refusal !== null && refusals.push(refusal.code),
    });
    clients.set(device, client);
  }
  for (const frame of frames) if (!client.send(frame)) throw new Error(`${device}: its outbox is full`);
  if (!(await client.flushed(60_000))) throw new Error(`${device}: frames without an ack after a minute`);
}

const bytesOnDisk = (path) =>
  readdirSync(path, { recursive: true, withFileTypes: true }).reduce(
    (sum, entry) => sum + (entry.isFile() ? statSync(join(entry.parentPath, entry.name)).size : 0),
    0,
  );

/** What was seen while the fleet was alone, and beside the heavy frames. */
const seen = { alone: [], beside: [] };
const rss = [];
let phase = 'alone';
const over = new AbortController();
async function look() {
  while (!over.signal.aborted) {
    const { parts } = await gateway.json('/readyz');
    seen[phase].push((parts.writer.oldestPendingAgeMs ?? 0) / 1_000);
    const [, writer] = processesOf(gateway.pid);
    if (writer !== undefined) rss.push(rssBytes(writer));
    await sleep(LOOK_MS);
  }
}

let heavySent = 0;
let fleet = null;
try {
  await send('heavy', [heavyFrame(0, { ...SHAPES[0], tagBytes: SHAPES[0].tagBytes + 1 })]);
  fleet = startFleet(gateway.url, { devices, rate: 2, readings: 10 });
  await sleep(2_000);
  const looking = look();
  await sleep(ALONE_MS);
  phase = 'beside';
  const cpuS = gateway.cpuSeconds();
  const endMs = Date.now() + seconds * 1_000;
  for (let round = 0; Date.now() < endMs; round++) {
    const nextMs = Date.now() + HEAVY_EVERY_MS;
    const shape = SHAPES[round % SHAPES.length];
    const frames = Array.from({ length: HEAVY_FRAMES }, (_, n) => heavyFrame(n, shape));
    await Promise.all([send('heavy', frames), send('module', [moduleFrame()])]);
    heavySent += frames.length;
    while (Date.now() < Math.min(nextMs, endMs)) {
      await send('module', [moduleFrame()]);
      await sleep(250);
    }
  }
  const summary = await fleet.stop();
  while ((await gateway.json('/v1/ledger')).pending > 0) await sleep(LOOK_MS);
  over.abort();
  await looking;
  const busyS = gateway.cpuSeconds() - cpuS;
  const ledger = await gateway.json('/v1/ledger');
  const data = {
    seconds,
    devices,
    heavyFrames: heavySent,
    aloneS: spread(seen.alone),
    besideS: spread(seen.beside),
    writerBytes: Math.max(...rss),
    cpuS: busyS,
    diskBytes: bytesOnDisk(join(dir, 'data')),
    refused: refusals,
    deadLettered: ledger.deadLettered,
    fleet: summary,
  };
  report({
    name: 'heavy',
    title: 'Heavy frames beside good devices',
    command: 'node bench/heavy.mjs',
    columns: ['measured', 'value'],
    rows: [
      ['heavy frames, eight at a time', count(heavySent)],
      ['oldest frame not stored, the fleet alone, median and most, s', told(data.aloneS)],
      ['oldest frame not stored, beside heavy frames, median and most, s', told(data.besideS)],
      ['writer process at most, MB', megabytes(data.writerBytes)],
      ['gateway and writer beside heavy frames, CPU s', ratio(data.cpuS)],
      ['on disk at the end, MB', megabytes(data.diskBytes)],
      ['acks of the fleet, p99 ms', ratio(summary.ack_ms_p99)],
    ],
    notes: [
      `${devices} devices with 2 frames of 10 readings a second; every 5 s one device sends 8 vehicle frames of ${SHAPES.map(({ readings, tagBytes }) => `${count(readings)} readings and ${TAGS.length} tags of ${count(tagBytes)} bytes`).join(', or of ')}; one sends frames of ${count(MODULE_READINGS)} readings whose tag takes two values in turn, one after the other. One byte a tag more is refused: ${refusals.join(', ')}.`,
    ],
    targets: [
      atMost('oldest frame not stored, in seconds', data.besideS.max, 2),
      atMost('writer process, in MB', data.writerBytes / 1024 ** 2, 1024),
    ],
    data,
  });
} finally {
  over.abort();
  fleet?.kill();
  for (const client of clients.values()) client.close();
  await gateway.kill();
  rmSync(dir, { recursive: true, force: true });
}
