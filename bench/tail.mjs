/**
 * Tails beside devices: a subscriber for each device; many filters that match nothing; one device with many subscribers,
 * beside uWebSockets.js' own publish(). What devices wait for their acks is compared with the same without tails, in the
 * same run. `npm run build`, then `node bench/tail.mjs [--subscribers 4000] [--rate 20000] [--seconds 10] [--write]`.
 */
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGateway } from './gateway.mjs';
import { load, told } from './generator.mjs';
import { atLeast, atMost, count, flag, ratio, report } from './report.mjs';

const subscribers = Number(flag('subscribers', 4_000));
const rate = Number(flag('rate', 20_000));
const seconds = Number(flag('seconds', 10));
const READINGS = 5;
const HONEST = { connections: 200, framesPerS: 400 };
const OTHERS = Math.min(150, subscribers);
const FILTERS = 32;
const FAN_OUT = Math.min(1_000, subscribers);
const FAN_OUT_PER_S = 50;
/** After the last frame is acknowledged, for rows that are still on their way. */
const REST_MS = 1_000;

const dir = mkdtempSync(join(tmpdir(), 'millrace-tail-'));
const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const subscribe = (id, filter) =>
  JSON.stringify({ type: 'subscribe', id, measurement: 'environment', ...filter });

async function readers(url, path, connections) {
  const port = Number(new URL(url).port);
  const child = fork(file('tail-readers.mjs'));
  child.send({ port, path, connections });
  await told(child);
  return {
    async end() {
      child.send('end');
      return told(child);
    },
  };
}

/** Frames at a rate with tails beside them, and what both sides saw. */
async function run(gateway, framesPerS, connections, subscriptions) {
  const reading = subscriptions.length === 0 ? null : await readers(gateway.url, '/v1/tail', subscriptions);
  const cpuS = gateway.cpuSeconds();
  const acks = await load({
    ...{ port: Number(new URL(gateway.url).port), path: '/v1/ingest?device={device}', connections },
    ...{ readings: READINGS, windowFrames: 4_096, framesPerS, seconds, now: true },
  });
  const busyS = gateway.cpuSeconds() - cpuS;
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  const tail = (await reading?.end()) ?? null;
  if (tail !== null && tail.errors.length > 0) throw new Error(tail.errors[0]);
  return { acks, tail, cores: busyS / acks.elapsedS };
}

async function withGateway(use) {
  const gateway = await startGateway({ MILLRACE_DATA_DIR: join(dir, 'data') });
  try {
    return await use(gateway);
  } finally {
    await gateway.kill();
    rmSync(join(dir, 'data'), { recursive: true, force: true });
  }
}

/** Messages that uWebSockets.js hands out by itself, of the same size. */
async function published() {
  const cells = '"TIME","bench-0",20.05,40,1013.25,3.7,true';
  const rows = Array.from({ length: READINGS }, () => `[${cells}]`).join();
  const server = fork(file('fan-out.mjs'), [JSON.stringify({ rows })]);
  const { port } = await told(server);
  const reading = await readers(
    `http://127.0.0.1:${port}`,
    '/tail',
    Array.from({ length: FAN_OUT }, () => []),
  );
  const sent = await load({
    ...{ port, path: '/ingest?{device}', connections: 1, readings: READINGS, windowFrames: 0 },
    ...{ framesPerS: FAN_OUT_PER_S, seconds },
  });
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  const tail = await reading.end();
  server.send('end');
  const { cpuS } = await told(server);
  return { tail, cores: cpuS / sent.elapsedS, sent: sent.sent };
}

const acks = ({ acks: { ackMsP50, ackMsP99 } }) => [ratio(ackMsP50), ratio(ackMsP99)];
const tails = ({ tail: { msP50, msP99 } }) => [ratio(msP50), ratio(msP99)];

try {
  const framesPerS = Math.round(rate / READINGS);
  const own = Array.from({ length: subscribers }, (_, i) => [subscribe('0', { device: `bench-${i}` })]);
  const byDevice = await withGateway(async (gateway) => ({
    without: await run(gateway, framesPerS, subscribers, []),
    beside: await run(gateway, framesPerS, subscribers, own),
  }));
  const nothing = Array.from({ length: OTHERS }, (_, i) =>
    Array.from({ length: FILTERS }, (_, k) => subscribe(`${k}`, { device: [`no-${i}-${k}`, `nor-${i}`] })),
  );
  const honest = await withGateway(async (gateway) => ({
    without: await run(gateway, HONEST.framesPerS, HONEST.connections, []),
    beside: await run(gateway, HONEST.framesPerS, HONEST.connections, nothing),
  }));
  const one = Array.from({ length: FAN_OUT }, () => [subscribe('0', { device: 'bench-0' })]);
  const fanOut = await withGateway((gateway) => run(gateway, FAN_OUT_PER_S, 1, one));
  const bare = await published();

  const delivered = byDevice.beside.tail.rows / (byDevice.beside.acks.sent * READINGS);
  const fanned = fanOut.tail.rows / (fanOut.acks.sent * READINGS * FAN_OUT);
  const bareFanned = bare.tail.messages / (bare.sent * FAN_OUT);
  report({
    name: 'tail',
    title: 'Tails beside devices',
    command: `node bench/tail.mjs --subscribers ${subscribers} --rate ${rate} --seconds ${seconds}`,
    columns: ['measured', 'p50, ms', 'p99, ms', 'delivered, %', 'server, cores'],
    rows: [
      ['acks without tails', ...acks(byDevice.without), '', ratio(byDevice.without.cores)],
      [
        'acks beside a subscriber for each device',
        ...acks(byDevice.beside),
        '',
        ratio(byDevice.beside.cores),
      ],
      ['frame to that subscriber', ...tails(byDevice.beside), ratio(delivered * 100), ''],
      ['acks of few devices without tails', ...acks(honest.without), '', ratio(honest.without.cores)],
      ['acks beside filters that match nothing', ...acks(honest.beside), '', ratio(honest.beside.cores)],
      ['frame to many subscribers', ...tails(fanOut), ratio(fanned * 100), ratio(fanOut.cores)],
      ["the same by uWebSockets.js' publish()", ...tails(bare), ratio(bareFanned * 100), ratio(bare.cores)],
    ],
    notes: [
      `${count(subscribers)} devices and as many subscribers of one device each, ${count(rate)} readings a second in frames of ${READINGS}.`,
      `${HONEST.connections} devices with ${HONEST.framesPerS} frames a second together, beside ${OTHERS} connections of ${FILTERS} filters.`,
      `${count(FAN_OUT)} subscribers of one device with ${FAN_OUT_PER_S} frames a second. Devices and readers are on the same cores.`,
    ],
    targets: [
      atLeast('rows that reached the subscribers of one device each, %', delivered * 100, 100),
      atMost('frame to subscriber, p99 in ms', byDevice.beside.tail.msP99, 100),
      atMost(
        'acks beside a subscriber for each device, p99 as a multiple of that without',
        byDevice.beside.acks.ackMsP99 / byDevice.without.acks.ackMsP99,
        2,
      ),
      atMost(
        'acks beside filters that match nothing, p99 as a multiple of that without',
        honest.beside.acks.ackMsP99 / honest.without.acks.ackMsP99,
        2,
      ),
      atLeast('rows to many subscribers, % of what publish() delivers', (fanned / bareFanned) * 100, 100),
    ],
    data: { byDevice, honest, fanOut, bare },
  });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
