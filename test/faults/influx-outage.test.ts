import { afterAll, beforeAll, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { influxIsForeign, influxMissing, startInflux, type InfluxServer } from '../fixtures/influxd.ts';
import { describeWith } from '../fixtures/program.ts';
import { until } from '../fixtures/until.ts';
import { withScene, type Scene } from './harness/scene.ts';
import { longCycles, seeded } from './harness/asked.ts';
import { breakPromise, judge } from './harness/verdict.ts';

const random = seeded('influx-outage');
const ROUNDS = longCycles === null ? 1 : 5;
/** Of the cycles asked for, so many are done on InfluxDB as well. */
const KILLS = longCycles === null ? 1 : Math.ceil(longCycles / 10);

const own = influxMissing === null && !influxIsForeign;
describeWith(own, 'an influxd of its own on PATH', 'an InfluxDB under the server', () => {
  let influx: InfluxServer;
  beforeAll(async () => {
    influx = await startInflux();
  });
  afterAll(() => influx.stop());

  const play = async (rounds: number, fault: string, round: (scene: Scene) => Promise<void>) => {
    const env = {
      MILLRACE_STORE: 'influxdb',
      INFLUX_URL: influx.url,
      INFLUX_TOKEN: influx.token,
      INFLUX_ORG: influx.org,
      INFLUX_BUCKET: await influx.newBucket(),
    };
    await withScene({ random, env, devices: 3, odd: true }, async (scene) => {
      for (let i = 0; i < rounds; i++) {
        scene.fleet.stream();
        await scene.fleet.progress(1);
        await sleep(random.between(0, 500));
        await round(scene);
        scene.fleet.pause();
        await scene.fleet.acknowledged();
        await judge('influx-outage', fault, scene.gateway, scene.fleet);
      }
    });
  };

  test(
    'stays whole while the server is killed over it',
    () =>
      play(KILLS, 'kill -9 of the server, InfluxDB', async ({ gateway }) => {
        await gateway.kill();
        await gateway.start();
      }),
    240_000 + KILLS * 10_000,
  );

  test('that is frozen and thawed loses and repeats nothing', () =>
    play(ROUNDS, 'InfluxDB frozen', async ({ fleet }) => {
      influx.signal('SIGSTOP');
      await fleet.progress(60);
      await sleep(random.between(0, 1_000));
      influx.signal('SIGCONT');
    }));

  test('that is killed and restarted loses and repeats nothing', () =>
    play(ROUNDS, 'InfluxDB killed', async ({ fleet }) => {
      await influx.kill();
      await fleet.progress(60);
      await sleep(random.between(0, 1_000));
      await influx.restart();
    }));

  test('that is away while the server is killed and started gets all that was acknowledged', () =>
    play(ROUNDS, 'InfluxDB away, kill -9 of the server', async ({ gateway, fleet }) => {
      await influx.kill();
      await fleet.progress(60);
      const { stored } = await gateway.ledger();
      // Long enough that a position which moved without a write would be on disk.
      await until('a failed write', () => gateway.log.includes('store write failed'));
      await fleet.progress(60);
      await gateway.kill();
      await gateway.start();
      await fleet.progress(20);
      const more = (await gateway.ledger()).stored - stored;
      if (more > 0) breakPromise('InfluxDB away', `${more} stored in the ledger while the store was away`);
      await influx.restart();
    }));
});
