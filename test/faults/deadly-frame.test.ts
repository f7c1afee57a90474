import { describe, expect, test } from '@jest/globals';
import { until } from '../fixtures/until.ts';
import { environmentFrame } from '../fixtures/environment-frames.ts';
import { PATIENCE_MS, seeded } from './harness/asked.ts';
import { DeviceModel, PlainDriver } from './harness/device.ts';
import type { Patch } from './harness/patches.ts';
import { withScene } from './harness/scene.ts';
import { imbalance } from './harness/verdict.ts';

const random = seeded('deadly-frame');
const DEADLY = 'deadly';

/** A writer process dies whenever it stores a row of one device. */
const BEGIN = "await connection.run('BEGIN TRANSACTION');";
const holdsDeadly = `batches.some(({ device, rows }) => device.slice(0, rows).includes('${DEADLY}'))`;
const DIES: Patch = {
  in: 'store/duckdb/write/transaction.js',
  find: BEGIN,
  replace: `if (${holdsDeadly}) process.kill(process.pid, 'SIGKILL'); ${BEGIN}`,
};

describe('a frame that ends the writer process whenever it is stored', () => {
  test('becomes a dead letter, an alarm stands until then, and everything else is stored', () =>
    withScene({ random, badPart: 0, patches: [DIES] }, async ({ gateway, fleet }) => {
      await fleet.progress(50);
      const model = new DeviceModel(DEADLY);
      const times = [Date.now() - 2, Date.now() - 1];
      const bytes = environmentFrame(times.map((time) => ({ time, temperature: 1 })));
      model.frames.push({ bytes, readings: times.map((timeMs) => ({ timeMs, value: 1 })), bad: false });
      const driver = new PlainDriver(model, gateway.wsUrl);
      try {
        await until('its ack', () => model.settled, PATIENCE_MS);
        await fleet.progress(50);
        const alarm = /"alarm":"the writer process ended with SIGKILL, \d+ times in a row at position \d+/;
        await until('the alarm', async () => alarm.test(await gateway.readiness()), PATIENCE_MS);
        await fleet.progress(50);
        fleet.pause();
        await fleet.acknowledged();
        await until('nothing pending', async () => (await gateway.ledger()).pending === 0, PATIENCE_MS);
      } finally {
        driver.close();
      }

      const sent = fleet.models.flatMap(({ frames }) => frames.flatMap(({ readings }) => readings)).length;
      const ledger = await gateway.ledger();
      expect(imbalance(ledger)).toBeNull();
      expect(ledger).toMatchObject({
        received: sent + times.length,
        stored: sent,
        deadLettered: times.length,
      });
      const { deadLetters } = await gateway.json<{
        deadLetters: { device: string; code: string; message: string }[];
      }>('/v1/dead-letters');
      expect(deadLetters.map(({ device, code }) => [device, code])).toEqual([[DEADLY, 'store_refused']]);
      expect(deadLetters[0]?.message).toContain('times in a row while it stored this frame alone');
      const { rows } = await gateway.json<{ rows: [string, string, number][] }>(
        '/v1/query?measurement=environment&from=0&to=2100-01-01T00:00:00Z&field=temperature&fn=count&group=device',
      );
      expect(rows.map(([, device]) => device)).not.toContain(DEADLY);
      expect(rows.reduce((sum, [, , count]) => sum + count, 0)).toBe(sent);
      expect(await gateway.readiness()).toContain('"alarm":null');
      expect(gateway.log).toContain('a frame becomes a dead letter');
    }));
});
