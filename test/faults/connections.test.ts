import { describe, expect, test } from '@jest/globals';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { until } from '../fixtures/until.ts';
import { PlainDriver, type Frame } from './harness/device.ts';
import { binaryMessage, sendAndCut, upgradeRequest } from './harness/one-frame.ts';
import { withScene } from './harness/scene.ts';
import { longCycles, seeded } from './harness/asked.ts';
import { judge } from './harness/verdict.ts';

const random = seeded('connections');
const CUTS = longCycles === null ? 30 : 300;

describe('connections', () => {
  test('that break again and again lose and repeat nothing', () =>
    withScene({ random }, async ({ gateway, fleet }) => {
      for (let i = 0; i < CUTS; i++) {
        const driver = random.pick([fleet.drivers[0], fleet.drivers[2]]);
        if (driver instanceof PlainDriver) driver.cut();
        await fleet.progress(random.below(10));
      }
      fleet.pause();
      await fleet.acknowledged();
      await judge('connections', 'cut at random', gateway, fleet);
    }));

  test('cut at every byte of the request and of a frame count whole frames only', () =>
    withScene({ random, devices: 0 }, async ({ gateway, fleet }) => {
      const model = fleet.addDevice('cut');
      const timeMs = Date.now() - 1_000;
      const reading = { timeMs, value: 16 };
      const bytes = environmentFrame([{ time: timeMs, temperature: reading.value }]);
      const frame: Frame = { bytes, readings: [reading], bad: false };
      const message = binaryMessage(bytes);
      const request = upgradeRequest(gateway.wsUrl, model.id);
      for (let length = 0; length <= request.length; length += length % 7 === 0 ? 1 : 3) {
        await sendAndCut(gateway.wsUrl, [request.subarray(0, length)], random.chance(0.5));
      }
      for (let length = 0; length < message.length; length++) {
        await sendAndCut(gateway.wsUrl, [request, message.subarray(0, length)], random.chance(0.5));
      }
      expect((await gateway.ledger()).received).toBe(0);
      // The whole frame is one, though nobody waits for its ack.
      model.frames.push(frame);
      model.highest = 1;
      await sendAndCut(gateway.wsUrl, [request, message], false);
      await until('the frame', async () => (await gateway.ledger()).received === 1);
      fleet.drive(model);
      await fleet.acknowledged();
      expect(model.acked).toBe(1);
      await judge('connections', 'cut at every byte', gateway, fleet);
    }));

  test('of the same device replace one another, and nothing is lost or twice', () =>
    withScene({ random, devices: 1 }, async ({ gateway, fleet }) => {
      const model = fleet.models[0];
      if (model === undefined) throw new Error('no device');
      for (let i = 0; i < CUTS; i++) {
        await fleet.progress(1 + random.below(5));
        const older = fleet.drivers[0];
        if (!(older instanceof PlainDriver)) throw new Error('not a plain driver');
        // The older connection goes on sending until it is told to go.
        const newer = new PlainDriver(model, gateway.wsUrl);
        await until('the older connection to be replaced', () => older.closeCode === 4508);
        fleet.drivers[0] = newer;
        newer.pump();
      }
      fleet.pause();
      await fleet.acknowledged();
      await judge('connections', 'same device twice', gateway, fleet);
    }));
});
