/** Bundles the dashboard into dist/dashboard: index.html, app.js, app.css, favicon.svg and nothing else. */
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const source = new URL('../src/dashboard/', import.meta.url);
const target = new URL('../dist/dashboard/', import.meta.url);

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });
await build({
  entryPoints: [fileURLToPath(new URL('app.ts', source)), fileURLToPath(new URL('app.css', source))],
  outdir: fileURLToPath(target),
  bundle: true,
  minify: true,
  format: 'esm',
  target: ['chrome123', 'firefox121', 'safari17.5'],
  legalComments: 'none',
  logLevel: 'warning',
});
for (const name of ['index.html', 'favicon.svg'])
  await copyFile(new URL(name, source), new URL(name, target));
