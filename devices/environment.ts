import type { DeviceModel, DeviceSource } from './model.ts';
import { Random } from './random.ts';
import { Sampler } from './sampler.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, Sensor, Wander, daily, yearly } from './signal.ts';

interface EnvironmentReading {
  time: number;
  temperature: number | null;
  humidity: number | null;
  pressure: number | null;
  battery: number | null;
  ok: boolean;
}

/** Climate nodes, a third of them indoors: days and seasons, weather that wanders, batteries that run down. */
export const environment: DeviceModel = {
  name: 'environment',
  schemaFile: 'environment.avsc',
  create: (seed, index) => createNode(new Random(seed, index, 1)),
};

function createNode(random: Random): DeviceSource {
  const isIndoors = random.chance(1 / 3);
  const meanCelsius = isIndoors ? random.between(19.5, 23) : random.between(6, 14);
  const dailySwing = isIndoors ? random.between(0.3, 1.2) : random.between(3, 6);
  const yearlySwing = isIndoors ? 0.8 : random.between(7, 10);
  const peakHour = random.between(13, 15.5);
  const baseHpa = 1013.25 * Math.exp(-random.between(0, 900) / 8434);
  const baseHumidity = isIndoors ? random.between(38, 48) : random.between(60, 78);
  const weather = new Wander(random, isIndoors ? 0.3 : 2.2, 8 * HOUR_MS);
  const breeze = new Wander(random, isIndoors ? 0.05 : 0.25, 2 * MINUTE_MS);
  const moisture = new Wander(random, 4, 3 * HOUR_MS);
  const fronts = new Wander(random, 7, 20 * HOUR_MS);
  const battery = new Battery(random);

  const thermometer = new Sensor(random, {
    step: 0.01,
    noise: 0.02,
    driftPerDay: 0.002,
    min: -40,
    max: 85,
    faults: ['stuck', 'missing', 'noisy'],
  });
  const hygrometer = new Sensor(random, {
    step: 0.1,
    noise: 0.15,
    driftPerDay: 0.02,
    min: 0,
    max: 100,
    faults: ['stuck', 'missing'],
  });
  const barometer = new Sensor(random, {
    step: 0.01,
    noise: 0.03,
    driftPerDay: 0.005,
    min: 300,
    max: 1100,
    faults: ['missing', 'noisy'],
  });
  const voltmeter = new Sensor(random, {
    step: 0.001,
    noise: 0.004,
    driftPerDay: 0,
    min: 0,
    max: 5,
    faults: ['missing'],
  });
  const sensors = [thermometer, hygrometer, barometer, voltmeter];

  const sampler = new Sampler<EnvironmentReading>(random, (timeMs) => {
    const anomaly = dailySwing * daily(timeMs, peakHour) + weather.at(timeMs) + breeze.at(timeMs);
    const celsius = meanCelsius + yearlySwing * yearly(timeMs) + anomaly;
    // Warmer air holds more water: the relative humidity falls while the amount stays.
    const humidity = baseHumidity - 2.4 * anomaly + moisture.at(timeMs);
    return {
      time: timeMs,
      temperature: thermometer.read(timeMs, celsius),
      humidity: hygrometer.read(timeMs, humidity),
      pressure: barometer.read(timeMs, baseHpa + fronts.at(timeMs)),
      battery: voltmeter.read(timeMs, battery.voltage(timeMs, celsius)),
      // A stuck sensor looks healthy from inside.
      ok: sensors.every((sensor) => sensor.fault === null || sensor.fault === 'stuck'),
    };
  });
  return {
    next: (span) => {
      const readings = sampler.next(span);
      return readings === null ? null : { device: null, readings };
    },
  };
}

/** A lithium cell: it runs down over weeks, sags in the cold, and somebody changes it when it is empty. */
class Battery {
  readonly #random: Random;
  readonly #lossPerMs: number;
  #charge: number;
  #atMs: number | null = null;

  constructor(random: Random) {
    this.#random = random;
    this.#lossPerMs = random.between(0.01, 0.03) / DAY_MS;
    this.#charge = random.between(0.3, 1);
  }

  voltage(timeMs: number, celsius: number): number {
    this.#charge -= this.#lossPerMs * (timeMs - (this.#atMs ?? timeMs));
    this.#atMs = timeMs;
    if (this.#charge < 0.05) this.#charge = this.#random.between(0.95, 1);
    return 3.3 + 0.85 * this.#charge + 0.004 * Math.min(0, celsius - 10);
  }
}
