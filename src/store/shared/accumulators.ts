import { MillraceError, type Cell, type StoredType } from '../../core/index.ts';
import type { AggregateFunction } from '../store.ts';

type Value = Exclude<Cell, null>;

/** One function over the values of one field in one bucket and group, fed in the order of rows. */
export interface Accumulator {
  add(value: Value, timeNs: bigint): void;
  result(): Cell;
}

/** Bounds the values that the percentiles of one answer hold at once. */
export interface ValueBudget {
  left: number;
}

const sumOf = (type: StoredType): Accumulator => (type === 'integer' ? new IntegerSum() : new FloatSum());

/** Computes each function from the rows themselves. */
const ACCUMULATORS = {
  count: () => new Count(),
  sum: sumOf,
  min: () => new Minimum(),
  max: () => new Maximum(),
  mean: (type) => new Mean(sumOf(type)),
  first: () => new First(),
  last: () => new Last(),
  stddev: () => new StandardDeviation(),
  median: (_type, budget) => new Percentile(0.5, budget),
  p95: (_type, budget) => new Percentile(0.95, budget),
  p99: (_type, budget) => new Percentile(0.99, budget),
  delta: (type) => new Increase(sumOf(type)),
  rate: (type) => new IncreaseRate(sumOf(type)),
} satisfies Record<AggregateFunction, (type: StoredType, budget: ValueBudget) => Accumulator>;

/** Makes the accumulator of a function over a field of `type`. */
export function accumulator(fn: AggregateFunction, type: StoredType, budget: ValueBudget): Accumulator {
  return ACCUMULATORS[fn](type, budget);
}

class Count implements Accumulator {
  #count = 0n;
  add(): void {
    this.#count++;
  }
  result(): Cell {
    return this.#count;
  }
}

const MAX_INT64 = 2n ** 63n - 1n;

