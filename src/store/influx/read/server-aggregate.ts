import { LIMITS, type Cell, type ColumnDef } from '../../../core/index.ts';
import type { AggregateFunction, AggregateQuery } from '../../store.ts';
import { FloatSum, IntegerSum, Maximum, Minimum, type Accumulator } from '../../shared/accumulators.ts';
import type { WireValue } from '../transport/answer.ts';
import { Buckets, bucketStart, tooManyBuckets } from '../../shared/buckets.ts';
import { condition, identifier, source } from './influxql.ts';
import type { RunStatements } from './reader.ts';
import { converterOf, toInteger } from './rows.ts';
import { QueryRefused } from '../transport/unavailable.ts';

/** What the server is asked of a field; always its count too, which tells how exact a sum is. */
type ServerFunction = 'count' | 'sum' | 'min' | 'max';

/** What one of our functions is made of. */
interface ServerPart {
  asks: ServerFunction;
  result(merged: Merged): Cell;
}

/** How the server computes each function; null where it has not got it as we mean it, so that it is computed here. */
const BY_SERVER: Readonly<Record<AggregateFunction, ServerPart | null>> = {
  count: { asks: 'count', result: ({ count }) => count },
  sum: { asks: 'sum', result: ({ sum }) => sum.result() },
  min: { asks: 'min', result: ({ min }) => min.result() },
  max: { asks: 'max', result: ({ max }) => max.result() },
  mean: {
    asks: 'sum',
    result: ({ count, sum }) => (count === 0n ? null : Number(sum.result()) / Number(count)),
  },
  first: null,
  last: null,
  stddev: null,
  median: null,
  p95: null,
  p99: null,
  rate: null,
  delta: null,
};

/** Plain addition, which is what the server does, of so many doubles errs by less than 1e-12 of the largest each. */
const MAX_ADDED = 8_192;
const MAX_INT64 = 2n ** 63n - 1n;
/** Parts of a bucket, and of an answer without `every`, where the whole is too much to add up at once. */
const PARTS_OF_BUCKET = 64n;
const PART_OF_RANGE_NS = 600_000_000_000n;

/**
 * Aggregates by the server itself: in ascending order, or null where it has not the functions or would not be as
 * exact as the contract asks. Sums are fetched by device, and if need be by shorter buckets, and merged here.
 */
export async function aggregateOnServer(query: AggregateQuery, run: RunStatements): Promise<Cell[][] | null> {
  const { everyNs, measurement, aggregates } = query;
  if (aggregates.some(({ fn }) => BY_SERVER[fn] === null)) return null;
  // The first of very many buckets are better streamed than all of them held.
  const buckets = everyNs === null ? 1n : (query.toNs - query.fromNs) / everyNs;
  if (query.limit !== null && buckets > LIMITS.queryMaxBuckets) return null;
  const fields = askedFields(query);
  const shorterNs = everyNs === null ? PART_OF_RANGE_NS : everyNs / PARTS_OF_BUCKET;
  const divides = everyNs === null || (shorterNs > 0n && everyNs % shorterNs === 0n);
  if (measurement.fields.length === 0) return [];
  for (const partNs of divides ? [everyNs, shorterNs] : [everyNs]) {
    try {
      const rows = await aggregateParts(query, fields, partNs, run);
      if (rows !== null) return rows;
    } catch (error) {
      // A sum that overflows to infinity has no form in the server's JSON.
      if (!(error instanceof QueryRefused)) throw error;
    }
  }
  return null;
}

interface AskedField {
  def: ColumnDef;
  /** What the server is asked, and where in a row of its answer the first of these stands. */
  functions: ServerFunction[];
  column: number;
}

function askedFields({ measurement, aggregates }: AggregateQuery): AskedField[] {
  const asked: AskedField[] = [];
  let column = 1;
  for (const def of measurement.fields) {
    const asks = new Set(
      aggregates.filter(({ field }) => field === def.name).map(({ fn }) => BY_SERVER[fn]?.asks),
    );
    if (asks.size === 0) continue;
    const sum = asks.has('sum');
    // The extremes tell whether a sum of integers can have overflowed.
    const extremes = sum && def.type === 'integer';
    const functions: ServerFunction[] = ['count'];
    if (sum) functions.push('sum');
    if (extremes || asks.has('min')) functions.push('min');
    if (extremes || asks.has('max')) functions.push('max');
    asked.push({ def, functions, column });
    column += functions.length;
  }
  return asked;
}

