import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { temporaryFolder } from '../fixtures/folder.ts';
import { hasMosquitto, startMosquitto, type Mosquitto } from '../fixtures/mosquitto.ts';
import { describeWith } from '../fixtures/program.ts';
import { hasPython, PYTHON } from '../fixtures/python.ts';
import { startServer, type ServerProcess } from '../fixtures/server.ts';
import { until } from '../fixtures/until.ts';

const FRAMES = 20;
const NEEDED = `mosquitto, and ${PYTHON}`;

describeWith(hasPython() && hasMosquitto, NEEDED, 'a device written in Python with paho', () => {
  const folder = temporaryFolder();
  let broker: Mosquitto;
  let server: ServerProcess;
  beforeAll(async () => {
    broker = await startMosquitto();
    server = await startServer({ MILLRACE_DATA_DIR: folder.path, MQTT_URL: broker.url });
    await until('the bridge', async () => (await bridge()).state === 'up');
  });
  afterAll(async () => {
    await server.end('SIGTERM');
    await broker.stop();
    folder.remove();
  });

  const get = async <T>(path: string): Promise<T> => (await (await fetch(server.url + path)).json()) as T;
  const bridge = async () =>
    (await get<{ parts: { mqttBridge: { state: string } } }>('/readyz')).parts.mqttBridge;
  const ledger = async () =>
    (await get<{ byTransport: { mqtt: Record<string, number> } }>('/v1/ledger?by=transport')).byTransport
      .mqtt;
  const publish = async (url: string, version: string, device: string): Promise<(number | null)[]> => {
    const script = join(process.cwd(), 'test', 'interop', 'mqtt_device.py');
    const schema = join(process.cwd(), 'schemas', 'environment.avsc');
    const args = [script, url, version, schema, device, String(FRAMES)];
    const { stdout } = await promisify(execFile)('python3', args);
    return (JSON.parse(stdout) as { acked: (number | null)[] }).acked;
  };
  /** What a device brought is in the ledger and in the store, once. */
  const expectStored = async (device: string, before: Record<string, number>): Promise<void> => {
    const { received = 0, duplicates = 0, rejected = 0, stored = 0 } = before;
    await until('all is stored', async () => (await ledger()).stored === stored + FRAMES);
    expect(await ledger()).toMatchObject({
      received: received + FRAMES + 2,
      duplicates: duplicates + 1,
      rejected: rejected + 1,
      pending: 0,
    });
    const { rows } = await get<{ rows: unknown[] }>(`/v1/query?measurement=environment&device=${device}`);
    expect(rows).toHaveLength(FRAMES);
  };

  for (const version of ['3.1.1', '5']) {
    test(`publishes in MQTT ${version} to a broker, and is found in the store once`, async () => {
      const device = `bridged-${version}`;
      const before = await ledger();
      await publish(broker.url, version, device);
      await expectStored(device, before);
    });
  }

  test('the bridge is told of by /readyz and /metrics', async () => {
    expect(await bridge()).toMatchObject({ state: 'up', reason: null, broker: broker.url, version: 5 });
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    expect(metrics).toContain('millrace_mqtt_bridge_state{state="up"} 1');
    expect(metrics).toContain('millrace_mqtt_bridge_connects_total 1');
  });
});
