import type { Random } from './random.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;

/**
 * A device's first minutes are free of gaps, missing values and faults, so that a short run gives exact
 * counts of every field.
 */
export const QUIET_START_MS = 5 * MINUTE_MS;

/** Noise that remembers: an Ornstein–Uhlenbeck process with this spread and correlation time. */
export class Wander {
  readonly #random: Random;
  readonly #sigma: number;
  readonly #tauMs: number;
  #value: number;
  #atMs: number | null = null;

  constructor(random: Random, sigma: number, tauMs: number) {
    this.#random = random;
    this.#sigma = sigma;
    this.#tauMs = tauMs;
    this.#value = sigma * random.normal();
  }

  at(timeMs: number): number {
    const kept = this.#atMs === null ? 1 : Math.exp((this.#atMs - timeMs) / this.#tauMs);
    this.#value = kept * this.#value + Math.sqrt(1 - kept * kept) * this.#sigma * this.#random.normal();
    this.#atMs = timeMs;
    return this.#value;
  }
}

/** A wave with the period of a day, between -1 and 1, highest at `peakHour` UTC. */
export function daily(timeMs: number, peakHour: number): number {
  return Math.cos(2 * Math.PI * (timeMs / DAY_MS - peakHour / 24));
}

/** A wave with the period of a year, highest in late July. */
export function yearly(timeMs: number): number {
  return Math.cos(2 * Math.PI * (timeMs / (365.2425 * DAY_MS) - 0.56));
}

export type FaultKind = 'stuck' | 'missing' | 'noisy';

export interface SensorOptions {
  /** The sensor's resolution: values are multiples of it. */
  step: number;
  /** Spread of the noise of a single measurement. */
  noise: number;
  /** Calibration error gained per day, with either sign. */
  driftPerDay: number;
  min: number;
  max: number;
  /** How it may fail. */
  faults: readonly [FaultKind, ...FaultKind[]];
}

const MEAN_BETWEEN_FAULTS_MS = 4 * HOUR_MS;

/** What makes a true value a measured one: resolution, noise, drift, and faults that come and go. */
export class Sensor {
  readonly #random: Random;
  readonly #options: SensorOptions;
  readonly #driftPerMs: number;
  #startMs: number | null = null;
  #fault: FaultKind | null = null;
  #changeMs = 0;
  #last = 0;

  constructor(random: Random, options: SensorOptions) {
    this.#random = random;
    this.#options = options;
    this.#driftPerMs = (options.driftPerDay * random.normal()) / DAY_MS;
  }

  get fault(): FaultKind | null {
    return this.#fault;
  }

  /** The measured value; null while it delivers none. Times must not go back. */
  read(timeMs: number, truth: number): number | null {
    this.#advance(timeMs);
    if (this.#fault === 'missing') return null;
    if (this.#fault === 'stuck') return this.#last;
    const { step, noise, min, max } = this.#options;
    const spread = this.#fault === 'noisy' ? noise * 20 + step * 20 : noise;
    const drift = this.#driftPerMs * (timeMs - (this.#startMs ?? timeMs));
    const value = truth + drift + spread * this.#random.normal();
    this.#last = Math.round(Math.min(max, Math.max(min, value)) / step) * step;
    return this.#last;
  }

  #advance(timeMs: number): void {
    if (this.#startMs === null) {
      this.#startMs = timeMs;
      this.#changeMs = timeMs + QUIET_START_MS + this.#random.exponential(MEAN_BETWEEN_FAULTS_MS);
    }
    if (timeMs < this.#changeMs) return;
    if (this.#fault === null) {
      this.#fault = this.#random.pick(this.#options.faults);
      this.#changeMs = timeMs + this.#random.between(0.5, 10) * MINUTE_MS;
    } else {
      this.#fault = null;
      this.#changeMs = timeMs + this.#random.exponential(MEAN_BETWEEN_FAULTS_MS);
    }
  }
}
