import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWithInflux, startInflux, type InfluxServer } from '../fixtures/influxd.ts';
import { until } from '../fixtures/until.ts';
import { InfluxProxy, type ProxyFault } from './harness/influx-proxy.ts';
import { seeded } from './harness/asked.ts';
import { sharedScene } from './harness/scene.ts';
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

  let proxy: InfluxProxy;
  afterAll(() => proxy.close());
  // One server and bucket live through all of it: each fault is over before the next one begins.
  const scene = sharedScene(async () => {
    proxy = await InfluxProxy.start(influx.url);
    const env = {
      MILLRACE_STORE: 'influxdb',
      INFLUX_URL: proxy.url,
      INFLUX_TOKEN: influx.token,
      INFLUX_ORG: influx.org,
      INFLUX_BUCKET: await influx.newBucket(),
    };
    return { random, env, devices: 3, odd: true };
  });

  test.each(FAULTS)('%s: acks go on, and nothing is lost or twice', async (name, fault) => {
    const { gateway, fleet } = scene();
    proxy.set(fault);
    fleet.stream();
    // Acks do not wait for the store.
    await fleet.progress(60);
    await until('the fault to be met', () => proxy.faults > 0);
    fleet.pause();
    await fleet.acknowledged();
    proxy.set(null);
    await judge('influx-answers', `InfluxDB answers ${name}`, gateway, fleet);
    expect(proxy.passed).toBeGreaterThan(0);
  });

  test('answers 503 while the server is killed: what was acknowledged before is stored after', async () => {
    const { gateway, fleet } = scene();
    proxy.set({ do: 'answer', status: 503 }, true);
    fleet.stream();
    await fleet.progress(60);
    await gateway.kill();
    fleet.pause();
    await gateway.start();
    await fleet.acknowledged();
    expect((await gateway.ledger()).pending).toBeGreaterThan(0);
    proxy.set(null);
    await judge('influx-answers', 'InfluxDB answers 503, kill -9', gateway, fleet);
  });
});
