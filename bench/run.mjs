/**
 * Every benchmark after the other, and the verdict on each target: npm run bench -- [--quick] [--write] [--only NAME].
 * --tiny only shows that each works, the long ones included: its figures mean nothing.
 * --quick takes under two minutes and less exact figures; --write keeps the figures in bench/results and makes
 * docs/benchmarks.md from them. It ends with 0 also where targets are not met: it measures, it does not judge.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { toldTarget } from './report.mjs';

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    tiny: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
  },
});

/** The file of each, and what it is told for the short forms. Those without `quick` are not in that; `alone` only when named. */
const BENCHMARKS = {
  codec: { quick: ['--quick', '--runs', '1'], tiny: ['--runs', '1', '--ms', '5', '--others', '10'] },
  ingest: {
    quick: ['--quick', '--seconds', '1.5'],
    tiny: ['--quick', '--runs', '1', '--seconds', '0.1', '--connections', '4'],
  },
  ack: { quick: ['--seconds', '3'], tiny: ['--seconds', '1', '--devices', '10', '--full', '0.2'] },
  'duckdb-write': {
    quick: ['--quick', '--runs', '1', '--rounds', '5'],
    tiny: ['--runs', '1', '--rounds', '1', '--devices', '50', '--shape-rows', '1000'],
  },
  'influx-write': { quick: ['--quick'], tiny: ['--quick', '--devices', '20', '--ms', '20'] },
  'influx-end-to-end': { quick: ['--quick'], tiny: ['--quick', '--devices', '20'] },
  durability: { tiny: ['--seconds', '0.1', '--rounds', '1'] },
  idle: { tiny: ['--connections', '600', '--still', '1'] },
  tail: {
    quick: ['--subscribers', '1000', '--rate', '5000', '--seconds', '3'],
    tiny: ['--subscribers', '20', '--rate', '200', '--seconds', '0.3'],
  },
  reads: {
    alone: true,
    tiny: ['--rows', '20000', '--devices', '20', '--runs', '1', '--turns', '1'],
  },
  outage: { alone: true, tiny: ['--minutes', '0.05', '--rate', '2000', '--warm-up', '1'] },
  heavy: { alone: true, tiny: ['--seconds', '0.5', '--devices', '5'] },
  soak: {
    alone: true,
    tiny: [
      ...['--minutes', '0.03', '--warm-up', '0.5', '--every', '0.1'],
      ...['--full', '0.2', '--connections', '10'],
    ],
  },
  scale: {
    tiny: ['--rounds', '1', '--seconds', '0.5', '--rate', '500', '--few', '10', '--schemas', '10'],
  },
};
const names =
  values.only ??
  Object.keys(BENCHMARKS).filter((name) =>
    values.tiny ? true : !BENCHMARKS[name].alone && (!values.quick || BENCHMARKS[name].quick),
  );
for (const name of names) {
  if (name in BENCHMARKS) continue;
  process.stderr.write(`--only: expected one of ${Object.keys(BENCHMARKS).join(', ')}, got "${name}"\n`);
  process.exit(2);
}

const startMs = performance.now();
const table = new Table({ style: { head: [], border: [] }, head: ['benchmark', 'target', ''] });
const failed = [];
const figures = {};
for (const name of names) {
  const result = await run(name);
  if (result === null) failed.push(name);
  else {
    figures[name] = result;
    for (const target of result.targets)
      table.push([name, toldTarget(target), target.met ? 'met' : 'NOT MET']);
  }
}
process.stdout.write(`\n${table.toString()}\n`);
process.stdout.write(`${Math.round((performance.now() - startMs) / 1_000)} s\n`);
if (values.write) await import('../build/benchmarks-doc.mjs');
for (const name of failed) process.stdout.write(`FAILED: ${name}\n`);
process.stdout.write(`${JSON.stringify({ figures, failed })}\n`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** Runs one and shows what it says; its last line is its figures. Null when it failed. */
async function run(name) {
  const options = [
    ...((values.tiny ? BENCHMARKS[name].tiny : values.quick ? BENCHMARKS[name].quick : null) ?? []),
    ...(values.write ? ['--write'] : []),
  ];
  const child = spawn(process.execPath, ['--expose-gc', file(`${name}.mjs`), ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part) => (text += part));
  const code = await new Promise((resolve) => child.once('close', resolve));
  const lines = text.trimEnd().split('\n');
  const figures = code === 0 ? JSON.parse(lines.pop()) : null;
  process.stdout.write(`${lines.join('\n').trimEnd()}\n`);
  return figures;
}
