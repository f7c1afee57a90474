/** Makes docs/benchmarks.md from bench/results/*.json, as the benchmarks wrote them with --write. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import prettier from 'prettier';
import { toldTarget } from '../bench/report.mjs';

const folder = new URL('../bench/results/', import.meta.url);
const file = new URL('../docs/benchmarks.md', import.meta.url);

const parts = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()
  .map((name) => section(JSON.parse(readFileSync(new URL(name, folder), 'utf8'))));

const text = `# Benchmarks

Made by \`npm run bench:docs\` from what the benchmarks in \`bench/\` measured; each section names its command. The
machines have two cores that are shared with other work, so that only ratios to the reference of the same run mean
much.

${parts.join('\n')}`;
writeFileSync(
  file,
  await prettier.format(text, { parser: 'markdown', ...(await prettier.resolveConfig(file)) }),
);

function line(cells) {
  return `| ${cells.join(' | ')} |`;
}

function section({ title, command, date, machine, version, columns, rows, notes, targets = [] }) {
  return `## ${title}

\`${command}\`, version ${version}, ${date}, ${machine}.

${line(columns)}
${line(columns.map((_, i) => (i === 0 ? '---' : '--:')))}
${rows.map(line).join('\n')}

${[...notes, ...targets.map((target) => `- Target: ${toldTarget(target)}.`)].join('\n')}
`;
}
