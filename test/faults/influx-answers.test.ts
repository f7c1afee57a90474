import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWithInflux, startInflux, type InfluxServer } from '../fixtures/influxd.ts';
import { until } from '../fixtures/until.ts';
import { InfluxProxy, type ProxyFault } from './harness/influx-proxy.ts';
import { seeded } from './harness/asked.ts';
import { withScene, type Scene } from './harness/scene.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('influx-answers');

const FAULTS: readonly (readonly [string, ProxyFault])[] = [
  ['401', { do: 'answer', status: 401 }],
  ['403', { do: 'answer', status: 403 }],
  ['404', { do: 'answer', status: 404 }],
  ['413 to bodies above 1 KB', { do: 'limit', maxBytes: 1_000 }],
  ['422 without a word on points', { do: 'answer', status: 422, body: '<html>no</html>' }],
  ['400 of a proxy', { do: 'answer', status: 400, body: 'Bad Request' }],
  ['429 with Retry-After', { do: 'answer', status: 429, headers: { 'retry-after': '1' } }],
  ['500', { do: 'answer', status: 500 }],
  ['503 with Retry-After', { do: 'answer', status: 503, headers: { 'retry-after': '1' } }],
  ['200 instead of 204', { do: 'answer', status: 200 }],
  ['500 after it took the points', { do: 'take and answer', status: 500 }],
  ['slowly', { do: 'delay', ms: 500 }],
  ['with a cut in the middle of the request', { do: 'cut the request' }],
  ['with a cut in the response after it took the points', { do: 'cut the response' }],
  ['with garbage', { do: 'garbage' }],
];

describeWithInflux('an InfluxDB that answers', () => {
  let influx: InfluxServer;
  beforeAll(async () => {
    influx = await startInflux();
  });
  afterAll(() => influx.stop());

  /** A server and a fleet on a bucket of their own, with a proxy before it. */
  async function play(round: (scene: Scene & { proxy: InfluxProxy }) => Promise<void>): Promise<void> {
    const proxy = await InfluxProxy.start(influx.url);
    const env = {
      MILLRACE_STORE: 'influxdb',
      INFLUX_URL: proxy.url,
      INFLUX_TOKEN: influx.token,
      INFLUX_ORG: influx.org,
      INFLUX_BUCKET: await influx.newBucket(),
    };
    try {
      await withScene({ random, env, devices: 3, odd: true }, (scene) => round({ ...scene, proxy }));
    } finally {
      await proxy.close();
    }
  }

  test.each(FAULTS)('%s: acks go on, and nothing is lost or twice', (name, fault) =>
    play(async ({ gateway, fleet, proxy }) => {
      proxy.set(fault);
      // Acks do not wait for the store.
      await fleet.progress(60);
      await until('the fault to be met', () => proxy.faults > 0);
      fleet.pause();
      await fleet.acknowledged();
      proxy.set(null);
      await judge('influx-answers', `InfluxDB answers ${name}`, gateway, fleet);
      expect(proxy.passed).toBeGreaterThan(0);
    }),
  );

  test('answers 503 while the server is killed: what was acknowledged before is stored after', () =>
    play(async ({ gateway, fleet, proxy }) => {
      proxy.set({ do: 'answer', status: 503 }, true);
      await fleet.progress(60);
      await gateway.kill();
      fleet.pause();
      await gateway.start();
      await fleet.acknowledged();
      expect((await gateway.ledger()).pending).toBeGreaterThan(0);
      proxy.set(null);
      await judge('influx-answers', 'InfluxDB answers 503, kill -9', gateway, fleet);
    }));
});
