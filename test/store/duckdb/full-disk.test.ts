import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { describeWith, findProgram } from '../../fixtures/program.ts';
import { DuckDbFolders } from './duckdb-folder.ts';

describeWith(findProgram('prlimit') !== null, 'prlimit', 'DuckDB on a full disk', () => {
  const folders = new DuckDbFolders();
  // Inside node_modules, so that the bundle finds DuckDB.
  const bundleDir = path.join('node_modules', '.cache', `millrace-full-disk-${process.pid}`);
  const bundle = path.join(bundleDir, 'child.mjs');

  beforeAll(async () => {
    await mkdir(bundleDir, { recursive: true });
    await build({
      entryPoints: ['test/store/duckdb/full-disk-child.ts'],
      outfile: bundle,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
    });
  });
  afterAll(() => rm(bundleDir, { recursive: true, force: true }));

  async function run(kind: string): Promise<unknown> {
    const file = await folders.file();
    const script = `trap "" XFSZ; exec "${process.execPath}" --expose-gc "${bundle}" "${file}" ${kind}`;
    const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number]>]);
    expect(code).toBe(0);
    return JSON.parse(said);
  }

  test('a checkpoint without space ends reads for as long; with space again it goes on by itself, nothing lost or doubled', async () => {
    const round = {
      failed: 'store_unavailable',
      state: 'down',
      invalidated: true,
      reads: ['done', 'store_unavailable'],
      probe: 'done',
      again: null,
      moved: 1,
      position: true,
      rows: true,
      stateAfter: 'up',
    };
    expect(await run('checkpoint')).toEqual([round, round]);
  }, 60_000);

  test('a log without space costs nothing but the write', async () => {
    const round = {
      failed: 'store_unavailable',
      state: 'down',
      invalidated: false,
      read: 'done',
      reads: ['done'],
      probe: 'done',
      again: null,
      moved: 1,
      position: true,
      rows: true,
      stateAfter: 'up',
    };
    expect(await run('log')).toEqual([round, round]);
  }, 60_000);
});
