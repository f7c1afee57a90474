/**
 * The long form of differential.test.ts: the guard, the survey, the columns and the line protocol of random schemas,
 * values, cuts and damage, compared with avsc until so many frames were: npm run fuzz -- [--cases N] [--seed N]. It ends with 1 at the first difference, whose schema and bytes
 * are printed as small as they can be made.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Random schemas of one round, each with several frames. */
const RUNS = 1_000;

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '1000000' }, seed: { type: 'string' } },
});
for (const [name, value] of Object.entries(values)) {
  if (/^[1-9]\d{0,9}$/.test(value)) continue;
  process.stderr.write(`--${name}: expected a number from 1 on, got "${value}"\n`);
  process.exit(2);
}
const wanted = Number(values.cases);
const seed = Number(values.seed ?? 1 + Math.floor(Math.random() * 1e9));
const folder = mkdtempSync(join(tmpdir(), 'millrace-fuzz-'));
const results = join(folder, 'results.jsonl');

const counts = new Map();
const total = () => [...counts.values()].reduce((sum, cases) => sum + cases, 0);
let differences = 0;
try {
  for (let round = 0; total() < wanted && differences === 0; round++) differences = compare(seed + round);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
for (const [what, cases] of counts) process.stdout.write(`${what.padEnd(8)} ${cases.toLocaleString('en')}\n`);
process.stdout.write(`cases ${total()}, differences ${differences}, seed ${seed}\n`);
process.exitCode = differences === 0 ? 0 : 1;

/** One round; returns how many of its comparisons found a difference. */
function compare(roundSeed) {
  writeFileSync(results, '');
  const jest = join('node_modules', 'jest', 'bin', 'jest.js');
  const file = 'test/codec/differential';
  const args = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', jest, '--silent', file];
  const { status, stderr } = spawnSync(process.execPath, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: {
      ...process.env,
      CODEC_RUNS: String(RUNS),
      CODEC_SEED: String(roundSeed),
      CODEC_RESULTS: results,
    },
  });
  const lines = readFileSync(results, 'utf8').split('\n').slice(0, -1);
  for (const { what, cases } of lines.map((line) => JSON.parse(line))) {
    counts.set(what, (counts.get(what) ?? 0) + cases);
  }
  if (status === 0) return 0;
  process.stderr.write(stderr);
  return Math.max(1, Number(/Tests:\s+(\d+) failed/.exec(stderr)?.[1] ?? 1));
}
