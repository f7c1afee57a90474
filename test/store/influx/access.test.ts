import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openInfluxStore, type RefusedPoint, type Store } from '../../../src/store/index.ts';
import {
  describeWithInflux,
  influxIsForeign,
  startInflux,
  type InfluxServer,
} from '../../fixtures/influxd.ts';
import { until } from '../../fixtures/until.ts';
import { BASE_NS, batchOf, shape, SECOND_NS } from '../points.ts';
import { cellsOf, neverAborted, rowsQuery } from '../subject.ts';

const room = shape('room', { t: 'float' });

describeWithInflux('what a real InfluxDB lets the store do', () => {
  let server: InfluxServer;
  const opened: Store[] = [];
  let position = 0;

  beforeAll(async () => {
    server = await startInflux();
  });
  afterAll(async () => {
    for (const store of opened) await store.close();
    await server.stop();
  });

  const open = async (bucket: string, token = server.token): Promise<Store> => {
    const store = await openInfluxStore({ url: server.url, org: server.org, token, bucket });
    opened.push(store);
    return store;
  };
  const write = (store: Store, second: number): Promise<RefusedPoint[]> =>
    store.write(
      [batchOf(room, [{ timeNs: BASE_NS + BigInt(second) * SECOND_NS, device: 'a', fields: { t: second } }])],
      { epoch: 'e', position: ++position, refused: [] },
    );
  const rows = async (store: Store): Promise<number> =>
    (await cellsOf(await store.rows(rowsQuery(room.measurement), neverAborted()))).length;
  const expectDown = (store: Store, reason: RegExp): void =>
    expect(store.state()).toMatchObject({ state: 'down', reason: expect.stringMatching(reason) });

  test('a token that is switched off drops nothing, and the store is up again by itself once it is taken', async () => {
    const bucket = await server.newBucket();
    const token = await server.newToken(bucket, ['read', 'write']);
    const store = await open(bucket, token.token);
    expect(await write(store, 1)).toEqual([]);
    await token.setActive(false);
    await expect(write(store, 2)).rejects.toMatchObject({ code: 'store_unavailable', status: 403 });
    await expect(store.probe()).rejects.toMatchObject({ code: 'store_unavailable' });
    expectDown(store, /403.*INFLUX_TOKEN/);
    await token.setActive(true);
    await until('the store is up', () => store.state().state === 'up');
    await store.probe();
    expect(await write(store, 2)).toEqual([]);
    expect(await rows(store)).toBe(2);
  });

  test('a bucket that is deleted drops nothing, and takes points again once there is one of its name', async () => {
    const bucket = await server.newBucket();
    const store = await open(bucket);
    await write(store, 1);
    await server.deleteBucket(bucket);
    await expect(write(store, 2)).rejects.toMatchObject({ code: 'store_unavailable', status: 404 });
    await expect(store.probe()).rejects.toMatchObject({ code: 'store_unavailable', status: 404 });
    expectDown(store, /404.*INFLUX_BUCKET/);
    await server.newBucket({ name: bucket });
    await until('the store is up', () => store.state().state === 'up');
    expect(await write(store, 2)).toEqual([]);
    expect(await rows(store)).toBe(1);
  });

  test('a token that may only read shows before the first write, and reads do not hide it', async () => {
    const bucket = await server.newBucket();
    const { token } = await server.newToken(bucket, ['read']);
    const store = await open(bucket, token);
    expectDown(store, /403.*write permission/);
    expect(await rows(store)).toBe(0);
    expectDown(store, /403.*write permission/);
    await expect(store.probe()).rejects.toMatchObject({ status: 403 });
    await expect(write(store, 1)).rejects.toMatchObject({ code: 'store_unavailable', status: 403 });
  });

  (influxIsForeign ? test.skip : test)(
    'a probe tells a server that is gone from one that is back',
    async () => {
      const store = await open(await server.newBucket());
      await store.probe();
      await server.kill();
      await expect(store.probe()).rejects.toMatchObject({ code: 'store_unavailable', status: null });
      expectDown(store, /cannot be reached/);
      await server.restart();
      await store.probe();
      expect(store.state()).toEqual({ state: 'up', reason: null });
    },
  );
});