/** Null when a part holds more than the server adds up exactly enough. */
async function aggregateParts(
  query: AggregateQuery,
  fields: readonly AskedField[],
  partNs: bigint | null,
  run: RunStatements,
): Promise<Cell[][] | null> {
  const { everyNs, fromNs, group } = query;
  const where = condition(query);
  if (where === null) return [];
  const dimensions = group.map(identifier);
  const sums = fields.some(({ functions }) => functions.includes('sum'));
  if (sums && !group.includes('device')) dimensions.push(identifier('device'));
  if (partNs !== null) dimensions.push(`time(${partNs}ns)`);
  const columns = fields.flatMap(({ def, functions }) =>
    functions.map((fn) => `${fn}(${identifier(def.name)})`),
  );
  const statement =
    `SELECT ${columns.join(', ')} FROM ${source(query.measurement)} WHERE ${where}` +
    (dimensions.length === 0 ? '' : ` GROUP BY ${dimensions.join(', ')} fill(none)`);

  const buckets = new Buckets(() => fields.map((field) => new MergedField(field)));
  for await (const { tags, values } of run([statement])) {
    const cells = group.map((name) => tags[name] || null);
    for (const row of values) {
      const startNs = everyNs === null ? fromNs : bucketStart(BigInt(toInteger(row[0] ?? 0) ?? 0), everyNs);
      for (const merged of buckets.at(startNs, cells)) if (!merged.add(row)) return null;
    }
    if (buckets.size > LIMITS.queryMaxBuckets) throw tooManyBuckets();
  }
  const indexes = query.aggregates.map(({ field }) => fields.findIndex(({ def }) => def.name === field));
  return buckets.rows((merged) =>
    query.aggregates.map(({ fn }, i) => {
      const field = merged[indexes[i] ?? 0];
      return field === undefined ? null : (BY_SERVER[fn]?.result(field) ?? null);
    }),
  );
}

/** What a bucket and group has of one field, over all parts of it. */
interface Merged {
  readonly count: bigint;
  readonly sum: Accumulator;
  readonly min: Accumulator;
  readonly max: Accumulator;
}

class MergedField implements Merged {
  readonly #field: AskedField;
  readonly #toExtreme: (value: WireValue) => Cell;
  count = 0n;
  readonly sum: Accumulator;
  readonly min = new Minimum();
  readonly max = new Maximum();

  constructor(field: AskedField) {
    this.#field = field;
    this.#toExtreme = converterOf(field.def);
    this.sum = field.def.type === 'integer' ? new IntegerSum() : new FloatSum();
  }

  /** Takes a part as the server told it; false when its sum may not be exact enough. */
  add(row: readonly WireValue[]): boolean {
    const { def, functions, column } = this.#field;
    const part: Partial<Record<ServerFunction, WireValue>> = {};
    for (const [i, fn] of functions.entries()) part[fn] = row[column + i] ?? null;
    const { count = null, sum = null, min = null, max = null } = part;
    if (count === null) return true;
    const counted = BigInt(count);
    this.count += counted;
    const extremes: Cell[] = [];
    for (const [value, into] of [[min, this.min] as const, [max, this.max] as const]) {
      const extreme = value === null ? null : this.#toExtreme(value);
      if (extreme === null) continue;
      into.add(extreme);
      extremes.push(extreme);
    }
    if (sum === null) return true;
    if (def.type !== 'integer') {
      this.sum.add(Number(sum), 0n);
      return counted <= MAX_ADDED;
    }
    this.sum.add(BigInt(sum), 0n);
    return extremes.every((value) => typeof value === 'bigint' && magnitude(value) * counted <= MAX_INT64);
  }
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}
