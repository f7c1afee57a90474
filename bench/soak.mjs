/**
 * Whether memory grows under a steady load: the gateway and its writer at half of what this machine takes, into DuckDB,
 * with a line fitted through the memory of each process. `npm run build`, then
 * `node bench/soak.mjs [--minutes 10] [--warm-up SECONDS] [--write]`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { processesOf, startGateway } from './gateway.mjs';
import { load } from './generator.mjs';
import { atMost, count, flag, megabytes, ratio, report } from './report.mjs';
import { CRITICAL, trend } from './trend.mjs';

const minutes = Number(flag('minutes', 10));
/** Before the first look: code is compiled, the caches of the database and of the allocator have filled. */
const warmUpS = Number(flag('warm-up', 90));
const everyS = Number(flag('every', 2));
/** Of the full load that is measured first. */
const fullS = Number(flag('full', 3));
const connections = Number(flag('connections', 1_000));
const READINGS = 100;
const PART = 0.5;
/** A slope is zero within its error only if the error would show as much as this: growth over the whole run. */
const MAX_ERROR_BYTES = 50 * 1024 ** 2;
const PROCESSES = ['gateway', 'writer'];
/** Memory by its kind (proc(5), status): the process's own, and pages of mapped files, which the system takes back. */
const KINDS = { own: 'RssAnon', mapped: 'RssFile' };

const sleep = (s) => new Promise((resolve) => setTimeout(resolve, s * 1_000));
const dir = mkdtempSync(join(tmpdir(), 'millrace-soak-'));
const gateway = await startGateway({ MILLRACE_DATA_DIR: dir, MILLRACE_JOURNAL_MAX_BYTES: '64GiB' });

/** Devices at so many frames a second in all; 0: as many as go. */
const loaded = (framesPerS, seconds, startMs, onReady) =>
  load(
    {
      ...{ port: Number(new URL(gateway.url).port), path: '/v1/ingest?device={device}', connections },
      ...{ readings: READINGS, windowFrames: 16, framesPerS, seconds, startMs },
    },
    onReady,
  );

async function stored() {
  for (;;) {
    const ledger = await gateway.json('/v1/ledger');
    if (ledger.pending === 0) return ledger;
    await sleep(0.1);
  }
}

function bytesOf(pid, name) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024;
}

/** The memory of both processes. */
function look(beginMs) {
  const pids = processesOf(gateway.pid);
  if (pids.length !== PROCESSES.length)
    throw new Error(`${pids.length} processes instead of a gateway and its writer`);
  const memory = PROCESSES.map((process, i) => [
    process,
    Object.fromEntries(Object.entries(KINDS).map(([kind, name]) => [kind, bytesOf(pids[i], name)])),
  ]);
  return { atS: (performance.now() - beginMs) / 1_000, pids, ...Object.fromEntries(memory) };
}

try {
  // What it takes: acknowledged as fast as goes, until the store has all of it.
  const dayMs = 86_400_000;
  let beginMs = 0;
  const full = await loaded(0, fullS, Date.now() - 2 * dayMs, () => {
    beginMs = performance.now();
  });
  await stored();
  const fullPerS = (full.acked * READINGS) / ((performance.now() - beginMs) / 1_000);
  const framesPerS = Math.max(1, Math.round((PART * fullPerS) / READINGS));

  // Later than all that is stored: readings that come again would be another load for the store.
  const running = loaded(framesPerS, warmUpS + minutes * 60, Date.now() - dayMs);
  await sleep(warmUpS);
  const before = {
    atMs: performance.now(),
    cpuS: gateway.cpuSeconds(),
    ...(await gateway.json('/v1/ledger')),
  };
  const samples = [];
  for (let n = 0; n * everyS < minutes * 60; n++) {
    await sleep(before.atMs / 1_000 + n * everyS - performance.now() / 1_000);
    samples.push(look(before.atMs));
    if (process.argv.includes('--trace')) process.stderr.write(`${JSON.stringify(samples.at(-1))}\n`);
  }
  const after = {
    atMs: performance.now(),
    cpuS: gateway.cpuSeconds(),
    ...(await gateway.json('/v1/ledger')),
  };
  const result = await running;
  const seconds = (after.atMs - before.atMs) / 1_000;
  if (result.acked !== result.sent)
    throw new Error(`${result.sent - result.acked} frames were not acknowledged`);
  if (samples.some(({ pids }) => pids.join() !== samples[0].pids.join()))
    throw new Error('the writer was started again');
  const ledger = await stored();

  const fits = PROCESSES.flatMap((process) =>
    Object.keys(KINDS).map((kind) => {
      const values = samples.map((sample) => sample[process][kind]);
      const { slope, error } = trend(
        samples.map(({ atS }) => atS),
        values,
      );
      // Over the whole run, which is easier to judge than bytes a second.
      const [growth, within] = [slope * seconds, CRITICAL * error * seconds];
      return {
        process,
        kind,
        growth,
        within,
        first: values[0],
        last: values.at(-1),
        most: Math.max(...values),
      };
    }),
  );
  const own = fits.filter(({ kind }) => kind === 'own');
  const storedPerS = (after.stored - before.stored) / seconds;
  report({
    name: 'soak',
    title: 'Memory under a steady load',
    command: `node bench/soak.mjs --minutes ${minutes} --warm-up ${warmUpS}`,
    columns: [
      'memory, MB',
      'first',
      'last',
      'most',
      'growth by the fit',
      'its standard error',
      'of which zero is within',
    ],
    rows: fits.map(({ process, kind, growth, within, first, last, most }) => [
      `${process}, ${kind === 'own' ? 'its own' : 'pages of mapped files'}`,
      ...[first, last, most, growth, within / CRITICAL].map(megabytes),
      `± ${megabytes(within)}`,
    ]),
    notes: [
      `${count(connections)} devices, ${count(framesPerS * READINGS)} Environment readings a second in frames of ${READINGS}: half of the ${count(fullPerS)} that were acknowledged and stored at full load. Stored meanwhile: ${count(storedPerS)} a second; ${count(after.pending)} were not at the end. All of it on the same cores.`,
      `${samples.length} looks in ${ratio(seconds / 60)} minutes, after ${warmUpS} s to warm up. A line by least squares; growth is its slope times the time. The error is Newey and West's over a fifth of the looks, since neighbouring ones are alike.`,
      `The rule: growth is zero within the error when it is at most ${ratio(CRITICAL)} standard errors, within which 95 of 100 series without a slope stay (bench/trend.mjs); and that must be at most ${megabytes(MAX_ERROR_BYTES)} MB, or the run would show nothing.`,
    ],
    targets: own.flatMap(({ process, growth, within }) => [
      atMost(`growth of the ${process}'s own memory, by what is zero within the error`, growth / within, 1),
      atMost(
        `what that would not show, MB in the whole run`,
        within / 1024 ** 2,
        MAX_ERROR_BYTES / 1024 ** 2,
      ),
    ]),
    data: { fullPerS, framesPerS, seconds, storedPerS, cpuS: after.cpuS - before.cpuS, fits, ledger },
  });
} finally {
  await gateway.stop();
  rmSync(dir, { recursive: true, force: true });
}
