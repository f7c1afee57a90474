import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import avsc from 'avsc';
import { encodeSingleObjectHeader, fingerprintOf } from '../../src/codec/index.ts';
import { DeviceSocket } from '../fixtures/device-socket.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { describeWithInflux, startInflux, type InfluxServer } from '../fixtures/influxd.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';
import { TailSocket } from '../tail/tail-socket.ts';

const SCHEMA = JSON.stringify({
  type: 'record',
  name: 'Pulse',
  fields: [{ name: 'n', type: 'int' }],
});
const type = avsc.Type.forSchema(JSON.parse(SCHEMA) as avsc.Schema);
const header = encodeSingleObjectHeader(fingerprintOf(SCHEMA));
const FRAMES = 500;

/** Sends the frames from one number to another as fast as the socket takes them. */
async function send(server: ServerProcess, from: number, to: number): Promise<void> {
  const device = new DeviceSocket(server.wsUrl, 'device=d1');
  const { seq = 0 } = await device.expect('welcome');
  for (let n = from; n < to; n++) {
    device.socket.send(Buffer.concat([header, type.toBuffer({ n })]));
  }
  await device.acked(seq + to - from);
  await device.end();
}

async function storedRows(server: ServerProcess): Promise<unknown[][]> {
  await until('everything stored', async () => {
    const ledger = (await (await fetch(`${server.url}/v1/ledger`)).json()) as { pending: number };
    return ledger.pending === 0;
  });
  const answer = await fetch(`${server.url}/v1/query?measurement=pulse&from=-1h&to=now&order=asc`);
  return ((await answer.json()) as { rows: unknown[][] }).rows;
}

/** Frames of a schema without a time, the same on every store. */
function noTime(environment: () => Record<string, string>): void {
  const folder = temporaryFolder();
  let server: ServerProcess;
  const start = (): Promise<ServerProcess> =>
    startServer({
      MILLRACE_DATA_DIR: join(folder.path, 'data'),
      MILLRACE_SCHEMAS: folder.path,
      ...environment(),
    });
  beforeAll(async () => {
    writeFileSync(join(folder.path, 'pulse.avsc'), SCHEMA);
    server = await start();
  });
  afterAll(async () => {
    await server.end('SIGTERM');
    folder.remove();
  });

  test('500 frames are 500 rows in the order of the frames, also over kill -9, and tails say the same times', async () => {
    const live = new TailSocket(`${server.wsUrl}/v1/tail?measurement=pulse`, []);
    const { cursor = '' } = await live.expect('subscribed');
    await send(server, 0, FRAMES / 2);
    const delivered = await live.expectRows(FRAMES / 2);
    await live.end();

    expect(await server.end('SIGKILL')).toBeNull();
    server = await start();
    await send(server, FRAMES / 2, FRAMES);
    const stored = await storedRows(server);
    expect(stored).toHaveLength(FRAMES);
    expect(stored.map(([, , n]) => n)).toEqual(Array.from({ length: FRAMES }, (_, n) => n));
    expect(delivered).toEqual(stored.slice(0, FRAMES / 2));

    const resumed = new TailSocket(
      `${server.wsUrl}/v1/tail?measurement=pulse&cursor=${encodeURIComponent(cursor)}`,
      [],
    );
    expect(await resumed.expectRows(FRAMES)).toEqual(stored);
    await resumed.end();
  });
}

describe('without a time, on DuckDB,', () => noTime(() => ({})));

describeWithInflux('without a time, on InfluxDB 2.7,', () => {
  let influx: InfluxServer;
  let bucket: string;
  beforeAll(async () => {
    influx = await startInflux();
    bucket = await influx.newBucket();
  });
  afterAll(() => influx.stop());

  noTime(() => ({
    MILLRACE_STORE: 'influxdb',
    INFLUX_URL: influx.url,
    INFLUX_TOKEN: influx.token,
    INFLUX_ORG: influx.org,
    INFLUX_BUCKET: bucket,
  }));
});
