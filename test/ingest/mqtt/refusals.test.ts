import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import mqtt, { type IClientOptions } from 'mqtt';
import { BRIDGE_TOPIC_FILTER } from '../../../src/core/index.ts';
import { MqttBridge, type BridgeOptions } from '../../../src/ingest/index.ts';
import { environmentFrame } from '../../fixtures/environment-frames.ts';
import { freePort } from '../../fixtures/free-port.ts';
import { describeWithMosquitto, startMosquitto } from '../../fixtures/mosquitto.ts';
import { until } from '../../fixtures/until.ts';
import { openGateway, type TestGateway } from './gateway.ts';
import { startSmallBroker, type BrokerBehaviour } from './small-broker.ts';

const TLS = join(process.cwd(), 'test', 'vectors', 'tls');
const REFUSED_311 = { cmd: 'connack', returnCode: 1, sessionPresent: false } as const;
const TAKEN = { cmd: 'connack', returnCode: 0, reasonCode: 0, sessionPresent: false } as const;

let gateway: TestGateway;
let bridge: MqttBridge;
beforeEach(async () => {
  gateway = await openGateway();
});
afterEach(async () => {
  bridge.goaway();
  bridge.end();
  await bridge.closed();
  await gateway.close();
});

async function open(
  options: Partial<BridgeOptions> & { url: string },
  state: MqttBridge['status']['state'],
): Promise<void> {
  bridge = new MqttBridge(gateway.hub, {
    filter: BRIDGE_TOPIC_FILTER,
    clientId: 'bridge',
    version: null,
    caFile: null,
    certFile: null,
    keyFile: null,
    logger: gateway.logger,
    random: () => 0,
    ...options,
  });
  await bridge.start();
  await until(`the bridge is ${state}`, () => bridge.status.state === state);
}
const warnings = () => gateway.lines.filter(({ level }) => level === 40);

describe('the bridge to a broker', () => {
  const withBroker = async (behaviour: BrokerBehaviour, run: (url: string) => Promise<void>) => {
    const broker = await startSmallBroker(behaviour);
    await run(broker.url).finally(() => broker.stop());
  };

  for (const [how, answer] of [
    ['refuses version 5 in the words of 3.1.1', REFUSED_311],
    ['closes the connection of a version that it does not know', null],
  ] as const) {
    test(`that ${how} goes on in 3.1.1`, () =>
      withBroker(
        { connect: ({ protocolVersion }) => (protocolVersion === 5 ? answer : TAKEN) },
        async (url) => {
          await open({ url }, 'up');
          expect(bridge.status.version).toBe(4);
        },
      ));
  }

  for (const [how, subscribe, words] of [
    ['refuses the subscription', 0x80, 'Unspecified error'],
    ['grants QoS 0 alone', 0, 'it grants QoS 0'],
  ] as const) {
    test(`that ${how} is told of once, and asked again`, async () => {
      let asked = 0;
      const connect = () => {
        asked++;
        return TAKEN;
      };
      await withBroker({ connect, subscribe }, async (url) => {
        await open({ url, version: 5 }, 'refused');
        expect(bridge.status.reason).toContain(words);
        expect(bridge.status.reason).toContain(BRIDGE_TOPIC_FILTER);
        await until('it asks again', () => asked === 2);
        expect(warnings()).toMatchObject([{ state: 'refused' }]);
      });
    });
  }

  test('that is not there is away, and its version is not put in doubt', async () => {
    const port = await freePort();
    await open({ url: `mqtt://127.0.0.1:${port}` }, 'away');
    expect(bridge.status).toMatchObject({ version: null, connects: 0 });
    expect(bridge.status.reason).toContain('ECONNREFUSED');
  });

  test('whose certificate cannot be read is away, and says which file', async () => {
    await open({ url: 'mqtts://127.0.0.1:1', caFile: '/nowhere/ca.pem' }, 'away');
    expect(bridge.status.reason).toContain('/nowhere/ca.pem');
  });
});

describeWithMosquitto('the bridge to a Mosquitto', () => {
  test('that asks for a password says so without showing one', async () => {
    const broker = await startMosquitto({ lines: ['allow_anonymous false'] });
    try {
      const url = broker.url.replace('://', '://somebody:p%40ss-word@');
      await open({ url, version: 5 }, 'refused');
      expect(bridge.status.reason).toMatch(/not authorized/i);
      expect(JSON.stringify([gateway.lines, bridge.status])).not.toMatch(/p@ss|p%40ss|somebody/);
    } finally {
      await broker.stop();
    }
  });

  test('that asks for a certificate gets ours, and another authority is not believed', async () => {
    const lines = ['ca', 'server', 'server']
      .map(
        (name, i) => `${['cafile', 'certfile', 'keyfile'][i]} ${join(TLS, name)}.${i === 2 ? 'key' : 'pem'}`,
      )
      .concat('require_certificate true');
    const broker = await startMosquitto({ lines });
    const url = broker.url.replace('mqtt:', 'mqtts:');
    const files = { certFile: join(TLS, 'client.pem'), keyFile: join(TLS, 'client.key') };
    try {
      await open({ url, version: 5, ...files, caFile: join(TLS, 'other-ca.pem') }, 'away');
      expect(bridge.status.reason).toMatch(/certificate/);
      bridge.goaway();
      bridge.end();
      await open({ url, version: 5, ...files, caFile: join(TLS, 'ca.pem') }, 'up');
      const [ca, cert, key] = ['ca.pem', 'client.pem', 'client.key'].map((name) =>
        readFileSync(join(TLS, name)),
      );
      const device = await mqtt.connectAsync(url, { ca, cert, key } as IClientOptions);
      await device.publishAsync('millrace/v1/a/frames', environmentFrame([{ time: Date.now() }]), { qos: 1 });
      await device.endAsync();
      await until('the frame', () => gateway.journal.ledger().received === 1);
    } finally {
      await broker.stop();
    }
  });
});
