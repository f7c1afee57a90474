/**
 * The fault suite with a table of what it did: npm run test:faults -- [--cycles N] [--seed N] [--only KIND]
 * [--break all|NAME]. Kinds are the names of the test files beside this one.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { SABOTAGES } from './harness/sabotages.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..');
const KINDS = readdirSync(HERE)
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => name.replace('.test.ts', ''));
const folder = mkdtempSync(join(tmpdir(), 'millrace-faults-'));

let options;
try {
  options = readOptions();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
}
try {
  process.exitCode = options.break === undefined ? await runSuite(options) : await runSabotages(options);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      cycles: { type: 'string' },
      seed: { type: 'string' },
      only: { type: 'string', multiple: true },
      break: { type: 'string' },
    },
  });
  for (const name of ['cycles', 'seed']) {
    if (values[name] !== undefined && !/^[1-9]\d{0,8}$/.test(values[name])) {
      throw new Error(`--${name}: expected a number from 1 on, got "${values[name]}"`);
    }
  }
  for (const kind of values.only ?? []) {
    if (!KINDS.includes(kind)) throw new Error(`--only: expected one of ${KINDS.join(', ')}, got "${kind}"`);
  }
  const names = SABOTAGES.map(({ name }) => name);
  if (values.break !== undefined && values.break !== 'all' && !names.includes(values.break)) {
    throw new Error(`--break: expected all or one of:\n  ${names.join('\n  ')}`);
  }
  return { ...values, seed: values.seed ?? String(1 + Math.floor(Math.random() * 1e9)) };
}

async function runSuite({ cycles, seed, only }) {
  const { code, verdicts } = await runJest(only ?? KINDS, {
    FAULT_SEED: seed,
    ...(cycles === undefined ? {} : { FAULT_CYCLES: cycles }),
  });
  const table = new Table({
    style: { head: [], border: [] },
    head: ['kind', 'fault', 'times', 'acked', 'found', 'lost', 'twice', 'broken'],
  });
  let wrong = 0;
  for (const row of tabulate(verdicts)) {
    const { kind, fault, times, acked, found, lost, twice, broken } = row;
    wrong += lost + twice + broken;
    table.push([kind, fault, times, acked, found, lost, twice, broken]);
  }
  process.stdout.write(`${table.toString()}\nacked and found are counts of readings. Seed ${seed}.\n`);
  if (code !== 0 || wrong > 0) process.stdout.write('FAILED: see above.\n');
  return code === 0 && wrong === 0 ? 0 : 1;
}

/** One line for each fault: how often, and the sums; of faults on one folder the last count says all. */
function tabulate(verdicts) {
  const rows = new Map();
  for (const { kind, fault, run, acked, found, lost, twice, broken } of verdicts) {
    const key = `${kind}\n${fault}`;
    const row = rows.get(key) ?? { kind, fault, times: 0, runs: new Map(), lost: 0, twice: 0, broken: 0 };
    rows.set(key, row);
    row.times += 1;
    row.runs.set(run, { acked, found });
    row.lost += lost;
    row.twice += twice;
    row.broken += broken.length;
  }
  return [...rows.values()].map((row) => {
    const runs = [...row.runs.values()];
    const sum = (name) => runs.reduce((total, run) => total + run[name], 0);
    return { ...row, acked: sum('acked'), found: sum('found') };
  });
}

async function runSabotages({ break: which, seed }) {
  let missed = 0;
  for (const { name, noticedBy, breaks } of SABOTAGES) {
    if (which !== 'all' && which !== name) continue;
    const { verdicts, output } = await runJest(noticedBy, { FAULT_SEED: seed, FAULT_SABOTAGE: name }, true);
    const broken = verdicts.flatMap((verdict) => verdict.broken);
    const seen = broken.find((what) => breaks.test(what));
    if (seen !== undefined) {
      process.stdout.write(`caught      ${name}: ${seen.split('\n')[0]}\n`);
      continue;
    }
    missed += 1;
    const file = join(tmpdir(), `millrace-faults-${process.pid}-${missed}.log`);
    writeFileSync(file, output);
    process.stdout.write(
      `NOT CAUGHT  ${name}: ${broken.length} other promises were seen broken; the run's output is in ${file}\n`,
    );
  }
  return missed === 0 ? 0 : 1;
}

/** Runs the test files of some kinds; the verdicts are what they wrote down. */
async function runJest(kinds, env, quiet = false) {
  const results = join(folder, 'results.jsonl');
  writeFileSync(results, '');
  const files = kinds.map((kind) => `/test/faults/${kind}\\.test\\.ts$`);
  const child = spawn(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js'),
      '--runInBand',
      ...files,
    ],
    {
      cwd: ROOT,
      env: { ...process.env, ...env, FAULT_RESULTS: results },
      stdio: ['ignore', quiet ? 'pipe' : 'inherit', quiet ? 'pipe' : 'inherit'],
    },
  );
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => (output += text));
  child.stderr?.setEncoding('utf8').on('data', (text) => (output += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  const lines = readFileSync(results, 'utf8').split('\n').slice(0, -1);
  return { code, output, verdicts: lines.map((line) => JSON.parse(line)) };
}
