import type { DeviceModel, DeviceSource } from './model.ts';
import { Random } from './random.ts';
import { Sampler } from './sampler.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, Sensor, Wander, daily, yearly } from './signal.ts';

interface Phase {
  voltage: number;
  current: number;
  power: number;
  power_factor: number | null;
}

interface PowerReading {
  time: number;
  l1: Phase;
  l2: Phase;
  l3: Phase;
  frequency: number;
  energy_import: number;
  energy_export: number;
}

/** Three-phase meters of homes and workshops, a third with a photovoltaic system that exports by day. */
export const power: DeviceModel = {
  name: 'power',
  schemaFile: 'power.avsc',
  create: (seed, index) => createMeter(new Random(seed, index, 3)),
};

/** Meters were set to zero then; the counters of a run go on from what they would have counted since. */
const INSTALLED_MS = Date.UTC(2020, 0, 1);

function createMeter(random: Random): DeviceSource {
  const phases = [new PhaseModel(random), new PhaseModel(random), new PhaseModel(random)] as const;
  const peakWatts = random.chance(1 / 3) ? random.between(3_000, 10_000) : 0;
  const clouds = new Wander(random, 0.3, 20 * MINUTE_MS);
  const demand = new Wander(random, 0.15, HOUR_MS);
  const frequency = new Sensor(random, {
    step: 0.001,
    noise: 0.001,
    driftPerDay: 0,
    min: 45,
    max: 55,
    faults: ['missing', 'stuck'],
  });
  let atMs: number | null = null;
  let importWh = 0;
  let exportWh = 0;

  const sampler = new Sampler<PowerReading>(random, (timeMs) => {
    const sun = Math.max(0, daily(timeMs, 11.2) + 0.25 * yearly(timeMs));
    const solarWatts = peakWatts * Math.min(1, sun) * Math.min(1, Math.max(0.1, 0.75 + clouds.at(timeMs)));
    const activity = householdCurve(timeMs) * Math.max(0.3, 1 + demand.at(timeMs));
    const [l1, l2, l3] = phases;
    const measured = [l1, l2, l3].map((phase) => phase.measure(timeMs, activity, solarWatts / 3));
    const netWatts = phases.reduce((sum, phase) => sum + phase.netWatts, 0);
    if (atMs === null) {
      importWh = ((timeMs - INSTALLED_MS) / HOUR_MS) * 420;
      exportWh = peakWatts === 0 ? 0 : ((timeMs - INSTALLED_MS) / HOUR_MS) * peakWatts * 0.08;
    } else {
      const hours = (timeMs - atMs) / HOUR_MS;
      importWh += Math.max(0, netWatts) * hours;
      exportWh += Math.max(0, -netWatts) * hours;
    }
    atMs = timeMs;
    const [a, b, c] = measured;
    return {
      time: timeMs,
      l1: a ?? IDLE,
      l2: b ?? IDLE,
      l3: c ?? IDLE,
      // The grid's frequency is one for all meters: a function of time alone, apart from the measuring.
      frequency: frequency.read(timeMs, gridHertz(timeMs)) ?? Number.NaN,
      energy_import: Math.floor(importWh),
      energy_export: Math.floor(exportWh),
    };
  });
  return {
    next: (span) => {
      const readings = sampler.next(span);
      return readings === null ? null : { readings };
    },
  };
}

const IDLE: Phase = { voltage: Number.NaN, current: 0, power: 0, power_factor: null };

/** One phase: a base load, the household's rhythm, a compressor that cycles and now and then a kettle. */
class PhaseModel {
  readonly #random: Random;
  readonly #baseWatts: number;
  readonly #activeWatts: number;
  readonly #cycleMs: number;
  readonly #grid: Wander;
  readonly #voltmeter: Sensor;
  readonly #ammeter: Sensor;
  #kettleUntilMs = 0;
  #nextKettleMs: number | null = null;
  /** Consumption less production of the last measurement, in watts. */
  netWatts = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#baseWatts = random.between(40, 160);
    this.#activeWatts = random.between(250, 1_100);
    this.#cycleMs = random.between(20, 55) * MINUTE_MS;
    this.#grid = new Wander(random, 1.8, 10 * MINUTE_MS);
    // The schema's phases cannot be null: a value that is missing travels as NaN.
    const sensor = {
      noise: 0.05,
      driftPerDay: 0.001,
      min: 0,
      faults: ['missing', 'noisy', 'stuck'],
    } as const;
    this.#voltmeter = new Sensor(random, { ...sensor, step: 0.1, max: 300 });
    this.#ammeter = new Sensor(random, { ...sensor, step: 0.01, max: 100, noise: 0.01 });
  }

  measure(timeMs: number, activity: number, solarWatts: number): Phase {
    const watts = this.#consumption(timeMs, activity);
    this.netWatts = watts - solarWatts;
    const factor = Math.min(0.99, 0.82 + watts / 12_000);
    const volts = 231 + this.#grid.at(timeMs) - this.netWatts * 0.0008;
    const ampere = this.#ammeter.read(timeMs, Math.abs(this.netWatts) / (volts * factor));
    return {
      voltage: this.#voltmeter.read(timeMs, volts) ?? Number.NaN,
      current: ampere ?? Number.NaN,
      power: Math.round(this.netWatts * 10) / 10,
      power_factor: ampere === null ? null : Math.round(factor * Math.sign(this.netWatts || 1) * 1e3) / 1e3,
    };
  }

  #consumption(timeMs: number, activity: number): number {
    this.#nextKettleMs ??= timeMs + this.#random.exponential(2 * HOUR_MS);
    if (timeMs >= this.#nextKettleMs) {
      this.#kettleUntilMs = timeMs + this.#random.between(2, 5) * MINUTE_MS;
      this.#nextKettleMs = timeMs + this.#random.exponential((3 * HOUR_MS) / Math.max(0.2, activity));
    }
    const compressor = timeMs % this.#cycleMs < this.#cycleMs * 0.35 ? 95 : 0;
    const kettle = timeMs < this.#kettleUntilMs ? 2_000 : 0;
    const flicker = 1 + 0.02 * this.#random.normal();
    return (this.#baseWatts + compressor + kettle + this.#activeWatts * activity) * flicker;
  }
}

/** How much goes on in a household: peaks in the morning and the evening, more in winter. */
function householdCurve(timeMs: number): number {
  const hour = (timeMs % DAY_MS) / HOUR_MS;
  const peak = (at: number, width: number) => Math.exp(-(((hour - at) / width) ** 2));
  return (0.15 + 0.7 * peak(7, 1.5) + 0.35 * peak(12, 1.8) + peak(18.8, 2.4)) * (1 - 0.2 * yearly(timeMs));
}

function gridHertz(timeMs: number): number {
  const seconds = timeMs / 1_000;
  return (
    50 + 0.012 * Math.sin(seconds / 97) + 0.009 * Math.sin(seconds / 31) + 0.005 * Math.sin(seconds / 7.3)
  );
}
