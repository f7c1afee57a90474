import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import mqtt, { type MqttClient } from 'mqtt';
import { DEVICE_TOPIC_FILTER } from '../../../src/core/index.ts';
import { MqttBridge, type BridgeOptions } from '../../../src/ingest/index.ts';
import { environmentFrame } from '../../fixtures/environment-frames.ts';
import { describeWithMosquitto, startMosquitto, type Mosquitto } from '../../fixtures/mosquitto.ts';
import { until } from '../../fixtures/until.ts';
import { openGateway, type TestGateway } from './gateway.ts';

let lastTime = Date.now() - 60_000;
/** No two are alike. */
const frame = (device: string | null = null): Buffer => environmentFrame([{ time: lastTime++ }], device);

describeWithMosquitto('the bridge from an MQTT broker', () => {
  let broker: Mosquitto;
  let publisher: MqttClient;
  let gateway: TestGateway;
  /** Each test's own: sessions of other tests stay in theirs, and get frames there. */
  let group = '';
  const bridges: MqttBridge[] = [];
  beforeAll(async () => {
    broker = await startMosquitto();
    publisher = await mqtt.connectAsync(broker.url, { reconnectPeriod: 20, protocolVersion: 5 });
    publisher.on('error', () => {});
  });
  beforeEach(async () => {
    group = `group${lastTime++}`;
    gateway = await openGateway();
  });
  afterEach(async () => {
    for (const bridge of bridges.splice(0)) await stop(bridge);
    await gateway.close();
  });
  afterAll(async () => {
    await publisher.endAsync(true);
    await broker.stop();
  });

  const publish = (device: string, payload: Buffer, qos: 0 | 1 = 1) =>
    publisher.publishAsync(`millrace/v1/${device}/frames`, payload, { qos });
  const stop = async (bridge: MqttBridge): Promise<void> => {
    bridge.goaway();
    bridge.end();
    await bridge.closed();
  };
  /** Each test has a session of its own; it waits for the subscription unless `state` says otherwise. */
  const open = async (
    options: Partial<BridgeOptions> = {},
    state: MqttBridge['status']['state'] = 'up',
  ): Promise<MqttBridge> => {
    const bridge = new MqttBridge(gateway.hub, {
      url: broker.url,
      filter: `$share/${group}/${DEVICE_TOPIC_FILTER}`,
      clientId: `bridge${lastTime++}`,
      version: 5,
      caFile: null,
      certFile: null,
      keyFile: null,
      logger: gateway.logger,
      random: () => 0,
      ...options,
    });
    bridges.push(gateway.hub.add(bridge));
    await bridge.start();
    await until(`the bridge is ${state}`, () => bridge.status.state === state);
    return bridge;
  };
  const received = (count: number) =>
    until(`${count} readings`, () => gateway.journal.ledger().received === count);
  const settled = (bridge: MqttBridge) =>
    until('all is acknowledged', () => bridge.status.unacknowledged === 0);
  const letters = () => gateway.journal.deadLetters(100);

  for (const [name, version] of [
    ['5', 5],
    ['3.1.1', 4],
  ] as const) {
    test(`in MQTT ${name}: acknowledges each packet when its frame is on disk, and not before`, async () => {
      const clientId = `acks-${name}`;
      const bridge = await open({ clientId, version });
      const release = gateway.storage.hold();
      for (let i = 0; i < 10; i++) await publish('a', frame());
      // That none is acknowledged keeps none of the others waiting.
      await until('ten wait', () => bridge.status.unacknowledged === 10);
      await broker.end('SIGTERM');
      await broker.start();
      await until('the bridge is back', () => bridge.status.state === 'up' && bridge.status.connects === 2);
      expect(bridge.status.session).toBe('resumed');
      await until('they come again', () => bridge.status.redelivered >= 10);
      release();
      await settled(bridge);
      expect(gateway.journal.ledger()).toMatchObject({ received: 20, duplicates: 10, pending: 10 });
      // What is acknowledged does not come a third time.
      await stop(bridge);
      const again = await open({ clientId, version });
      await publish('a', frame());
      await received(21);
      expect(again.status.redelivered).toBe(0);
    });

    test(`in MQTT ${name}: a refused frame becomes a dead letter, is acknowledged, and does not come again`, async () => {
      const clientId = `refused-${name}`;
      const bridge = await open({ clientId, version });
      const good = frame();
      await publish('a', good.subarray(0, good.length - 1));
      await publish('a', frame('somebody-else'));
      await publish('a', Buffer.alloc(0));
      await publish('a', good);
      await received(4);
      await settled(bridge);
      expect(letters().map(({ device, transport, code }) => [device, transport, code])).toEqual([
        ['a', 'mqtt', 'frame_empty'],
        ['a', 'mqtt', 'device_mismatch'],
        ['a', 'mqtt', 'frame_truncated'],
      ]);
      await stop(bridge);
      await open({ clientId, version });
      await publish('a', frame());
      await received(5);
      expect(letters()).toHaveLength(3);
    });
  }

  test('a topic that names no device is counted, told and acknowledged', async () => {
    const bridge = await open();
    await publish('-not-a-device', frame());
    await publish('', frame());
    await publish('d'.repeat(129), frame());
    await publish('a', frame());
    await received(1);
    await settled(bridge);
    expect(gateway.hub.frames.rejected.get('device_invalid')).toBe(3);
    expect(gateway.lines.filter(({ code }) => code === 'device_invalid')).toHaveLength(1);
    expect(letters()).toEqual([]);
  });

  test('a topic of another form names its devices by another filter', async () => {
    const bridge = await open({ filter: '$share/two/plant/+/telemetry/avro' });
    await publisher.publishAsync('plant/pump-7/telemetry/avro', frame('pump-7'), { qos: 1 });
    await received(1);
    await settled(bridge);
    expect(letters()).toEqual([]);
  });

  test('frames of QoS 0 are taken', async () => {
    await open();
    await publish('a', frame(), 0);
    await received(1);
  });

  test('while the journal cannot be written it leaves the broker, and afterwards takes every frame once', async () => {
    const bridge = await open();
    gateway.storage.failReopenWith(new Error('No space left on device'));
    gateway.storage.failWith(new Error('No space left on device'));
    for (let i = 0; i < 5; i++) await publish('a', frame());
    await until('it has left', () => bridge.status.state === 'waiting');
    expect(bridge.status.reason).toContain('journal_failed');
    for (let i = 0; i < 5; i++) await publish('a', frame());
    gateway.storage.failReopenWith(null);
    gateway.storage.failWith(null);
    await until('it is back', () => bridge.status.state === 'up');
    expect(bridge.status.session).toBe('resumed');
    await until('all are pending', () => gateway.journal.ledger().pending === 10);
    await settled(bridge);
    expect(gateway.journal.ledger().pending).toBe(10);
  });

  test('a broker that restarts without what it knew is told of', async () => {
    const forgetful = await startMosquitto({ persistence: false });
    try {
      const bridge = await open({ url: forgetful.url });
      await forgetful.end('SIGKILL');
      await until('it is away', () => bridge.status.state === 'away');
      await forgetful.start();
      await until('it is back', () => bridge.status.state === 'up');
      expect(bridge.status).toMatchObject({ session: 'lost', sessionsLost: 1, connects: 2 });
      expect(gateway.lines.map(({ msg }) => msg)).toContain(
        'the MQTT broker has lost our session, and with it the frames that it kept for us',
      );
      await stop(bridge);
    } finally {
      await forgetful.stop();
    }
  });

  test('a stop takes what came to the disk, acknowledges it and leaves the rest to the broker', async () => {
    const clientId = 'stopping';
    const bridge = await open({ clientId });
    const release = gateway.storage.hold();
    for (let i = 0; i < 5; i++) await publish('a', frame());
    await until('five wait', () => bridge.status.unacknowledged === 5);
    const drained = gateway.hub.drain('the server is stopping');
    await publish('a', frame());
    release();
    await drained;
    await bridge.closed();
    expect(bridge.status.state).toBe('stopped');
    await gateway.close();

    gateway = await openGateway();
    const next = await open({ clientId });
    await received(1);
    await settled(next);
    expect(next.status.session).toBe('resumed');
  });

  test('two of one group share the frames, and none is taken twice', async () => {
    const [one, two] = [await open(), await open()];
    for (let i = 0; i < 20; i++) await publish('a', frame());
    await received(20);
    await settled(one);
    await settled(two);
    expect(gateway.journal.ledger()).toMatchObject({ received: 20, duplicates: 0 });
  });
});
