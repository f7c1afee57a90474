import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { describeWith, findProgram } from '../fixtures/program.ts';
import { until } from '../fixtures/until.ts';
import { withScene, type Scene } from './harness/scene.ts';
import { longCycles, PATIENCE_MS, seeded } from './harness/asked.ts';
import { limitFileSize, mountSmallDisk } from './harness/small-disk.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('disk-full');
const ROUNDS = longCycles === null ? 1 : 3;
const DISK_BYTES = 96 * 1024 ** 2;

/** Waits until the server has tried in vain to go on, and sees that it acknowledges nothing meanwhile. */
async function refused({ gateway, fleet }: Scene): Promise<void> {
  const tried = (times: RegExp) =>
    until(`a server that tried ${times.source}`, async () => times.test(await gateway.readiness()));
  await tried(/tried again/);
  const held = fleet.acked();
  await tried(/tried again ([2-9]|\d\d) times/);
  expect(fleet.acked()).toBe(held);
}

/** The server has to say that it takes nothing, and to go on by itself when it can write again. */
async function outlast(scene: Scene, fault: string, begin: () => void, end: () => void): Promise<void> {
  const { gateway, fleet } = scene;
  const { pid } = gateway;
  for (let round = 0; round < ROUNDS; round++) {
    fleet.stream();
    await fleet.progress(20);
    begin();
    await refused(scene);
    expect(await gateway.isReady()).toBe(false);
    end();
    // The server's tries lie up to 15 s apart by now, and so do those of the devices.
    await fleet.progress(100, 3 * PATIENCE_MS);
    fleet.pause();
    await fleet.acknowledged();
    expect(gateway.pid).toBe(pid);
    expect(gateway.alive).toBe(true);
    await judge('disk-full', fault, gateway, fleet);
  }
  await gateway.kill();
  await gateway.start();
  await judge('disk-full', `${fault}, then kill -9`, gateway, fleet);
}

const disk = mountSmallDisk(DISK_BYTES);
describeWith(disk !== null, 'the right to mount a tmpfs', 'a full disk', () => {
  test('holds acks back until there is space, and the server goes on without a restart', async () => {
    if (disk === null) return;
    try {
      await withScene({ random, dataDir: disk.path }, (scene) =>
        outlast(
          scene,
          'disk full',
          () => disk.fill(random.below(64) * 4_096),
          () => disk.free(),
        ),
      );
    } finally {
      disk.remove();
    }
  });
});

describeWith(findProgram('prlimit') !== null, 'prlimit', 'a file that cannot grow', () => {
  test('holds acks back until it can, and the server goes on without a restart', () =>
    withScene({ random }, (scene) => {
      const { pid } = scene.gateway;
      const sizeBytes = () => statSync(join(scene.dataDir, 'journal', 'journal.lmdb')).size;
      return outlast(
        scene,
        'file size limit',
        () => expect(limitFileSize(pid, sizeBytes())).toBe(true),
        () => expect(limitFileSize(pid, 'unlimited')).toBe(true),
      );
    }));
});
