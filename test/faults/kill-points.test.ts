import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { temporaryFolder } from '../fixtures/folder.ts';
import { Fleet } from './harness/fleet.ts';
import { Gateway } from './harness/gateway.ts';
import { KILL_POINTS } from './harness/patches.ts';
import { longCycles, seeded } from './harness/asked.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('kill-points');
const ROUNDS = longCycles === null ? 1 : 4;
/** A point is passed at most so often before it kills. */
const MAX_PASS = 8;

describe('kill -9 at a named point', () => {
  const folder = temporaryFolder();
  let gateway: Gateway;
  let fleet: Fleet;
  beforeAll(async () => {
    // Nothing is kept for tails, so that each settlement trims.
    const env = { MILLRACE_TAIL_RETENTION: '0s', MILLRACE_TAIL_RETENTION_BYTES: '0' };
    const patches = KILL_POINTS.map(({ patch }) => patch);
    gateway = await Gateway.create(folder.path, env, patches);
    await gateway.start();
    fleet = new Fleet({ random, wsUrl: gateway.wsUrl, devices: 4, badPart: 0.02 });
  });
  afterAll(async () => {
    fleet.close();
    await gateway.dispose();
    folder.remove();
  });

  const all = Array.from({ length: ROUNDS }, () => KILL_POINTS).flat();
  test.each(all.map(({ name, when }) => [name, when] as const))(
    'loses and repeats nothing %s',
    async (point, when) => {
      if (!gateway.alive) await gateway.start();
      gateway.control({ kill: { point, pass: 1 + random.below(when === 'draining' ? 1 : MAX_PASS) } });
      fleet.stream();
      if (when === 'draining') {
        await fleet.progress(20);
        gateway.signal('SIGTERM');
      }
      expect(await gateway.ended()).toMatchObject({ signal: 'SIGKILL' });
      fleet.pause();
      gateway.control({});
      await gateway.start();
      await fleet.acknowledged();
      await judge('kill-points', `kill -9 ${point}`, gateway, fleet);
    },
  );
});
