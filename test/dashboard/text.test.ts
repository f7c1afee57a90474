import { describe, expect, test } from '@jest/globals';
import { emptyText, noteText, valueText, viewFromMs } from '../../src/dashboard/chart-text.ts';
import {
  byName,
  formatAge,
  formatAxisValue,
  formatBytes,
  formatRate,
  formatUptime,
  parseTimeMs,
} from '../../src/dashboard/format.ts';

const field = (type: string) => ({ name: 'x', type, unit: null, doc: null });
const drawing = {
  phase: { name: 'live' },
  points: 12_345,
  sliceMs: 0,
  shownMs: 900_000,
  windowMs: 900_000,
  gaps: 0,
} as const;

describe('numbers and times of the page', () => {
  test('show sizes in the unit that fits', () => {
    expect([0, 1_023, 1_536, 300 * 1_024, 5 * 1_024 ** 3].map(formatBytes)).toEqual([
      '0 B',
      '1,023 B',
      '1.5 KiB',
      '300 KiB',
      '5 GiB',
    ]);
  });

  test('show small rates with a decimal, ages and running times in words', () => {
    expect([0.25, 99.96, 12_345.6].map(formatRate)).toEqual(['0.3', '100', '12,346']);
    expect([400, 12_000, 200_000, 7_300_000].map(formatAge)).toEqual(['now', '12 s', '3 min', '2 h']);
    expect([45, 750, 7_300, 100_000].map(formatUptime)).toEqual(['45 s', '12 min', '2 h 1 min', '1 d 3 h']);
  });

  test('order names as people do', () => {
    expect(['d-10', 'd-2', 'a'].sort(byName)).toEqual(['a', 'd-2', 'd-10']);
  });

  test('tell apart times closer than a millisecond', () => {
    const whole = Date.parse('2026-01-01T00:00:00.123Z');
    expect(parseTimeMs('2026-01-01T00:00:00.123Z')).toBe(whole);
    expect(parseTimeMs('2026-01-01T00:00:00.123500Z')).toBeCloseTo(whole + 0.5, 3);
    expect(parseTimeMs('2026-01-01T01:00:00.123500000+01:00')).toBeCloseTo(whole + 0.5, 3);
    expect(parseTimeMs('soon')).toBeNaN();
  });

  test.each([
    [1e-9, '1.000e−9'],
    [-2.5e-12, '−2.500e−12'],
    [0.0123, '0.0123'],
    [0.00123, '0.00123'],
    [0.5, '0.500'],
    [12.3456, '12.35'],
    [1_234.5, '1,234.5'],
    [0, '0.000'],
  ])('show about four figures of %d', (value, text) => {
    expect(valueText(value, field('float'), Math.abs(value))).toBe(text);
  });

  test.each([
    [[0, 2e-10, 4e-10], 2e-10, ['0', '2e−10', '4e−10']],
    [[1e-9, 1.5e-9], 5e-10, ['1.0e−9', '1.5e−9']],
    [[20, 22.5], 2.5, ['20', '23']],
    [[0.25, 0.3], 0.05, ['0.25', '0.30']],
    [
      [9_007_199_254_740_000, 9_007_199_254_741_000],
      1_000,
      ['9,007,199,254,740,000', '9,007,199,254,741,000'],
    ],
  ])('tell the lines %j of an axis apart', (values, step, texts) => {
    expect(values.map((value) => formatAxisValue(value, step))).toEqual(texts);
  });

  test('give values of one chart the same number of digits', () => {
    expect(valueText(5.15, field('float'), 20.5)).toBe('5.15');
    expect(valueText(5, field('integer'), 5)).toBe('5');
    expect(valueText(0, field('boolean'), 1)).toBe('false');
    expect(valueText(undefined, null, 0)).toBe('–');
  });
});

describe('the words around the chart', () => {
  test('say that points are down-sampled, how, and what was skipped', () => {
    expect(noteText(drawing)).toBe('History joined to live · 12,345 points');
    expect(noteText({ ...drawing, sliceMs: 2_400, gaps: 1 })).toBe(
      'History joined to live · 12,345 points · down-sampled: lowest and highest of every 2.4 s · 1 gap in the stream',
    );
    expect(noteText({ ...drawing, phase: { name: 'live_only' } })).toContain('history is not readable');
  });

  test('say why there is no line', () => {
    const power = { measurement: 'power', field: 'voltage', devices: 1, isLoaded: true, gateway: 'ws://h:1' };
    expect(emptyText({ name: 'idle' }, { ...power, isLoaded: false })).toBe('Loading…');
    expect(emptyText({ name: 'idle' }, { ...power, devices: 0 })).toContain('none has sent power yet');
    expect(emptyText({ name: 'failed', message: 'no such field' }, power)).toContain('no such field');
    expect(emptyText({ name: 'live' }, power)).toContain('No readings');
  });

  test('say what to do where nothing is there yet', () => {
    const nothing = { measurement: null, field: null, devices: 0, isLoaded: true, gateway: 'ws://h:1' };
    expect(emptyText({ name: 'idle' }, nothing)).toContain('No schema is registered yet');
    const texts = emptyText({ name: 'idle' }, { ...nothing, measurement: 'door_log' });
    expect(texts).toBe('door log has no number that could be drawn. Its latest values are below.');
    const power = { ...nothing, measurement: 'power', field: 'voltage' };
    expect(emptyText({ name: 'idle' }, power)).toContain('npx millrace devices --url ws://h:1 ');
  });

  test('let a young stream fill the chart, and an old one the window', () => {
    const toMs = 10_000_000;
    expect(viewFromMs(toMs, 900_000, undefined)).toBe(toMs - 60_000);
    expect(viewFromMs(toMs, 900_000, toMs - 5_000)).toBe(toMs - 60_000);
    expect(viewFromMs(toMs, 900_000, toMs - 200_000)).toBe(toMs - 200_000);
    expect(viewFromMs(toMs, 900_000, toMs - 5_000_000)).toBe(toMs - 900_000);
  });
});
