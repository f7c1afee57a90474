import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import avsc from 'avsc';
import { environment } from '../../devices/environment.ts';
import type { DeviceModel, FrameRecord } from '../../devices/model.ts';
import { power } from '../../devices/power.ts';
import { vehicle } from '../../devices/vehicle.ts';

const START_MS = Date.UTC(2026, 4, 1);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

type Reading = Record<string, unknown> & { time: number };

/** The frames of one device, one per `periodMs`; null where it is silent. */
function frames(
  model: DeviceModel,
  { seed = 1, index = 1, periodMs = 10_000, count = 5, durationMs = DAY_MS } = {},
): (FrameRecord | null)[] {
  const source = model.create(seed, index);
  const made: (FrameRecord | null)[] = [];
  for (let fromMs = START_MS; fromMs < START_MS + durationMs; fromMs += periodMs) {
    made.push(source.next({ fromMs, untilMs: fromMs + periodMs, count }));
  }
  return made;
}

const readingsOf = (record: FrameRecord | null) => (record?.['readings'] ?? []) as Reading[];
const numbersOf = (readings: Reading[], field: string) =>
  readings.map((reading) => reading[field]).filter((value) => typeof value === 'number');
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each([environment, vehicle, power])('the $name model', (model) => {
  test('makes the same frames from the same seed, and others from another seed or index', () => {
    const short = { durationMs: 2 * HOUR_MS };
    const once = JSON.stringify(frames(model, short));
    expect(JSON.stringify(frames(model, short))).toBe(once);
    expect(JSON.stringify(frames(model, { ...short, seed: 2 }))).not.toBe(once);
    expect(JSON.stringify(frames(model, { ...short, index: 2 }))).not.toBe(once);
  });

  test('makes records that its schema describes completely', () => {
    const text = readFileSync(`${process.cwd()}/schemas/${model.schemaFile}`, 'utf8');
    const type = avsc.Type.forSchema(JSON.parse(text) as avsc.Schema);
    const made = frames(model, { periodMs: 30_000 });
    const foreign = made.filter(
      (record) => record !== null && !type.isValid(record, { noUndeclaredFields: true }),
    );
    expect(foreign).toEqual([]);
  });

  test.each([
    { periodMs: 10_000, count: 5 },
    { periodMs: 1_000, count: 1 },
    { periodMs: 500, count: 250 },
    { periodMs: 100, count: 100 },
  ])(
    'gives exactly $count readings per $periodMs ms, never two with one time, none from the future',
    (form) => {
      const made = frames(model, { ...form, durationMs: (40_000 / form.count + 100) * form.periodMs });
      const sizes = new Set(made.flatMap((record) => (record === null ? [] : [readingsOf(record).length])));
      expect([...sizes]).toEqual([form.count]);
      const times = made.flatMap((record) => readingsOf(record).map(({ time }) => time));
      expect(new Set(times).size).toBe(times.length);
      const delays = made.flatMap((record, i) =>
        readingsOf(record).map(({ time }) => START_MS + (i + 1) * form.periodMs - time),
      );
      expect(delays.filter((ms) => ms < 0)).toEqual([]);
      // Held back for ten frames at most, and for as long as the device is silent.
      expect(delays.filter((ms) => ms > 12 * form.periodMs + 5 * 60_000)).toEqual([]);
    },
  );

  test('every reading has a value', () => {
    const empty = frames(model, { periodMs: 30_000, count: 2, durationMs: 3 * DAY_MS })
      .flatMap(readingsOf)
      .filter((reading) =>
        Object.entries(reading).every(
          ([name, value]) => name === 'time' || value === null || Number.isNaN(value),
        ),
      );
    expect(empty).toEqual([]);
  });

  test('is sometimes silent, late or out of order, but not in its first five minutes', () => {
    const fleet = [1, 2, 3, 4].map((index) => frames(model, { index, count: 3 }));
    expect(fleet.flat().filter((record) => record === null).length).toBeGreaterThan(10);
    const first = fleet.flatMap((made) => made.slice(0, 30));
    expect(first).not.toContain(null);
    let late = 0;
    let swapped = 0;
    for (const made of fleet) {
      let newest = 0;
      for (const record of made) {
        const times = readingsOf(record).map((reading) => reading.time);
        late += times.filter((time) => time < newest).length;
        swapped += times.filter((time, i) => i > 0 && time < (times[i - 1] ?? 0)).length;
        newest = Math.max(newest, ...times);
      }
    }
    const total = fleet.flat().flatMap(readingsOf).length;
    expect(late / total).toBeGreaterThan(0.001);
    expect(late / total).toBeLessThan(0.02);
    expect(swapped).toBeGreaterThan(late);
  });
});

