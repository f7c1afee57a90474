/**
 * How a benchmark tells its figures: a table and one JSON object on stdout; with --write it also keeps the object in
 * bench/results/NAME.json, from which `npm run bench:docs` makes docs/benchmarks.md.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { fileURLToPath } from 'node:url';

const RESULTS = fileURLToPath(new URL('results/', import.meta.url));

const { version, dependencies } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
);
/** What the figures depend on most, with the versions that are asked for. */
const LIBRARIES = {
  'uWebSockets.js': 'uWebSockets.js',
  lmdb: 'lmdb',
  '@duckdb/node-api': 'DuckDB',
  avsc: 'avsc',
};
const libraries = Object.entries(LIBRARIES)
  .map(([name, title]) => `${title} ${dependencies[name].split('@').at(-1)}`)
  .join(', ');

/** Smallest, middle and largest of some runs. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return { min: sorted[0], median: sorted[sorted.length >> 1], max: sorted.at(-1) };
}

/**
 * `columns` are the table's headings, `rows` its lines of texts in that order; `notes` are sentences below it, `data`
 * the figures for programs. `targets` are what was to be reached, each made by `atLeast` or `atMost`.
 */
export function report({ name, title, command, columns, rows, notes = [], targets = [], data }) {
  const widths = columns.map((heading, i) =>
    Math.max(heading.length, ...rows.map((row) => String(row[i]).length)),
  );
  const line = (cells) =>
    cells
      .map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]) : String(cell).padStart(widths[i])))
      .join('  ');
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown CPU'}, shared, load average ${loadavg()[0].toFixed(1)} at the end; Linux ${release()}; Node ${process.version}; ${libraries}`;
  console.log(`\n${title}\n${command}, version ${version}, ${date}, ${machine}\n\n${line(columns)}`);
  for (const row of rows) console.log(line(row));
  for (const note of notes) console.log(note);
  for (const target of targets) console.log(`Target: ${toldTarget(target)}.`);
  const result = {
    name,
    title,
    command,
    date,
    machine,
    version,
    columns,
    rows: rows.map((row) => row.map(String)),
    notes,
    targets,
    data,
  };
  console.log(`\n${JSON.stringify({ name, targets, ...data })}`);
  if (!process.argv.includes('--write')) return;
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(`${RESULTS}${name}.json`, `${JSON.stringify(result, null, 2)}\n`);
}

/** A target for a value: what was measured, in words. */
export const atLeast = (what, value, target) => ({
  what,
  value,
  target,
  atLeast: true,
  met: value >= target,
});
export const atMost = (what, value, target) => ({
  what,
  value,
  target,
  atLeast: false,
  met: value <= target,
});

/** A target in words, with the verdict, and by how much it was missed. */
export function toldTarget({ what, value, target, atLeast: least, met }) {
  const missed = met ? 'met' : `not met, by ${Math.round(Math.abs(1 - value / target) * 100)} %`;
  return `${what}: ${figure(value)}, at ${least ? 'least' : 'most'} ${figure(target)}: ${missed}`;
}

const figure = (value) => (Math.abs(value) >= 100 ? count(value) : ratio(value));

/** The value behind `--name`, or what is said when it is missing. */
export function flag(name, fallback) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : process.argv[at + 1];
}

export const count = (value) => Math.round(value).toLocaleString('en');
export const ratio = (value) => value.toFixed(2);
export const megabytes = (bytes) => (bytes / 1024 ** 2).toFixed(1);
