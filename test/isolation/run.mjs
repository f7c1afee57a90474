/**
 * What one socket, reader or device can do to the others, each offender beside an honest device, an honest reader and
 * a look at /healthz: npm run test:isolation -- [--only ROW] [--seconds 8] [--processes N] [--slow] [--together]
 * [--edge NAME] [--server DIR] [--json] [--all] [--soak --minutes 20].
 * `--slow` takes a thousandth of each rate, `--together` all rows at once, `--all` also the heavier variants of rows,
 * `--server` the build of another working copy. It ends with 1 where a target is not met.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { measure } from './harness/row.mjs';
import { ROWS } from './offenders/index.mjs';
import { soak } from './soak.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NUMBER = /^\d+(\.\d+)?$/;

let options;
try {
  options = readOptions();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
process.exitCode = options.soak ? await soak(options) : await table(options);

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', multiple: true },
      seconds: { type: 'string', default: '8' },
      minutes: { type: 'string', default: '20' },
      processes: { type: 'string', default: '1' },
      slow: { type: 'boolean', default: false },
      together: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
      soak: { type: 'boolean', default: false },
      edge: { type: 'string' },
      server: { type: 'string', default: ROOT },
      json: { type: 'boolean', default: false },
    },
  });
  for (const name of ['seconds', 'minutes', 'processes']) {
    if (!NUMBER.test(values[name])) throw new Error(`--${name}: expected a number, got "${values[name]}"`);
  }
  for (const name of values.only ?? []) {
    if (name in ROWS) continue;
    throw new Error(`--only: expected one of ${Object.keys(ROWS).join(', ')}, got "${name}"`);
  }
  const { only, edge = null, server: dir, ...others } = values;
  const names = only ?? Object.keys(ROWS).filter((name) => values.all || ROWS[name].variant !== true);
  const [seconds, minutes, processes] = [values.seconds, values.minutes, values.processes].map(Number);
  return { ...others, names, edge, dir, seconds, minutes, processes };
}

async function table({ names, together, json, ...options }) {
  const head = [
    'offender',
    'ack p50/p99 alone',
    'beside',
    'query p50/p99 alone',
    'beside',
    '/healthz max',
    'MB',
    'normal after',
    'verdict',
  ];
  const table = new Table({ style: { head: [], border: [] }, head, colWidths: [], wordWrap: true });
  const plays = together
    ? [{ name: 'together', title: 'all at once', rows: names.map((name) => ROWS[name]) }]
    : names.map((name) => ({ name, title: ROWS[name].title, rows: [ROWS[name]] }));
  let failed = 0;
  for (const { name, title, rows } of plays) {
    const result = await measure(rows, options);
    if (result.missed.length > 0) failed += 1;
    const cells = cellsOf(title, result);
    table.push(cells);
    if (json) process.stdout.write(`${JSON.stringify({ row: name, ...result })}\n`);
    else process.stderr.write(`${cells.join(' | ')}\n`);
  }
  if (!json)
    process.stdout.write(
      `${table.toString()}\nTimes in ms. ${failed} of ${plays.length} rows miss a target.\n`,
    );
  return failed === 0 ? 0 : 1;
}

function cellsOf(title, { alone, beside, bytes, normalMs, missed }) {
  const pair = ({ p50, p99 }) => `${figure(p50)} / ${figure(p99)}`;
  return [
    title,
    pair(alone.ack),
    pair(beside.ack),
    pair(alone.query),
    pair(beside.query),
    figure(beside.healthz.max),
    String(Math.round(bytes.peak / 1024 ** 2)),
    normalMs === null ? '–' : `${(normalMs / 1_000).toFixed(1)} s`,
    missed.length === 0 ? 'met' : missed.join('; '),
  ];
}

function figure(ms) {
  if (Number.isNaN(ms)) return '–';
  return ms >= 20 ? String(Math.round(ms)) : ms.toFixed(1);
}
