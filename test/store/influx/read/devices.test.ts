import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { openInfluxStore, type Store, type StoredDevice } from '../../../../src/store/index.ts';
import { describeWithInflux, startInflux, type InfluxServer } from '../../../fixtures/influxd.ts';
import { BASE_NS, batchOf, shape, type Point, type Shape } from '../../points.ts';

const room = shape('room', { temperature: 'float', note: 'string' }, ['zone']);
const car = shape('car', { speed: 'float' });
const never = new AbortController().signal;

describeWithInflux('devices on InfluxDB', () => {
  let server: InfluxServer;
  let store: Store;
  let bucket: string;

  beforeAll(async () => {
    server = await startInflux();
    bucket = await server.newBucket();
    const { url, token, org } = server;
    store = await openInfluxStore({ url, token, org, bucket });
  });
  afterAll(async () => {
    await store.close();
    await server.stop();
  });

  const measurements = [room.measurement, car.measurement];
  const devices = (after: string | null, limit: number): Promise<StoredDevice[]> =>
    store.devices({ measurements, after, limit }, never);
  const device = (id: string): Promise<StoredDevice | null> =>
    store.device({ measurements, device: id }, never);
  const put = async (of: Shape, points: Point[]): Promise<void> => {
    await store.write([batchOf(of, points)], { epoch: 'e', position: 1, refused: [] });
  };
  /** Writes lines as another program would. */
  const putForeign = async (...lines: string[]): Promise<void> => {
    const query = new URLSearchParams({ org: server.org, bucket, precision: 'ns' });
    const { status } = await fetch(`${server.url}/api/v2/write?${query.toString()}`, {
      method: 'POST',
      headers: { authorization: `Token ${server.token}` },
      body: lines.join('\n'),
    });
    expect(status).toBe(204);
  };

  test('are told with their first and last row over all measurements, whatever else is in the bucket', async () => {
    await put(room, [
      { timeNs: BASE_NS + 5n, device: 'b', fields: { note: 'x' } },
      { timeNs: BASE_NS + 1n, device: 'b', tags: { zone: 'z' }, fields: { temperature: 1 } },
      { timeNs: BASE_NS + 3n, device: "a'", fields: { temperature: 1 } },
    ]);
    await put(car, [{ timeNs: BASE_NS + 9n, device: 'b', fields: { speed: 1 } }]);
    const b = {
      device: 'b',
      firstSeenNs: BASE_NS + 1n,
      lastSeenNs: BASE_NS + 9n,
      measurements: ['car', 'room'],
    };
    const check = async (): Promise<void> => {
      expect((await devices(null, 10)).map((each) => each.device)).toEqual(["a'", 'b']);
      expect(await devices("a'", 10)).toEqual([b]);
      expect(await devices(null, 2)).toHaveLength(2);
      expect(await device('b')).toEqual(b);
      expect(await device('c')).toBeNull();
    };
    await check();
    await putForeign(
      // Fields of the same names and other types, other fields in a measurement of ours, measurements of any name.
      `weather,device=b temperature=7i,speed="fast" ${BASE_NS - 9n}`,
      `weather,device=c temperature=7i ${BASE_NS}`,
      `room,device=aa humidity=1i ${BASE_NS}`,
      `room,device=b humidity=1i ${BASE_NS - 9n}`,
      `room\\ "2",device=c note=true ${BASE_NS}`,
      `room,zone=z temperature=1 ${BASE_NS}`,
    );
    await check();
    expect(await device('aa')).toBeNull();
  });
});
