import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { runFleet } from '../../devices/index.ts';
import { temporaryFolder } from '../fixtures/folder.ts';
import { freePort } from '../fixtures/free-port.ts';
import { describeWithInflux, startInflux, type InfluxServer } from '../fixtures/influxd.ts';
import { runMillrace, startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

interface Ledger {
  received: number;
  stored: number;
  pending: number;
  rejected: number;
  duplicates: number;
  deadLettered: number;
  expired: number;
}

async function json<T>(url: string): Promise<T> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

const ledgerOf = (server: ServerProcess): Promise<Ledger> => json<Ledger>(`${server.url}/v1/ledger`);

/** Waits until the store has everything, then counts the rows of a measurement. */
async function countStored(server: ServerProcess, measurement: string): Promise<number> {
  await until('everything stored', async () => (await ledgerOf(server)).pending === 0);
  const answer = await json<{ rows: unknown[][] }>(
    `${server.url}/v1/query?measurement=${measurement}&fn=count&field=ok&from=-2d&to=-0s`,
  );
  return Number(answer.rows[0]?.[1] ?? 0);
}

/** The promises of the first issue, the same on every store. */
function firstLight(environment: () => Record<string, string>): void {
  const folder = temporaryFolder();
  let server: ServerProcess;
  let port: string;
  const start = (): Promise<ServerProcess> =>
    startServer({ MILLRACE_DATA_DIR: folder.path, MILLRACE_PORT: port, ...environment() });
  beforeAll(async () => {
    port = await freePort();
    server = await start();
  });
  afterAll(async () => {
    await server.end('SIGTERM');
    folder.remove();
  });

  test('every reading of a simulated fleet is acknowledged, stored and counted once', async () => {
    const args = `devices --url ${server.wsUrl} --model environment --count 50 --rate 4 --readings 10 --duration 3s --seed 11 --json`;
    const { code, stdout } = await runMillrace(args.split(' '));
    expect(code).toBe(0);
    const summary = JSON.parse(stdout) as Record<string, number>;
    expect(summary['frames_sent']).toBeGreaterThanOrEqual(500);
    expect(summary['frames_acked']).toBe(summary['frames_sent']);
    expect(summary['frames_rejected']).toBe(0);
    expect(await countStored(server, 'environment')).toBe(summary['readings_acked']);
  });

  test('kill -9 in the middle of a stream, restart, resend: each reading once', async () => {
    const before = await countStored(server, 'environment');
    const stop = new AbortController();
    const fleet = runFleet({
      url: server.wsUrl,
      model: 'environment',
      count: 20,
      rate: 20,
      readings: 5,
      durationMs: 60_000,
      seed: 12,
      idPrefix: 'killed',
      signal: stop.signal,
    });
    for (let round = 0; round < 2; round++) {
      const { received } = await ledgerOf(server);
      await until('some more readings', async () => (await ledgerOf(server)).received > received + 1_000);
      expect(await server.end('SIGKILL')).toBeNull();
      server = await start();
    }
    await until(
      'every device is back',
      async () => {
        const { devices } = await json<{ devices: { connected: number } }>(`${server.url}/v1/stats`);
        return devices.connected === 20;
      },
      40_000,
    );
    stop.abort();
    const summary = await fleet;
    expect(summary.reconnects).toBeGreaterThanOrEqual(20);
    expect(summary.frames_acked).toBe(summary.frames_sent);
    expect((await countStored(server, 'environment')) - before).toBe(summary.readings_acked);
    const { received: all, ...parts } = await ledgerOf(server);
    expect(Object.values(parts).reduce((sum, count) => sum + count, 0)).toBe(all);
    expect(parts.stored + parts.duplicates).toBe(all);
  });

  test('what was stored before a planned restart is there after it', async () => {
    const before = await countStored(server, 'environment');
    expect(await server.end('SIGTERM')).toBe(0);
    server = await start();
    expect(await countStored(server, 'environment')).toBe(before);
    expect(before).toBeGreaterThan(5_000);
  });
}

describe('on DuckDB', () => firstLight(() => ({})));

describeWithInflux('on InfluxDB 2.7', () => {
  let influx: InfluxServer;
  let bucket: string;
  beforeAll(async () => {
    influx = await startInflux();
    bucket = await influx.newBucket();
  });
  afterAll(() => influx.stop());

  firstLight(() => ({
    MILLRACE_STORE: 'influxdb',
    INFLUX_URL: influx.url,
    INFLUX_TOKEN: influx.token,
    INFLUX_ORG: influx.org,
    INFLUX_BUCKET: bucket,
  }));

  test('away at the start: frames are taken and kept, queries are refused, and it catches up', async () => {
    const folder = temporaryFolder();
    const away = await startInflux();
    const settings = {
      MILLRACE_DATA_DIR: folder.path,
      MILLRACE_STORE: 'influxdb',
      INFLUX_URL: away.url,
      INFLUX_TOKEN: away.token,
      INFLUX_ORG: away.org,
      INFLUX_BUCKET: await away.newBucket(),
    };
    await away.kill();
    const server = await startServer(settings);
    expect((await fetch(`${server.url}/readyz?for=query`)).status).toBe(503);
    const refused = await fetch(`${server.url}/v1/query?measurement=environment`);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ code: 'store_unavailable' });
    const summary = await runFleet({
      url: server.wsUrl,
      model: 'environment',
      count: 5,
      rate: 10,
      readings: 2,
      durationMs: 1_000,
      seed: 13,
    });
    expect(summary.frames_acked).toBe(summary.frames_sent);
    expect(await ledgerOf(server)).toMatchObject({ pending: summary.readings_acked, stored: 0 });
    await away.restart();
    await until('queries are ready', async () => (await fetch(`${server.url}/readyz?for=query`)).ok, 40_000);
    expect(await countStored(server, 'environment')).toBe(summary.readings_acked);
    expect(await server.end('SIGTERM')).toBe(0);
    await away.stop();
    folder.remove();
  });
});
