import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { temporaryFolder } from '../fixtures/folder.ts';
import { until } from '../fixtures/until.ts';

const ROOT = process.cwd();
let scratch: ReturnType<typeof temporaryFolder>;
/** Paths in the tarball. */
let files: string[];

/** A program of somebody else, strict in its types. */
const PROGRAM = `
import { startGateway, MillraceError, type Gateway } from 'millrace';
import { IngestClient, TailClient, newOutbox, type TailOptions } from 'millrace/client';

const gateway: Gateway = await startGateway({ port: '0', 'data-dir': './data', 'log-level': 'silent' });
const ready = await fetch(\`\${gateway.url}/readyz\`);
await gateway.stop();
const wrong = await startGateway({ port: 'x' }).catch((error: unknown) => error);
const code: string = wrong instanceof MillraceError ? wrong.code : 'none';
export type Options = TailOptions;
console.log(JSON.stringify([ready.status, code, [IngestClient, TailClient, newOutbox].map((each) => typeof each)]));
`;
const TSCONFIG = {
  compilerOptions: {
    target: 'ES2023',
    lib: ['ES2023'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
  },
  files: ['program.ts'],
};

beforeAll(() => {
  scratch = temporaryFolder();
  const packed = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', scratch.path], ROOT);
  const [tarball] = JSON.parse(packed) as [{ filename: string; files: { path: string }[] }];
  files = tarball.files.map(({ path }) => path);
  const modules = join(scratch.path, 'node_modules');
  mkdirSync(modules);
  // What npm would install beside it.
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  mkdirSync(join(modules, 'millrace'));
  run('tar', ['xzf', tarball.filename, '--strip-components=1', '-C', join(modules, 'millrace')]);
});
afterAll(() => scratch.remove());

function run(command: string, args: readonly string[], cwd = scratch.path): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

test('the tarball holds what runs, its types and its schemas, and no sources, tests or benches', () => {
  const tops = new Set(
    files.map((path) =>
      path
        .split('/')
        .slice(0, path.startsWith('dist/') ? 2 : 1)
        .join('/'),
    ),
  );
  expect([...tops].filter((top) => top !== 'THIRD-PARTY-NOTICES').toSorted()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist/dashboard',
    'dist/devices',
    'dist/src',
    'package.json',
    'schemas',
  ]);
  expect(files).toEqual(expect.arrayContaining(['dist/src/cli/main.js', 'dist/src/client/index.d.ts']));
  expect(files.filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))).toEqual([]);
});

test('a strict TypeScript program imports the gateway and the client, and runs', () => {
  writeFileSync(join(scratch.path, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(scratch.path, 'tsconfig.json'), JSON.stringify(TSCONFIG));
  writeFileSync(join(scratch.path, 'program.ts'), PROGRAM);
  run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json']);
  const printed = run(process.execPath, ['program.js']);
  expect(JSON.parse(printed)).toEqual([200, 'config_invalid', ['function', 'function', 'function']]);
});

test('the demo runs from the package in an empty folder', async () => {
  const folder = join(scratch.path, 'empty');
  mkdirSync(folder);
  const main = join(scratch.path, 'node_modules/millrace/dist/src/cli/main.js');
  const child = spawn(process.execPath, [main, 'demo', '--port', '0', '--log-level', 'silent'], {
    cwd: folder,
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  const url = await until('the address', () => /listening on (\S+)/.exec(printed)?.[1]);
  await until('rows of the demo', async () => {
    const answer = await fetch(`${url}/v1/query?measurement=environment&limit=1`);
    return answer.ok && ((await answer.json()) as { rows: unknown[] }).rows.length > 0;
  });
  expect(await (await fetch(`${url}/`)).text()).toContain('<html');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('the notices hold the licence of each package that is installed with it, and of what uws-pack carries', () => {
  const path = join(scratch.path, 'notices');
  run(process.execPath, ['build/third-party-notices.mjs', path], ROOT);
  const notices = readFileSync(path, 'utf8');
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const name of Object.keys(manifest.dependencies).filter((each) => each !== 'uWebSockets.js')) {
    expect(notices).toContain(`\n${name} `);
  }
  const uws = notices.split('='.repeat(80)).find((part) => part.includes('\nuws-pack 20.0.8\n')) ?? '';
  expect(uws).toContain('MIT License');
  expect(uws).toMatch(/Apache License\s+Version 2\.0/);
  expect(notices).toContain('\nuplot ');
  expect(notices).not.toContain('\njest ');
});
