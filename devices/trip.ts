import type { Random } from './random.ts';
import { HOUR_MS, MINUTE_MS, Wander, daily } from './signal.ts';

export interface TruckModel {
  name: string;
  loadCapacityKg: number;
  fuelCapacityL: number;
  /** Litres per 100 km by the data sheet. */
  consumption: number;
}

export interface TripState {
  latitude: number;
  longitude: number;
  elevationM: number;
  velocityKmh: number;
  headingDeg: number;
  gradePercent: number;
  /** Litres per 100 km at this moment. */
  consumption: number;
  /** 0 to 1. */
  fuel: number;
  loadKg: number;
}

const KM_PER_DEGREE = 111.2;
/** Further than this from its depot a truck turns back. */
const RANGE_KM = 250;

/** A truck on its way: legs at road or motorway speed, stops with loading and fuel, long rests at night. */
export class Trip {
  readonly #random: Random;
  readonly #model: TruckModel;
  readonly #depot: { latitude: number; longitude: number };
  readonly #hills: Wander;
  readonly #traffic: Wander;
  readonly #bends: Wander;
  readonly #restHour: number;
  readonly #state: TripState;
  #course: number;
  #cruiseKmh = 0;
  #legEndMs: number | null = null;
  #isStopped = false;
  #atMs: number | null = null;

  constructor(random: Random, model: TruckModel) {
    this.#random = random;
    this.#model = model;
    this.#depot = { latitude: random.between(44, 54), longitude: random.between(2, 24) };
    this.#hills = new Wander(random, 1.6, 4 * MINUTE_MS);
    this.#traffic = new Wander(random, 7, MINUTE_MS);
    this.#bends = new Wander(random, 18, 3 * MINUTE_MS);
    this.#restHour = random.between(0, 4);
    this.#course = random.between(0, 360);
    this.#state = {
      ...this.#depot,
      elevationM: random.between(40, 500),
      velocityKmh: 0,
      headingDeg: this.#course,
      gradePercent: 0,
      consumption: 0,
      fuel: random.between(0.3, 1),
      loadKg: model.loadCapacityKg * random.between(0, 1),
    };
  }

  /** The state at a time; times must not go back. The object is reused. */
  advance(timeMs: number): TripState {
    const state = this.#state;
    const elapsedMs = timeMs - (this.#atMs ?? timeMs);
    this.#atMs = timeMs;
    if (this.#legEndMs === null || timeMs >= this.#legEndMs) this.#nextLeg(timeMs);

    const wanted = this.#isStopped ? 0 : Math.max(5, this.#cruiseKmh + this.#traffic.at(timeMs));
    // Trucks gain about 2 km/h per second and brake at 6.
    const gain = (2 * elapsedMs) / 1_000;
    state.velocityKmh = Math.max(Math.min(wanted, state.velocityKmh + gain), state.velocityKmh - 3 * gain, 0);
    const km = (state.velocityKmh * elapsedMs) / HOUR_MS;
    if (km > 0) {
      state.headingDeg = (((this.#course + this.#bends.at(timeMs)) % 360) + 360) % 360;
      state.gradePercent = Math.min(
        12,
        Math.max(-12, this.#hills.at(timeMs) - (state.elevationM - 300) / 400),
      );
    }
    this.#move(km);
    const load = state.loadKg / this.#model.loadCapacityKg;
    const effort = 0.75 + 0.35 * load + 0.12 * state.gradePercent + (state.velocityKmh / 150) ** 2;
    state.consumption = km > 0 ? this.#model.consumption * Math.max(0.05, effort) : 0;
    state.fuel = Math.max(0.01, state.fuel - (km * state.consumption) / 100 / this.#model.fuelCapacityL);
    return state;
  }

  #move(km: number): void {
    const state = this.#state;
    const angle = (state.headingDeg * Math.PI) / 180;
    state.latitude += (km * Math.cos(angle)) / KM_PER_DEGREE;
    state.longitude += (km * Math.sin(angle)) / (KM_PER_DEGREE * Math.cos((state.latitude * Math.PI) / 180));
    state.elevationM += km * 10 * state.gradePercent;
  }

  #nextLeg(timeMs: number): void {
    const random = this.#random;
    const isFirst = this.#legEndMs === null;
    this.#isStopped = !isFirst && !this.#isStopped;
    if (this.#isStopped) {
      const isNight = daily(timeMs, this.#restHour) > 0.5;
      this.#legEndMs =
        timeMs + (isNight ? random.between(4, 9) * HOUR_MS : random.between(8, 50) * MINUTE_MS);
      if (this.#state.fuel < 0.35) this.#state.fuel = random.between(0.95, 1);
      if (random.chance(0.6)) this.#state.loadKg = this.#model.loadCapacityKg * random.between(0, 1);
      return;
    }
    this.#legEndMs = timeMs + random.between(15, 130) * MINUTE_MS;
    this.#cruiseKmh = random.chance(0.6) ? random.between(78, 92) : random.between(35, 65);
    this.#course = this.#isFar() ? this.#homeward() : random.between(0, 360);
  }

  #offset(): { northKm: number; eastKm: number } {
    const { latitude, longitude } = this.#state;
    const perDegree = KM_PER_DEGREE * Math.cos((latitude * Math.PI) / 180);
    return {
      northKm: (latitude - this.#depot.latitude) * KM_PER_DEGREE,
      eastKm: (longitude - this.#depot.longitude) * perDegree,
    };
  }

  #isFar(): boolean {
    const { northKm, eastKm } = this.#offset();
    return Math.hypot(northKm, eastKm) > RANGE_KM;
  }

  #homeward(): number {
    const { northKm, eastKm } = this.#offset();
    return (Math.atan2(-eastKm, -northKm) * 180) / Math.PI;
  }
}
