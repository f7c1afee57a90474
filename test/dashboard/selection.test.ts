import { describe, expect, test } from '@jest/globals';
import {
  EMPTY,
  MAX_DRAWN,
  chooseMeasurement,
  drawn,
  fromFragment,
  isFull,
  settle,
  toFragment,
  toggleDevice,
} from '../../src/dashboard/selection.ts';
import type { Catalogue, PageSelection } from '../../src/dashboard/selection.ts';

const number = (name: string, type = 'float') => ({ name, type, unit: null, doc: null });

function catalogueOf(devices: Record<string, { connected?: boolean; measurement?: string }>): Catalogue {
  return {
    measurements: [
      { name: 'power', doc: null, tags: [], fields: [number('voltage')] },
      {
        name: 'environment',
        doc: null,
        tags: [],
        fields: [number('note', 'string'), number('temperature'), number('ok', 'boolean')],
      },
    ],
    devices: Object.entries(devices).map(([device, { connected = true, measurement = 'environment' }]) => ({
      device,
      connected,
      measurements: [measurement],
    })),
  };
}

function many(count: number): Catalogue {
  return catalogueOf(Object.fromEntries(Array.from({ length: count }, (_, i) => [`env-${i + 1}`, {}])));
}

function names(selection: PageSelection): string[] {
  return drawn(selection).map(({ device }) => device);
}

describe('what the chart shows', () => {
  test('begins with the measurement of most devices, its first field that can be drawn, and five devices', () => {
    const selection = settle(EMPTY, many(12));
    expect(selection).toMatchObject({ measurement: 'environment', field: 'temperature', window: '15m' });
    expect(names(selection)).toEqual(['env-1', 'env-2', 'env-3', 'env-4', 'env-5']);
  });

  test('prefers devices that are connected', () => {
    const catalogue = catalogueOf({ a: { connected: false }, b: {}, c: {}, d: {}, e: {}, f: {} });
    expect(names(settle(EMPTY, catalogue))).toEqual(['b', 'c', 'd', 'e', 'f']);
  });

  test('takes devices up as they come, and drops none when it disconnects', () => {
    const early = settle(EMPTY, catalogueOf({ b: {} }));
    const later = settle(early, catalogueOf({ a: {}, b: { connected: false } }));
    expect(names(later)).toEqual(['b', 'a']);
  });

  test('stays the same value while nothing new is known', () => {
    const selection = settle(EMPTY, many(6));
    expect(settle(selection, many(6))).toBe(selection);
  });

  test('leaves a chosen set alone, an empty one too', () => {
    const chosen = toggleDevice(settle(EMPTY, catalogueOf({ a: {} })), 'a');
    expect(names(settle(chosen, many(6)))).toEqual([]);
  });

  test('lets a device keep its colour when others come and go', () => {
    let selection = settle(EMPTY, many(6));
    selection = toggleDevice(toggleDevice(selection, 'env-2'), 'env-6');
    expect(drawn(selection)).toContainEqual({ device: 'env-6', slot: 1 });
    expect(drawn(selection)).toContainEqual({ device: 'env-3', slot: 2 });
  });

  test('draws no more devices than there are colours', () => {
    let selection = settle(EMPTY, many(12));
    for (const device of ['env-6', 'env-7', 'env-8', 'env-9']) selection = toggleDevice(selection, device);
    expect(isFull(selection)).toBe(true);
    expect(names(selection)).toHaveLength(MAX_DRAWN);
    expect(names(selection)).not.toContain('env-9');
  });

  test('chooses devices anew for another measurement', () => {
    const catalogue = catalogueOf({ a: {}, b: {}, meter: { measurement: 'power' } });
    const power = chooseMeasurement(settle(EMPTY, catalogue), 'power', catalogue);
    expect(power).toMatchObject({ measurement: 'power', field: 'voltage' });
    expect(names(power)).toEqual(['meter']);
  });

  test('survives in the address', () => {
    const selection = toggleDevice(settle({ ...EMPTY, window: '1h' }, many(6)), 'env-1');
    const again = fromFragment(toFragment(selection));
    expect(names(again)).toEqual(names(selection));
    expect(again).toMatchObject({
      measurement: 'environment',
      field: 'temperature',
      window: '1h',
      auto: false,
    });
  });

  test('is made of what is sound in an address', () => {
    const devices = Array.from({ length: 20 }, (_, i) => `device=d${i}`).join('&');
    const selection = fromFragment(`#window=toString&field=x&${devices}&device=d1`);
    expect(selection.window).toBe('15m');
    expect(names(selection)).toHaveLength(MAX_DRAWN);
    expect(fromFragment('')).toEqual(EMPTY);
  });
});
