import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { until } from '../fixtures/until.ts';
import { longCycles, PATIENCE_MS, seeded } from './harness/asked.ts';
import type { DeviceModel } from './harness/device.ts';
import type { Fleet } from './harness/fleet.ts';
import type { Gateway } from './harness/gateway.ts';
import { Poster } from './harness/poster.ts';
import { withScene } from './harness/scene.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('ways-in');
const CYCLES = longCycles === null ? 2 : Math.ceil(longCycles / 3);
const MAX_LIFE_MS = 400;
const POSTERS = 4;
/** Beside them, with numbers. */
const DEVICES = 2;
const SERVER = join(process.cwd(), 'test', 'faults', 'harness', 'posted', 'server.mjs');

/** Adds devices without numbers to a fleet; their frames go in by a way that the product does not have. */
function addPosters(fleet: Fleet, gateway: Gateway): Poster[] {
  return Array.from({ length: POSTERS }, (_, n) => {
    const model = fleet.addDevice(`poster-${n}`);
    const poster = new Poster(model, gateway.url, () => random.chance(0.2));
    fleet.drivers.push(poster);
    return poster;
  });
}

const readingsOf = (models: readonly DeviceModel[]): number =>
  models.reduce((sum, { frames }) => sum + frames.reduce((all, { readings }) => all + readings.length, 0), 0);

/** What the ledger says of a transport, duplicates left out, against what was sent by it. */
async function expectTransports(gateway: Gateway, { models }: Fleet): Promise<void> {
  const { byTransport } = await gateway.ledger();
  const taken = ['ws', 'http', 'mqtt'].map((transport) => {
    const { received = 0, duplicates = 0 } = byTransport[transport] ?? {};
    return received - duplicates;
  });
  expect(taken).toEqual([readingsOf(models.slice(0, DEVICES)), readingsOf(models.slice(DEVICES)), 0]);
}

interface Play {
  gateway: Gateway;
  /** Lets devices of both kinds stream until each has an ack, and each process has answered. */
  streamed(): Promise<void>;
  /** Ends the streams, has all acknowledged, and compares. */
  judged(fault: string): Promise<void>;
}

function withPosters(processes: number, play: (parts: Play) => Promise<void>): Promise<void> {
  const env = { MILLRACE_PROCESSES: String(processes) };
  return withScene({ random, devices: DEVICES, badPart: 0, env, program: [SERVER] }, async (scene) => {
    const { gateway, fleet } = scene;
    const posters = addPosters(fleet, gateway);
    await play({
      gateway,
      streamed: async () => {
        fleet.stream();
        await fleet.progress(1);
        const wanted = (): number[] => [gateway.pid, ...gateway.ingestPids];
        const answered = (pid: number): boolean => posters.some(({ answeredBy }) => answeredBy.has(pid));
        await until(
          'answers of every process',
          () => wanted().length === processes && wanted().every((pid) => answered(pid)),
          PATIENCE_MS,
        );
        await sleep(random.between(0, MAX_LIFE_MS));
      },
      judged: async (fault) => {
        fleet.pause();
        await fleet.acknowledged();
        await judge('ways-in', fault, gateway, fleet);
        await expectTransports(gateway, fleet);
        expect(posters.reduce((sum, { duplicates }) => sum + duplicates, 0)).toBeGreaterThan(0);
      },
    });
  });
}

describe('frames without numbers, by a way in that is added from outside', () => {
  for (const processes of [1, 2]) {
    test(
      `are neither lost nor taken twice in ${CYCLES} kills of a server of ${processes}`,
      () =>
        withPosters(processes, async ({ gateway, streamed, judged }) => {
          for (let cycle = 0; cycle < CYCLES; cycle++) {
            await streamed();
            await gateway.kill();
            await gateway.start();
            await judged(`kill -9, processes: ${processes}`);
          }
        }),
      240_000 + CYCLES * 10_000,
    );
  }

  test('are neither lost nor taken twice when the other process is killed, or the server stops', () =>
    withPosters(2, async ({ gateway, streamed, judged }) => {
      await streamed();
      process.kill(gateway.ingestPids[0] ?? 0, 'SIGKILL');
      await streamed();
      await judged('ingest process killed');
      await streamed();
      expect(await gateway.stop()).toMatchObject({ code: 0 });
      await gateway.start();
      await streamed();
      await judged('server stopped');
    }));
});
