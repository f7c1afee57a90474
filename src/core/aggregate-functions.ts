import type { StoredType } from './measurement.ts';

/** What is to be known of an aggregate function wherever it is asked for, checked, computed or described. */
interface FunctionTraits {
  /** Of which fields it takes the values: of any, or of numbers alone. */
  takes: 'any type' | 'numbers';
  /** Its result is one of the values that went in, so that it is written as they are. */
  keepsValues: boolean;
  /** The type of its result: that of its field, or always this one. */
  gives: 'its type' | 'integer' | 'float';
  /** Its result has the field's unit. */
  hasUnit: boolean;
  /** What it gives, for the documents and the command line. */
  meaning: string;
}

/**
 * Every aggregate function, in the order in which they are told. Each store has a table of its own that says how it
 * computes them.
 */
export const AGGREGATE_FUNCTIONS = {
  count: {
    takes: 'any type',
    keepsValues: false,
    gives: 'integer',
    hasUnit: false,
    meaning: 'the number of values',
  },
  sum: { takes: 'numbers', keepsValues: false, gives: 'its type', hasUnit: true, meaning: 'the sum' },
  min: {
    takes: 'numbers',
    keepsValues: true,
    gives: 'its type',
    hasUnit: true,
    meaning: 'the smallest value',
  },
  max: {
    takes: 'numbers',
    keepsValues: true,
    gives: 'its type',
    hasUnit: true,
    meaning: 'the largest value',
  },
  mean: {
    takes: 'numbers',
    keepsValues: false,
    gives: 'float',
    hasUnit: true,
    meaning: 'the arithmetic mean',
  },
  first: {
    takes: 'any type',
    keepsValues: true,
    gives: 'its type',
    hasUnit: true,
    meaning: 'the earliest value',
  },
  last: {
    takes: 'any type',
    keepsValues: true,
    gives: 'its type',
    hasUnit: true,
    meaning: 'the latest value',
  },
  stddev: {
    takes: 'numbers',
    keepsValues: false,
    gives: 'float',
    hasUnit: true,
    meaning: "the sample's standard deviation; null with fewer than two values",
  },
  median: {
    takes: 'numbers',
    keepsValues: false,
    gives: 'float',
    hasUnit: true,
    meaning: 'the middle value, interpolated linearly',
  },
  p95: {
    takes: 'numbers',
    keepsValues: false,
    gives: 'float',
    hasUnit: true,
    meaning: 'the 95th percentile, interpolated linearly',
  },
  p99: {
    takes: 'numbers',
    keepsValues: false,
    gives: 'float',
    hasUnit: true,
    meaning: 'the 99th percentile, interpolated linearly',
  },
  rate: {
    takes: 'numbers',
    keepsValues: false,
    gives: 'float',
    hasUnit: false,
    meaning: 'delta by the seconds between the first and the last value; null with fewer than two',
  },
  delta: {
    takes: 'numbers',
    keepsValues: false,
    gives: 'its type',
    hasUnit: true,
    meaning:
      'the sum of the increases between consecutive values, where one below the value before counts whole; null with fewer than two',
  },
} satisfies Record<string, FunctionTraits>;

export type AggregateFunction = keyof typeof AGGREGATE_FUNCTIONS;
export const FUNCTIONS = Object.keys(AGGREGATE_FUNCTIONS) as readonly AggregateFunction[];

/** Whether a function applies to a field of this type. */
export function takesType(fn: AggregateFunction, type: StoredType): boolean {
  return AGGREGATE_FUNCTIONS[fn].takes === 'any type' || type === 'float' || type === 'integer';
}
