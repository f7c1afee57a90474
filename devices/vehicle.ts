import type { DeviceModel, DeviceSource } from './model.ts';
import { Random } from './random.ts';
import { Sampler } from './sampler.ts';
import { Sensor } from './signal.ts';
import type { FaultKind } from './signal.ts';
import { Trip } from './trip.ts';
import type { TruckModel } from './trip.ts';

interface VehicleReading {
  time: number;
  latitude: number | null;
  longitude: number | null;
  elevation: number | null;
  velocity: number | null;
  heading: number | null;
  grade: number | null;
  fuel_consumption: number | null;
  fuel_state: number | null;
  current_load: number | null;
  status: number | null;
}

// The values of the Time Series Benchmark Suite's IoT set.
const FLEETS = ['East', 'West', 'North', 'South'] as const;
const DRIVERS = ['Derek', 'Rodney', 'Albert', 'Andy', 'Seth', 'Trish'] as const;
const DEVICE_VERSIONS = ['v1.0', 'v1.5', 'v2.0', 'v2.3'] as const;
const TRUCKS: readonly [TruckModel, ...TruckModel[]] = [
  { name: 'F-150', loadCapacityKg: 2_000, fuelCapacityL: 200, consumption: 15 },
  { name: 'G-2000', loadCapacityKg: 5_000, fuelCapacityL: 300, consumption: 19 },
  { name: 'H-2', loadCapacityKg: 1_500, fuelCapacityL: 150, consumption: 12 },
];

/** Trucks of the Time Series Benchmark Suite's IoT set: trips by day, rests by night, readings and diagnostics. */
export const vehicle: DeviceModel = {
  name: 'vehicle',
  schemaFile: 'vehicle.avsc',
  create: (seed, index) => createTruck(new Random(seed, index, 2), index),
};

function createTruck(random: Random, index: number): DeviceSource {
  const model = random.pick(TRUCKS);
  const trip = new Trip(random, model);
  const label = {
    name: `truck_${index}`,
    fleet: random.pick(FLEETS),
    driver: random.pick(DRIVERS),
    model: model.name,
    device_version: random.pick(DEVICE_VERSIONS),
    load_capacity: model.loadCapacityKg,
    fuel_capacity: model.fuelCapacityL,
    nominal_fuel_consumption: model.consumption,
  };
  const sensor = (
    step: number,
    noise: number,
    min: number,
    max: number,
    ...faults: [FaultKind, ...FaultKind[]]
  ) => new Sensor(random, { step, noise, driftPerDay: 0, min, max, faults });
  const receiver = sensor(0.00001, 0.00002, -90, 90, 'missing', 'stuck');
  const altimeter = sensor(0.1, 0.8, -400, 9_000, 'missing', 'noisy');
  // The wheels always tell their speed: so every reading has a value.
  const speedometer = sensor(0.1, 0.1, 0, 130, 'stuck', 'noisy');
  const compass = sensor(0.1, 0.4, 0, 359.9, 'missing', 'stuck');
  const inclinometer = sensor(0.1, 0.15, -30, 30, 'missing', 'noisy');
  const flowMeter = sensor(0.1, 0.2, 0, 120, 'missing', 'noisy');
  const fuelGauge = sensor(0.001, 0.002, 0, 1, 'stuck', 'missing');
  const scale = sensor(1, 3, 0, model.loadCapacityKg, 'stuck', 'missing');
  const all = [receiver, altimeter, speedometer, compass, inclinometer, flowMeter, fuelGauge, scale];

  const sampler = new Sampler<VehicleReading>(random, (timeMs) => {
    const state = trip.advance(timeMs);
    const latitude = receiver.read(timeMs, state.latitude);
    return {
      time: timeMs,
      latitude,
      // One receiver gives both: they fail together.
      longitude: latitude === null ? null : Math.round(state.longitude * 1e5) / 1e5,
      elevation: altimeter.read(timeMs, state.elevationM),
      velocity: speedometer.read(timeMs, state.velocityKmh),
      heading: compass.read(timeMs, state.headingDeg),
      grade: inclinometer.read(timeMs, state.gradePercent),
      fuel_consumption: flowMeter.read(timeMs, state.consumption),
      fuel_state: fuelGauge.read(timeMs, state.fuel),
      current_load: scale.read(timeMs, state.loadKg),
      status: Math.min(5, all.filter((s) => s.fault !== null).length + (state.fuel < 0.1 ? 1 : 0)),
    };
  });
  return {
    next: (span) => {
      const readings = sampler.next(span);
      return readings === null ? null : { ...label, readings };
    },
  };
}