/** An exact sum of integers; beyond 64 bits it is told as a float. */
export class IntegerSum implements Accumulator {
  #sum = 0n;
  #any = false;
  add(value: Value): void {
    this.#sum += BigInt(value);
    this.#any = true;
  }
  result(): Cell {
    if (!this.#any) return null;
    return this.#sum > MAX_INT64 || this.#sum < -MAX_INT64 - 1n ? Number(this.#sum) : this.#sum;
  }
}

/** A sum that carries the digits which each addition loses (Neumaier's variant of Kahan summation). */
export class FloatSum implements Accumulator {
  #sum = 0;
  #lost = 0;
  #any = false;
  add(value: Value): void {
    const x = Number(value);
    const sum = this.#sum + x;
    this.#lost += Math.abs(this.#sum) >= Math.abs(x) ? this.#sum - sum + x : x - sum + this.#sum;
    this.#sum = sum;
    this.#any = true;
  }
  result(): Cell {
    if (!this.#any) return null;
    const total = this.#sum + this.#lost;
    // An overflowed sum has infinite losses too, of the other sign.
    return Number.isNaN(total) ? this.#sum : total;
  }
}

export class Minimum implements Accumulator {
  #least: Cell = null;
  add(value: Value): void {
    if (this.#least === null || value < this.#least) this.#least = value;
  }
  result(): Cell {
    return this.#least;
  }
}

export class Maximum implements Accumulator {
  #greatest: Cell = null;
  add(value: Value): void {
    if (this.#greatest === null || value > this.#greatest) this.#greatest = value;
  }
  result(): Cell {
    return this.#greatest;
  }
}

class Mean implements Accumulator {
  readonly #sum: Accumulator;
  #count = 0;
  constructor(sum: Accumulator) {
    this.#sum = sum;
  }
  add(value: Value, timeNs: bigint): void {
    this.#sum.add(value, timeNs);
    this.#count++;
  }
  result(): Cell {
    return this.#count === 0 ? null : Number(this.#sum.result()) / this.#count;
  }
}

class First implements Accumulator {
  #first: Cell = null;
  add(value: Value): void {
    this.#first ??= value;
  }
  result(): Cell {
    return this.#first;
  }
}

class Last implements Accumulator {
  #last: Cell = null;
  add(value: Value): void {
    this.#last = value;
  }
  result(): Cell {
    return this.#last;
  }
}

/** Brings the squares of all doubles into range, and is exact as a power of two. */
const SMALLER = 2 ** -600;

/** The sample's standard deviation. Null with fewer than two values. */
class StandardDeviation implements Accumulator {
  #count = 0;
  readonly #plain = new Welford();
  /** The same of scaled values, for values whose squares overflow. */
  readonly #scaled = new Welford();
  add(value: Value): void {
    const x = Number(value);
    this.#count++;
    this.#plain.add(x, this.#count);
    this.#scaled.add(x * SMALLER, this.#count);
  }
  result(): Cell {
    if (this.#count < 2) return null;
    const { squares } = this.#plain;
    return Number.isFinite(squares)
      ? Math.sqrt(squares / (this.#count - 1))
      : Math.sqrt(this.#scaled.squares / (this.#count - 1)) / SMALLER;
  }
}

/** The sum of squared differences from the mean in one pass, by Welford's recurrence. */
class Welford {
  squares = 0;
  #mean = 0;
  add(x: number, count: number): void {
    const before = x - this.#mean;
    this.#mean += before / count;
    this.squares += before * (x - this.#mean);
  }
}

/** A quantile with linear interpolation between the two nearest ranks. */
class Percentile implements Accumulator {
  readonly #quantile: number;
  readonly #budget: ValueBudget;
  readonly #values: number[] = [];
  constructor(quantile: number, budget: ValueBudget) {
    this.#quantile = quantile;
    this.#budget = budget;
  }
  add(value: Value): void {
    if (--this.#budget.left < 0) {
      throw new MillraceError(
        'query_timeout',
        'the percentiles of this query would hold too many values at once',
      );
    }
    this.#values.push(Number(value));
  }
  result(): Cell {
    if (this.#values.length === 0) return null;
    const sorted = Float64Array.from(this.#values).sort();
    this.#budget.left += sorted.length;
    const rank = this.#quantile * (sorted.length - 1);
    const low = sorted[Math.floor(rank)] ?? 0;
    const high = sorted[Math.ceil(rank)] ?? low;
    const weight = rank - Math.floor(rank);
    // The distance of two large values of different signs would overflow.
    return low === high ? low : low * (1 - weight) + high * weight;
  }
}

/** The sum of increases; a value below the one before counts whole. Null with fewer than two values. */
class Increase implements Accumulator {
  readonly #sum: Accumulator;
  #previous: Cell = null;
  constructor(sum: Accumulator) {
    this.#sum = sum;
  }
  add(value: Value, timeNs: bigint): void {
    if (this.#previous !== null) this.#sum.add(increase(this.#previous, value), timeNs);
    this.#previous = value;
  }
  result(): Cell {
    return this.#sum.result();
  }
}

function increase(previous: Value, value: Value): Value {
  if (value < previous) return value;
  return typeof value === 'bigint' && typeof previous === 'bigint'
    ? value - previous
    : Number(value) - Number(previous);
}

const NS_PER_S = 1e9;

/** The increase by the seconds from the first to the last value; null where no time passed. */
class IncreaseRate implements Accumulator {
  readonly #increase: Increase;
  #firstNs: bigint | null = null;
  #lastNs = 0n;
  constructor(sum: Accumulator) {
    this.#increase = new Increase(sum);
  }
  add(value: Value, timeNs: bigint): void {
    this.#increase.add(value, timeNs);
    this.#firstNs ??= timeNs;
    this.#lastNs = timeNs;
  }
  result(): Cell {
    const total = this.#increase.result();
    const elapsedNs = Number(this.#lastNs - (this.#firstNs ?? 0n));
    return total === null || elapsedNs === 0 ? null : (Number(total) / elapsedNs) * NS_PER_S;
  }
}
