import type { FrameSpan } from './model.ts';
import type { Random } from './random.ts';
import { HOUR_MS, MINUTE_MS, QUIET_START_MS } from './signal.ts';

interface Timed {
  readonly time: number;
}

const LATE_CHANCE = 0.02;
const SWAP_CHANCE = 0.01;
const MAX_LATE = 8;
const MEAN_BETWEEN_OUTAGES_MS = 3 * HOUR_MS;

/**
 * Decides when a device measures and which frame brings which reading: an even grid of distinct
 * milliseconds, where now and then a reading comes late (in a later frame), two are swapped, or the device
 * is silent for a while. A frame has exactly as many readings as asked: one that is held back is replaced by
 * one more between two points of the grid, one that comes late takes the place of a measurement.
 */
export class Sampler<R extends Timed> {
  readonly #random: Random;
  readonly #measure: (timeMs: number) => R;
  #late: { reading: R; inFrames: number }[] = [];
  #nextOutageMs: number | null = null;
  #silentUntilMs = 0;

  /** `measure` is called with increasing times. */
  constructor(random: Random, measure: (timeMs: number) => R) {
    this.#random = random;
    this.#measure = measure;
  }

  next(span: FrameSpan): R[] | null {
    if (this.#isSilent(span)) return null;
    for (const late of this.#late) late.inFrames -= 1;
    const due = this.#late.findIndex((late) => late.inFrames <= 0);
    const readings =
      due >= 0
        ? this.#withLate(span, due)
        : this.#mayHoldBack(span)
          ? this.#withoutOne(span)
          : this.#times(span).map(this.#measure);
    if (readings.length > 1 && this.#random.chance(SWAP_CHANCE)) this.#swap(readings);
    return readings;
  }

  #times({ fromMs, untilMs, count }: FrameSpan): number[] {
    const times: number[] = [];
    for (let k = 1; k <= count; k++) times.push(fromMs + Math.floor(((untilMs - fromMs) * k) / count));
    return times;
  }

  #withLate(span: FrameSpan, due: number): R[] {
    const [late] = this.#late.splice(due, 1);
    const times = this.#times(span);
    times.splice(this.#random.below(times.length), 1);
    const readings = times.map(this.#measure);
    if (late !== undefined) readings.push(late.reading);
    return readings;
  }

  /** There must be a free millisecond between two points of the grid. */
  #mayHoldBack({ fromMs, untilMs, count }: FrameSpan): boolean {
    const isRoomy = untilMs - fromMs >= 2 * count;
    return isRoomy && this.#late.length < MAX_LATE && this.#random.chance(LATE_CHANCE);
  }

  #withoutOne(span: FrameSpan): R[] {
    const times = this.#times(span);
    const at = this.#random.below(times.length);
    const before = at === 0 ? span.fromMs : (times[at - 1] ?? span.fromMs);
    times.splice(at, 0, before + Math.floor(((times[at] ?? span.untilMs) - before) / 2));
    const readings = times.map(this.#measure);
    const [held] = readings.splice(this.#random.below(readings.length), 1);
    if (held !== undefined) this.#late.push({ reading: held, inFrames: 2 + this.#random.below(9) });
    return readings;
  }

  #swap(readings: R[]): void {
    const at = this.#random.below(readings.length - 1);
    readings.splice(at, 2, ...readings.slice(at, at + 2).reverse());
  }

  #isSilent({ fromMs }: FrameSpan): boolean {
    this.#nextOutageMs ??= fromMs + QUIET_START_MS + this.#random.exponential(MEAN_BETWEEN_OUTAGES_MS);
    if (fromMs >= this.#nextOutageMs) {
      this.#silentUntilMs = fromMs + this.#random.between(0.3, 4) * MINUTE_MS;
      this.#nextOutageMs = this.#silentUntilMs + this.#random.exponential(MEAN_BETWEEN_OUTAGES_MS);
    }
    return fromMs < this.#silentUntilMs;
  }
}
