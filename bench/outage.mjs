/**
 * What an outage of InfluxDB costs: memory and journal while it is away under load, and how fast the backlog is
 * written afterwards, with the devices still streaming. `npm run build`, influxd on PATH, then
 * `node bench/outage.mjs [--minutes 10] [--rate 50000] [--write]`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processesOf, startFleet, startGateway } from './gateway.mjs';
import { startInfluxd } from './influxd.mjs';
import { atLeast, atMost, count, flag, megabytes, ratio, report } from './report.mjs';

const minutes = Number(flag('minutes', 10));
const rate = Number(flag('rate', 50_000));
const READINGS = 100;
const WARM_UP_S = Number(flag('warm-up', 20));

const dir = mkdtempSync(join(tmpdir(), 'millrace-outage-'));
const influx = await startInfluxd(join(dir, 'influx'));
const gateway = await startGateway({
  MILLRACE_DATA_DIR: join(dir, 'data'),
  MILLRACE_STORE: 'influxdb',
  MILLRACE_JOURNAL_MAX_BYTES: '16GiB',
  INFLUX_URL: influx.url,
  INFLUX_TOKEN: influx.token,
  INFLUX_ORG: influx.org,
  INFLUX_BUCKET: influx.bucket,
});
const devices = Math.ceil(rate / READINGS);
const fleet = startFleet(gateway.url, { devices, rate: 1, readings: READINGS });

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Resident memory by its kind (proc(5), status): the process's own, pages of mapped files, shared memory. */
const KINDS = { own: 'RssAnon', mapped: 'RssFile', shared: 'RssShmem' };
function kilobytes(status, name) {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)[1]);
}
function memoryByKind() {
  const statuses = processesOf(gateway.pid).map((pid) => readFileSync(`/proc/${pid}/status`, 'utf8'));
  const bytes = (name) => statuses.reduce((sum, status) => sum + kilobytes(status, name) * 1024, 0);
  return Object.fromEntries(Object.entries(KINDS).map(([kind, name]) => [`${kind}Bytes`, bytes(name)]));
}
const look = async () => ({
  atMs: performance.now(),
  ledger: await gateway.json('/v1/ledger'),
  pendingBytes: (await gateway.json('/v1/stats')).journal.pendingBytes,
  ...memoryByKind(),
  cpuS: gateway.cpuSeconds(),
});

try {
  await sleep(WARM_UP_S * 1_000);
  const before = await look();
  await influx.kill();
  const samples = [];
  const endMs = performance.now() + minutes * 60_000;
  while (performance.now() < endMs) {
    await sleep(2_000);
    const sample = {
      atS: (performance.now() - before.atMs) / 1_000,
      ...memoryByKind(),
    };
    samples.push(sample);
    if (process.argv.includes('--trace')) process.stderr.write(`${JSON.stringify(sample)}\n`);
  }
  const during = await look();
  await influx.start();
  const back = await look();
  let after = back;
  while (after.ledger.pending > 2 * rate) {
    await sleep(500);
    after = await look();
    process.stderr.write(`\r${count(after.ledger.pending)} readings to go   `);
  }
  process.stderr.write('\n');
  const summary = await fleet.stop();

  const outageS = (during.atMs - before.atMs) / 1_000;
  const came = during.ledger.received - before.ledger.received;
  const frameBytes =
    (summary.bytes_sent / summary.readings_sent) * (during.ledger.pending - before.ledger.pending);
  const growth = (during.pendingBytes - before.pendingBytes) / frameBytes;
  const catchUpS = (after.atMs - back.atMs) / 1_000;
  const stored = after.ledger.stored - back.ledger.stored;
  const live = came / outageS;
  const most = (name) => Math.max(...samples.map((sample) => sample[name]));
  const data = {
    outageS,
    readingsPerS: live,
    ownBeforeBytes: before.ownBytes,
    ownMaxBytes: most('ownBytes'),
    ownAfterBytes: after.ownBytes,
    mappedBeforeBytes: before.mappedBytes,
    mappedMaxBytes: most('mappedBytes'),
    sharedBeforeBytes: before.sharedBytes,
    sharedMaxBytes: most('sharedBytes'),
    journalBytesPerFrameByte: growth,
    catchUpS,
    catchUpReadingsPerS: stored / catchUpS,
    catchUpToLive: stored / catchUpS / live,
    catchUpCpuSPerMillion: (after.cpuS - back.cpuS) / (stored / 1e6),
    framesAcked: summary.frames_acked,
    framesSent: summary.frames_sent,
    ackMsP50: summary.ack_ms_p50,
    ackMsP99: summary.ack_ms_p99,
    ledger: after.ledger,
  };
  const memory = data.ownMaxBytes - data.ownBeforeBytes;
  report({
    name: 'outage',
    title: 'An outage of InfluxDB',
    command: `node bench/outage.mjs --minutes ${minutes} --rate ${rate}`,
    columns: ['measured', 'value'],
    rows: [
      ['outage, seconds', outageS.toFixed(0)],
      ['readings acknowledged per second meanwhile', count(live)],
      ['memory of its own before, MB', megabytes(before.ownBytes)],
      ['most during the outage over that, MB', megabytes(memory)],
      ['at the end of the catch-up over that, MB', megabytes(after.ownBytes - before.ownBytes)],
      ['pages of mapped files over those before, MB', megabytes(data.mappedMaxBytes - before.mappedBytes)],
      ['shared memory over that before, MB', megabytes(data.sharedMaxBytes - before.sharedBytes)],
      ['journal bytes by frame bytes', ratio(growth)],
      ['catch-up, readings stored per second', count(data.catchUpReadingsPerS)],
      ['catch-up by live rate', ratio(data.catchUpToLive)],
      ['CPU seconds of the gateway per million readings then', ratio(data.catchUpCpuSPerMillion)],
      ['frames sent, acknowledged', `${count(summary.frames_sent)}, ${count(summary.frames_acked)}`],
      ['ack, p50 and p99, ms', `${summary.ack_ms_p50}, ${summary.ack_ms_p99}`],
    ],
    notes: [
      `${devices} devices with one frame of ${READINGS} Environment readings a second each; the fleet, the gateway and InfluxDB share the cores.`,
      'Memory of its own is RssAnon; mapped pages, RssFile, stand beside it because the journal is a mapped file whose pages belong to the page cache: the system takes them back when it needs room.',
    ],
    targets: [
      atLeast('readings acknowledged per second while the store is away', live, 0.97 * rate),
      atMost('growth of its own memory meanwhile, MB', memory / 1024 ** 2, 50),
      atMost('growth of the journal by the bytes of frames', growth, 1.3),
      atLeast('catch-up by the live rate', data.catchUpToLive, 3),
    ],
    data,
  });
} finally {
  fleet.kill();
  await gateway.stop();
  await influx.remove();
  rmSync(dir, { recursive: true, force: true });
}
