/**
 * Writes docs/errors.md from the table in src/core/errors.ts. With --check it writes nothing and exits 1 when
 * the file says something else than the table.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { format } from 'prettier';

const source = fileURLToPath(new URL('../src/core/errors.ts', import.meta.url));
const target = fileURLToPath(new URL('../docs/errors.md', import.meta.url));

const INTRODUCTION = `# Errors

Every error has a stable code. Programs match on the code, never on a text: texts may change with any version.

- Over HTTP an error is \`application/problem+json\` (RFC 9457): \`type\`, \`title\` (the last column here), \`status\`,
  \`code\`, \`detail\` (what was wrong this time) and, for frames and schemas, \`path\` (the field).
- Over a WebSocket a refused frame is a \`reject\` and a refused subscription an \`error\` message, both with \`code\` and
  \`message\`. An error that ends the connection closes it with the code in the column "close".
- "retry" says whether the same thing may work later as it is; a 503 then has \`Retry-After\`.

This file is made from \`src/core/errors.ts\` by \`npm run docs:errors\`.

| code | HTTP | close | retry | what to do |
| --- | --- | --- | --- | --- |
`;

const { outputFiles } = await build({ entryPoints: [source], bundle: true, format: 'esm', write: false });
const code = Buffer.from(outputFiles[0].contents).toString('base64');
const { ERRORS } = await import(`data:text/javascript;base64,${code}`);

const rows = Object.entries(ERRORS).map(([name, { status, close, retry, help }]) =>
  ['', `\`${name}\``, status, close ?? '', retry ? 'yes' : '', help.replaceAll('|', '\\|'), '']
    .join(' | ')
    .trim(),
);
const text = await format(`${INTRODUCTION}${rows.join('\n')}\n`, { parser: 'markdown', printWidth: 110 });

if (process.argv.includes('--check')) {
  if ((await readFile(target, 'utf8').catch(() => '')) !== text) {
    process.stderr.write('docs/errors.md is out of date: run npm run docs:errors\n');
    process.exitCode = 1;
  }
} else {
  await writeFile(target, text);
}
