import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { temporaryFolder } from '../fixtures/folder.ts';
import { until } from '../fixtures/until.ts';
import { PATIENCE_MS, seeded } from './harness/asked.ts';
import type { Fleet } from './harness/fleet.ts';
import type { Gateway } from './harness/gateway.ts';
import { withScene, type Scene } from './harness/scene.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('folder');

/** A scene whose data folder lies in another one, so that it can be moved. */
async function withFolder(processes: number, play: (scene: Scene) => Promise<void>): Promise<void> {
  const folder = temporaryFolder();
  try {
    const dataDir = join(folder.path, 'data');
    const env = { MILLRACE_PROCESSES: String(processes) };
    await withScene({ random, devices: 6, env, dataDir }, play);
  } finally {
    folder.remove();
  }
}

/** Waits until the server says that it takes nothing, and sees that it acknowledges nothing while it tries again. */
async function refuses(gateway: Gateway, fleet: Fleet, reason: string): Promise<void> {
  await until('the journal to fail', async () => !(await gateway.isReady()), PATIENCE_MS);
  const acked = fleet.acked();
  const tried = async () => /tried again [3-9] times/.test(await gateway.readiness());
  await until('the journal to be tried again', tried, PATIENCE_MS);
  const said = await gateway.readiness();
  expect(said).toContain('"code":"journal_failed"');
  expect(said).toContain(reason);
  expect(gateway.log).toContain(reason);
  expect(fleet.acked()).toBe(acked);
}

describe('a data folder under a running server', () => {
  test.each([1, 2])(
    'that is moved away ends the acks of %i process(es); when it is back they go on, and nothing is lost',
    (processes) =>
      withFolder(processes, async ({ gateway, fleet, dataDir }) => {
        await fleet.progress(20);
        renameSync(dataDir, `${dataDir}.away`);
        await refuses(gateway, fleet, 'was deleted or moved away');
        renameSync(`${dataDir}.away`, dataDir);
        await until('the server to take frames', () => gateway.isReady(), PATIENCE_MS);
        await fleet.progress(20);
        fleet.pause();
        await fleet.acknowledged();
        await judge('folder', 'data folder away', gateway, fleet);
        await gateway.kill();
        await gateway.start();
        await judge('folder', 'data folder away', gateway, fleet);
      }),
  );

  test.each([
    ['deleted', (dir: string) => rmSync(dir, { recursive: true, force: true }), 'was deleted'],
    [
      'replaced by a copy',
      (dir: string) => {
        cpSync(dir, `${dir}.copy`, { recursive: true });
        renameSync(dir, `${dir}.away`);
        renameSync(`${dir}.copy`, dir);
      },
      'is another file',
    ],
    [
      'left without its registry',
      (dir: string) => rmSync(join(dir, 'registry'), { recursive: true }),
      'data.mdb',
    ],
    ['left without its lock', (dir: string) => rmSync(join(dir, 'lock')), 'lock: was deleted'],
  ])('that is %s ends the acks with a reason', (_, change, reason) =>
    withFolder(1, async ({ gateway, fleet, dataDir }) => {
      await fleet.progress(20);
      change(dataDir);
      await refuses(gateway, fleet, reason);
    }),
  );

  test('whose DuckDB file alone is away has acks go on; when it is back, everything gets there', () =>
    withFolder(1, async ({ gateway, fleet, dataDir }) => {
      await fleet.progress(20);
      const file = join(dataDir, 'points.duckdb');
      renameSync(file, `${file}.away`);
      const isDown = async () =>
        /"store":\{"kind":"duckdb","state":"down"[^}]*moved away/.test(await gateway.readiness());
      await until('the store to be down', isDown, PATIENCE_MS);
      await fleet.progress(20);
      renameSync(`${file}.away`, file);
      fleet.pause();
      await fleet.acknowledged();
      await judge('folder', 'DuckDB file away', gateway, fleet);
    }));
});

describe('a DuckDB file that is lost while the server is stopped', () => {
  test('is told by /readyz, the metrics and the log, at this start and the next, as far as the journal keeps no more', async () => {
    const env = { MILLRACE_TAIL_RETENTION_BYTES: '1' };
    await withScene({ random, devices: 2, env }, async ({ gateway, fleet, dataDir }) => {
      await fleet.progress(100);
      fleet.pause();
      await fleet.acknowledged();
      await judge('folder', 'before the DuckDB file is lost', gateway, fleet);
      await gateway.stop();
      rmSync(join(dataDir, 'points.duckdb'));
      for (let start = 0; start < 2; start++) {
        await gateway.start();
        expect(await gateway.readiness()).toMatch(/"alarm":"the store lacks frames 0 to \d+ of journal/);
        expect(await gateway.text('/metrics')).toMatch(/^millrace_store_missing_frames [1-9]/m);
        const { log } = await gateway.stop();
        expect(log).toMatch(/the store lacks frames 0 to \d+/);
      }
    });
  });
});
