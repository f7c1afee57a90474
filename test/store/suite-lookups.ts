import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Measurement } from '../../src/core/index.ts';
import { BASE_NS, SECOND_NS, shape, type Point } from './points.ts';
import { randomPoints, SAMPLE } from './random-points.ts';
import { Reference } from './reference.ts';
import { cellsOf, expectRows, neverAborted, type Subject } from './subject.ts';

function at(second: number, device: string, more: Omit<Point, 'timeNs' | 'device'>): Point {
  return { timeNs: BASE_NS + BigInt(second) * SECOND_NS, device, ...more };
}

function ids(devices: readonly { device: string }[]): string[] {
  return devices.map(({ device }) => device);
}

export function lookupTests(subject: Subject): void {
  const latest = async (
    measurement: Measurement,
    selection: { fields?: string[]; devices?: string[]; tags?: Record<string, string[]> } = {},
  ) => {
    const whole = { measurement, fields: [], devices: [], tags: {}, ...selection };
    return cellsOf(await subject.store.latest(whole, neverAborted()));
  };
  describe('latest', () => {
    test('has one row per device: its newest time, and the newest value of each tag and field', async () => {
      const newest = shape('latest_newest', { x: 'float', ok: 'boolean' }, ['room']);
      await subject.write(newest, [
        at(1, 'latest-b', { fields: { x: 1, ok: true } }),
        at(5, 'latest-a', { tags: { room: 'hall' }, fields: { x: 5, ok: false } }),
        at(9, 'latest-a', { fields: { x: 9 } }),
        at(3, 'latest-a', { tags: { room: 'attic' }, fields: { x: 3, ok: true } }),
      ]);
      expect(await latest(newest.measurement)).toEqual([
        [BASE_NS + 9n * SECOND_NS, 'latest-a', 'hall', 9, false],
        [BASE_NS + SECOND_NS, 'latest-b', null, 1, true],
      ]);
      expect(await latest(newest.measurement, { devices: ['latest-a'], fields: ['ok'] })).toEqual([
        [BASE_NS + 5n * SECOND_NS, 'latest-a', 'hall', false],
      ]);
      expect(await latest(newest.measurement, { tags: { room: ['attic'] } })).toEqual([
        [BASE_NS + 3n * SECOND_NS, 'latest-a', 'attic', 3, true],
      ]);
    });

    test('is empty for a measurement that was never written', async () => {
      expect(await latest(shape('latest_never', { x: 'float' }).measurement)).toEqual([]);
    });

    test('of random points is what the reference finds', async () => {
      let run = 0;
      await fc.assert(
        fc.asyncProperty(randomPoints, async (points) => {
          const random = shape(`latest_random_${run++}`, SAMPLE.fields, SAMPLE.tags);
          const reference = new Reference(random);
          await subject.write(random, points);
          reference.write(points);
          expectRows(await latest(random.measurement), reference.latest());
        }),
        { seed: 3, numRuns: 15 },
      );
    });
  });

  describe('devices', () => {
    test('are listed by id with first and last time and measurements, page by page', async () => {
      const one = shape('devices_one', { x: 'float' });
      const two = shape('devices_two', { x: 'float' });
      await subject.write(one, [
        at(5, 'zz-devices-1', { fields: { x: 1 } }),
        at(7, 'zz-devices-2', { fields: { x: 1 } }),
        at(6, 'zz-devices-3', { fields: { x: 1 } }),
      ]);
      await subject.write(two, [
        at(2, 'zz-devices-2', { fields: { x: 1 } }),
        at(3, 'zz-devices-2', { fields: { x: 1 } }),
      ]);
      const second = {
        device: 'zz-devices-2',
        firstSeenNs: BASE_NS + 2n * SECOND_NS,
        lastSeenNs: BASE_NS + 7n * SECOND_NS,
        measurements: ['devices_one', 'devices_two'],
      };
      const page = await subject.devices('zz-devices-1', 1);
      expect(page).toEqual([second]);
      expect(ids(await subject.devices('zz-devices-2', 1))).toEqual(['zz-devices-3']);
      expect(ids(await subject.devices('zz-devices-0', 2))).toEqual(['zz-devices-1', 'zz-devices-2']);
      const all = ids(await subject.devices(null, 10_000));
      expect(all).toContain('zz-devices-3');
      expect(all).toEqual(all.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
      expect(await subject.device('zz-devices-2')).toEqual(second);
      expect(await subject.device('zz-devices-9')).toBeNull();
    });

    test('are found in measurements that have fields of one name and different types', async () => {
      const types = { number: 'float', count: 'integer', flag: 'boolean', text: 'string' } as const;
      const values = { number: 1.5, count: 2n, flag: true, text: 'x' };
      const names = Object.keys(types) as (keyof typeof types)[];
      const shapes = names.map((name) => shape(`devices_typed_${name}`, { same: types[name] }));
      for (const [i, each] of shapes.entries()) {
        const same = values[names[i] ?? 'number'];
        await subject.write(each, [
          at(i, 'zz-typed', { fields: { same } }),
          at(i, `zz-typed-${i}`, { fields: { same } }),
        ]);
      }
      const all = {
        device: 'zz-typed',
        firstSeenNs: BASE_NS,
        lastSeenNs: BASE_NS + 3n * SECOND_NS,
        measurements: names.map((name) => `devices_typed_${name}`).toSorted(),
      };
      expect(await subject.device('zz-typed')).toEqual(all);
      expect(await subject.devices('zz-type', 1)).toEqual([all]);
      expect(ids(await subject.devices('zz-typed', 4))).toEqual(names.map((_, i) => `zz-typed-${i}`));
    });

    test('are those of the asked measurements alone', async () => {
      const [asked, other] = [shape('devices_asked', { x: 'float' }), shape('devices_other', { x: 'float' })];
      for (const [i, device] of ['zz-asked-1', 'zz-asked-2', 'zz-asked-3'].entries()) {
        await subject.write(i === 1 ? other : asked, [at(i, device, { fields: { x: 1 } })]);
      }
      await subject.write(other, [at(9, 'zz-asked-1', { fields: { x: 1 } })]);
      const measurements = [asked.measurement];
      const query = { measurements, after: 'zz-asked', limit: 2 };
      expect(await subject.store.devices(query, neverAborted())).toEqual(
        [0n, 2n].map((second) => ({
          device: `zz-asked-${second + 1n}`,
          firstSeenNs: BASE_NS + second * SECOND_NS,
          lastSeenNs: BASE_NS + second * SECOND_NS,
          measurements: ['devices_asked'],
        })),
      );
      for (const [given, device] of [[measurements, 'zz-asked-2'] as const, [[], 'zz-asked-1'] as const]) {
        expect(await subject.store.device({ measurements: given, device }, neverAborted())).toBeNull();
      }
      expect(await subject.store.devices({ ...query, measurements: [] }, neverAborted())).toEqual([]);
    });

    test('late rows move the first time, newer ones the last', async () => {
      const moved = shape('devices_moved', { x: 'float' });
      for (const second of [50, 10, 90]) {
        await subject.write(moved, [at(second, 'zz-moved', { fields: { x: second } })]);
      }
      expect(await subject.device('zz-moved')).toMatchObject({
        firstSeenNs: BASE_NS + 10n * SECOND_NS,
        lastSeenNs: BASE_NS + 90n * SECOND_NS,
      });
    });
  });
}