describe('believable data', () => {
  test('outdoor temperatures follow the day, and humidity falls while they rise', () => {
    const fleet = Array.from({ length: 20 }, (_, index) =>
      frames(environment, { index, periodMs: 300_000, count: 1, durationMs: 4 * DAY_MS }).flatMap(readingsOf),
    ).flat();
    const at = (hour: number) => fleet.filter(({ time }) => Math.floor((time % DAY_MS) / HOUR_MS) === hour);
    const noon = at(14);
    const night = at(2);
    const swing = mean(numbersOf(noon, 'temperature')) - mean(numbersOf(night, 'temperature'));
    expect(swing).toBeGreaterThan(3);
    expect(swing).toBeLessThan(15);
    expect(mean(numbersOf(noon, 'humidity'))).toBeLessThan(mean(numbersOf(night, 'humidity')));
    expect(Math.max(...numbersOf(fleet, 'temperature').map(Math.abs))).toBeLessThan(60);
    expect(Math.min(...numbersOf(fleet, 'pressure'))).toBeGreaterThan(860);
    expect(Math.min(...numbersOf(fleet, 'battery'))).toBeGreaterThan(2.9);
  });

  test('sensors fail: some values are missing, some stay stuck, and the self-test tells of some', () => {
    const readings = frames(environment, { periodMs: 10_000, count: 1, durationMs: 6 * DAY_MS }).flatMap(
      readingsOf,
    );
    const missing = readings.filter((reading) => reading['temperature'] === null).length;
    expect(missing / readings.length).toBeGreaterThan(0.0005);
    expect(missing / readings.length).toBeLessThan(0.1);
    expect(readings.some((reading) => reading['ok'] === false)).toBe(true);
    let run = 0;
    let longest = 0;
    for (const [i, reading] of readings.entries()) {
      const isSame =
        reading['temperature'] !== null && reading['temperature'] === readings[i - 1]?.['temperature'];
      run = isSame ? run + 1 : 0;
      longest = Math.max(longest, run);
    }
    expect(longest).toBeGreaterThan(3);
    const first = readings.filter(({ time }) => time <= START_MS + 300_000);
    expect(numbersOf(first, 'temperature')).toHaveLength(first.length);
  });

  test('a truck moves as far as its speed says, burns fuel on the way and fills up again', () => {
    const readings = frames(vehicle, { periodMs: 5_000, count: 1, durationMs: 3 * DAY_MS }).flatMap(
      readingsOf,
    );
    let odometerKm = 0;
    let trackKm = 0;
    for (const [i, reading] of readings.entries()) {
      const before = readings[i - 1];
      if (before === undefined || reading.time <= before.time) continue;
      const [a, b] = [before, reading].map(({ latitude, longitude }) => [latitude, longitude]);
      const [north, east] = [0, 1].map(
        (axis) => Number(b?.[axis] ?? Number.NaN) - Number(a?.[axis] ?? Number.NaN),
      );
      const narrowing = Math.cos((Number(reading['latitude']) * Math.PI) / 180);
      const km = Math.hypot(north ?? 0, (east ?? 0) * narrowing) * 111.2;
      // Stuck and missing positions, and the noise of a truck that stands, would only blur the comparison.
      if (!(km > 0) || km > 1 || Number(reading['velocity']) < 20) continue;
      trackKm += km;
      odometerKm += (Number(reading['velocity']) * (reading.time - before.time)) / HOUR_MS;
    }
    expect(trackKm).toBeGreaterThan(200);
    expect(trackKm / odometerKm).toBeGreaterThan(0.9);
    expect(trackKm / odometerKm).toBeLessThan(1.1);
    const fuel = numbersOf(readings, 'fuel_state');
    expect(Math.min(...fuel)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...fuel)).toBeLessThanOrEqual(1);
    expect(fuel.some((level, i) => level > (fuel[i - 1] ?? 1) + 0.4)).toBe(true);
    expect(readings.some((reading) => reading['velocity'] === 0)).toBe(true);
  });

  test('a meter counts the energy of its power, upwards only, at 230 V and 50 Hz', () => {
    for (const index of [1, 2, 3, 4, 5, 6]) {
      const readings = frames(power, { index, periodMs: 10_000, count: 1 })
        .flatMap(readingsOf)
        .sort((a, b) => a.time - b.time);
      let wattHours = 0;
      let backwards = 0;
      for (const [i, reading] of readings.entries()) {
        const before = readings[i - 1];
        if (before === undefined) continue;
        const watts = ['l1', 'l2', 'l3'].map((l) => (reading[l] as { power: number }).power);
        wattHours +=
          ((watts[0] ?? 0) + (watts[1] ?? 0) + (watts[2] ?? 0)) * ((reading.time - before.time) / HOUR_MS);
        const counters = ['energy_import', 'energy_export'];
        if (counters.some((name) => Number(reading[name]) < Number(before[name]))) backwards += 1;
      }
      expect(backwards).toBe(0);
      const [first, last] = [readings[0], readings.at(-1)];
      const counted = (name: string) => Number(last?.[name]) - Number(first?.[name]);
      expect(Math.abs(counted('energy_import') - counted('energy_export') - wattHours)).toBeLessThan(200);
      const volts = numbersOf(
        readings.map((reading) => ({ time: 0, ...(reading['l1'] as object) })),
        'voltage',
      );
      expect(mean(volts.filter((v) => !Number.isNaN(v)))).toBeGreaterThan(222);
      expect(mean(volts.filter((v) => !Number.isNaN(v)))).toBeLessThan(240);
      const hertz = numbersOf(readings, 'frequency').filter((v) => !Number.isNaN(v));
      expect(Math.max(...hertz.map((v) => Math.abs(v - 50)))).toBeLessThan(0.1);
    }
  });
});
