import { expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeWithInflux, startInflux } from '../fixtures/influxd.ts';
import { messageOf } from '../../src/core/index.ts';
import { type DeviceModel, PlainDriver, RivalDrivers } from './harness/device.ts';
import type { Fleet } from './harness/fleet.ts';
import type { Gateway, Ledger } from './harness/gateway.ts';
import { InfluxProxy } from './harness/influx-proxy.ts';
import { withScene } from './harness/scene.ts';
import { longCycles, seeded } from './harness/asked.ts';
import { imbalance, judge } from './harness/verdict.ts';

const random = seeded('ledger');
const READINGS = 100;
const RUN_MS = longCycles === null ? 10_000 : 60_000;
const BAD_PART = 0.1;

/** A ledger, and what the devices know that it has to have received: at least and at most. */
interface Seen {
  ledger: Ledger;
  least: number;
  most: number;
}

/** Reads the ledger of a living server so many times, and a kill now and then costs some time. */
async function watch(gateway: Gateway, fleet: Fleet): Promise<Seen[]> {
  const seen: Seen[] = [];
  while (seen.length < READINGS) {
    await sleep(RUN_MS / READINGS / 2);
    const least = counted(fleet.models, ({ acked }) => acked);
    try {
      const ledger = await gateway.ledger();
      seen.push({ ledger, least, most: counted(fleet.models, ({ highest }) => highest) });
    } catch (error) {
      // Killed, and not up again; an answer that says no is another matter.
      if (!['fetch failed', 'terminated'].includes(messageOf(error))) throw error;
    }
  }
  return seen;
}

/** Readings of the models' frames up to a number; a bad frame counts as one. */
function counted(models: readonly DeviceModel[], upTo: (model: DeviceModel) => number): number {
  const frames = models.flatMap((model) => model.frames.slice(0, upTo(model)));
  return frames.reduce((sum, { bad, readings }) => sum + (bad ? 1 : readings.length), 0);
}

/** A second connection of a device: the first is told to go, and what it still sends may come twice. */
function double(gateway: Gateway, fleet: Fleet): void {
  const [model] = fleet.models;
  const [driver] = fleet.drivers;
  if (model === undefined || driver === undefined) return;
  const rivals = driver instanceof RivalDrivers ? driver : new RivalDrivers([driver]);
  rivals.add(new PlainDriver(model, gateway.wsUrl));
  fleet.drivers[0] = rivals;
}

/** Kills, outages, cut connections and doubled devices, one after the other, until told to stop. */
async function torment(gateway: Gateway, proxy: InfluxProxy, fleet: Fleet, signal: AbortSignal) {
  while (!signal.aborted) {
    proxy.set({ do: 'answer', status: 503 }, true);
    await sleep(random.between(100, 500));
    await gateway.kill();
    await gateway.start();
    await fleet.progress(10);
    proxy.set({ do: 'cut the response' });
    await sleep(random.between(100, 500));
    proxy.set(null);
    double(gateway, fleet);
    for (const driver of fleet.drivers) driver.cut();
    await fleet.progress(10);
    await gateway.kill();
    await gateway.start();
    await sleep(random.between(RUN_MS / 10, RUN_MS / 5));
  }
}

describeWithInflux('the ledger', () => {
  test(
    `balances at each of ${READINGS} readings through kills, bad frames, doubled devices and outages of the store`,
    async () => {
      const influx = await startInflux();
      const proxy = await InfluxProxy.start(influx.url);
      const env = {
        MILLRACE_STORE: 'influxdb',
        INFLUX_URL: proxy.url,
        INFLUX_TOKEN: influx.token,
        INFLUX_ORG: influx.org,
        INFLUX_BUCKET: await influx.newBucket(),
      };
      try {
        await withScene({ random, env, badPart: BAD_PART, odd: true }, async ({ gateway, fleet }) => {
          const over = new AbortController();
          const tormented = torment(gateway, proxy, fleet, over.signal);
          const seen = await watch(gateway, fleet);
          over.abort();
          await tormented;
          fleet.pause();
          await fleet.acknowledged();
          const broken = fleet.models[0]?.broken;
          for (const [i, { ledger, least, most }] of seen.entries()) {
            const off = imbalance(ledger);
            if (off !== null) broken?.push(off);
            const taken = ledger.received - ledger.duplicates;
            if (taken < least || taken > most) broken?.push(`received ${taken}, sent ${least} to ${most}`);
            const before = seen[i - 1]?.ledger;
            if (before !== undefined && (ledger.received < before.received || ledger.stored < before.stored))
              broken?.push(`a count went back: ${JSON.stringify(before)}, then ${JSON.stringify(ledger)}`);
          }
          expect(seen.some(({ ledger }) => ledger.pending > 0)).toBe(true);
          await judge('ledger', `ledger read ${READINGS} times`, gateway, fleet);
        });
      } finally {
        await proxy.close();
        await influx.stop();
      }
    },
    240_000 + 5 * RUN_MS,
  );
});
