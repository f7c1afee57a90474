/**
 * What an outage of InfluxDB costs: memory and journal while it is away under load, and how fast the backlog is
 * written afterwards, with the devices still streaming. `npm run build`, influxd on PATH, then
 * `node bench/outage.mjs [--minutes 10] [--rate 50000] [--write]`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startInfluxd } from './influxd.mjs';
import { count, flag, megabytes, ratio, report } from './report.mjs';

const minutes = Number(flag('minutes', 10));
const rate = Number(flag('rate', 50_000));
const READINGS = 100;
const WARM_UP_S = 20;

const dir = mkdtempSync(join(tmpdir(), 'millrace-outage-'));
const influx = await startInfluxd(join(dir, 'influx'));
const server = spawn(process.execPath, ['dist/src/cli/main.js', 'serve'], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: {
    ...process.env,
    MILLRACE_PORT: '0',
    MILLRACE_DATA_DIR: join(dir, 'data'),
    MILLRACE_STORE: 'influxdb',
    MILLRACE_JOURNAL_MAX_BYTES: '16GiB',
    MILLRACE_LOG_LEVEL: 'fatal',
    INFLUX_URL: influx.url,
    INFLUX_TOKEN: influx.token,
    INFLUX_ORG: influx.org,
    INFLUX_BUCKET: influx.bucket,
  },
});
const [ready] = await once(createInterface({ input: server.stdout }), 'line');
const url = ready.split(' ').at(-1);

const devices = Math.ceil(rate / READINGS);
const fleet = spawn(
  process.execPath,
  [
    'dist/src/cli/main.js',
    'devices',
    '--url',
    url.replace('http', 'ws'),
    '--model',
    'environment',
    '--json',
  ].concat(['--count', devices, '--rate', '1', '--readings', READINGS, '--duration', '24h'].map(String)),
  { stdio: ['ignore', 'pipe', 'inherit'] },
);
const summaryLine = once(createInterface({ input: fleet.stdout }), 'line').catch(() => ['']);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const json = async (path) => (await fetch(url + path)).json();
const rssBytes = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) * 1024;
const cpuSeconds = () => {
  const fields = readFileSync(`/proc/${server.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
const look = async () => ({
  atMs: performance.now(),
  ledger: await json('/v1/ledger'),
  pendingBytes: (await json('/v1/stats')).journal.pendingBytes,
  rssBytes: rssBytes(),
  cpuS: cpuSeconds(),
});

try {
  await sleep(WARM_UP_S * 1_000);
  const before = await look();
  await influx.kill();
  const samples = [];
  const endMs = performance.now() + minutes * 60_000;
  while (performance.now() < endMs) {
    await sleep(2_000);
    samples.push(rssBytes());
  }
  const during = await look();
  await influx.start();
  const back = await look();
  let after = back;
  while (after.ledger.pending > 2 * rate) {
    await sleep(500);
    after = await look();
    samples.push(after.rssBytes);
    process.stderr.write(`\r${count(after.ledger.pending)} readings to go   `);
  }
  process.stderr.write('\n');
  fleet.kill('SIGINT');
  const summary = JSON.parse((await summaryLine)[0]);

  const outageS = (during.atMs - before.atMs) / 1_000;
  const came = during.ledger.received - before.ledger.received;
  const frameBytes =
    (summary.bytes_sent / summary.readings_sent) * (during.ledger.pending - before.ledger.pending);
  const growth = (during.pendingBytes - before.pendingBytes) / frameBytes;
  const catchUpS = (after.atMs - back.atMs) / 1_000;
  const stored = after.ledger.stored - back.ledger.stored;
  const live = came / outageS;
  const steady = samples.slice(5);
  const data = {
    outageS,
    readingsPerS: live,
    rssBeforeBytes: before.rssBytes,
    rssMinBytes: Math.min(...steady),
    rssMaxBytes: Math.max(...steady),
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
  const verdict = (met) => (met ? 'met' : 'not met');
  const memory = data.rssMaxBytes - data.rssBeforeBytes;
  report({
    name: 'outage',
    title: 'An outage of InfluxDB',
    command: `node bench/outage.mjs --minutes ${minutes} --rate ${rate}`,
    columns: ['measured', 'value', 'target', ''],
    rows: [
      ['outage, seconds', outageS.toFixed(0), '', ''],
      ['readings acknowledged per second meanwhile', count(live), count(rate), verdict(live > 0.97 * rate)],
      ['memory before, MB', megabytes(before.rssBytes), '', ''],
      ['most memory over that, MB', megabytes(memory), '50', verdict(memory <= 50 * 1024 ** 2)],
      ['journal bytes by frame bytes', ratio(growth), '1.3', verdict(growth <= 1.3)],
      ['catch-up, readings stored per second', count(data.catchUpReadingsPerS), '', ''],
      ['catch-up by live rate', ratio(data.catchUpToLive), '3', verdict(data.catchUpToLive >= 3)],
      ['CPU seconds of the gateway per million readings then', ratio(data.catchUpCpuSPerMillion), '', ''],
      [
        'frames sent, acknowledged',
        `${count(summary.frames_sent)}, ${count(summary.frames_acked)}`,
        'equal',
        '',
      ],
      ['ack, p50 and p99, ms', `${summary.ack_ms_p50}, ${summary.ack_ms_p99}`, '', ''],
    ],
    notes: [
      `${devices} devices with one frame of ${READINGS} Environment readings a second each; the fleet, the gateway and InfluxDB share the cores.`,
    ],
    data,
  });
} finally {
  fleet.kill('SIGKILL');
  server.kill('SIGTERM');
  await Promise.race([once(server, 'exit'), sleep(12_000)]);
  server.kill('SIGKILL');
  await influx.remove();
  rmSync(dir, { recursive: true, force: true });
}
