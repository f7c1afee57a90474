import { LIMITS, type Cell } from '../../../core/index.ts';
import type { AggregateQuery } from '../../store.ts';
import { accumulator, type Accumulator, type ValueBudget } from '../../shared/accumulators.ts';
import { namedIn } from '../../shared/row-key.ts';
import { Buckets, bucketStart, tooManyBuckets } from '../../shared/buckets.ts';
import { compareGroups } from '../../shared/row-order.ts';
import type { RunStatements } from './reader.ts';
import { streamRows } from './rows.ts';
import { aggregateOnServer } from './server-aggregate.ts';

/**
 * Aggregates in chunks, by the server where that is exact, else from raw rows. A bucket is there when a row of it
 * has any of the asked fields.
 */
export async function* readAggregates(
  query: AggregateQuery,
  run: RunStatements,
): AsyncGenerator<Cell[][], void, undefined> {
  let left = query.limit ?? Infinity;
  if (left <= 0 || query.aggregates.length === 0) return;
  const isGiven = givenBefore(query);
  for await (const all of readBuckets(query, run)) {
    const rows = all.filter((row) => !isGiven(row));
    yield left < rows.length ? rows.slice(0, left) : rows;
    left -= rows.length;
    if (left <= 0) return;
  }
}

async function* readBuckets(
  query: AggregateQuery,
  run: RunStatements,
): AsyncGenerator<Cell[][], void, undefined> {
  const whole =
    (await aggregateOnServer(query, run)) ?? (query.order === 'desc' ? await held(query, run) : null);
  if (whole === null) yield* aggregateRaw(query, run);
  else yield query.order === 'desc' ? whole.reverse() : whole;
}

/** Tells of rows, asked in their order, whether they are not behind the place where the query goes on. */
function givenBefore({ after, group, order }: AggregateQuery): (row: readonly Cell[]) => boolean {
  if (after === null) return () => false;
  const { timeNs, key } = after;
  let { skip } = after;
  if (key === null) return (row) => row[0] === timeNs && skip-- > 0;
  const last = group.map((name) => namedIn(key, name));
  const sign = order === 'asc' ? 1 : -1;
  return (row) => row[0] === timeNs && sign * compareGroups(row.slice(1, 1 + group.length), last) <= 0;
}

/** All rows of the answer in ascending order. */
async function held(query: AggregateQuery, run: RunStatements): Promise<Cell[][]> {
  const whole: Cell[][] = [];
  for await (const rows of aggregateRaw(query, run)) {
    for (const row of rows) whole.push(row);
    if (whole.length > LIMITS.queryMaxBuckets) throw tooManyBuckets();
  }
  return whole;
}

function results(accumulators: readonly Accumulator[]): Cell[] {
  return accumulators.map((each) => each.result());
}

/**
 * Computes here, from the raw rows: they come by time, so each bucket is complete when the next begins, and memory
 * holds the groups of one bucket. Gives the rows of each bucket, ascending.
 */
async function* aggregateRaw(
  query: AggregateQuery,
  run: RunStatements,
): AsyncGenerator<Cell[][], void, undefined> {
  const { measurement, everyNs } = query;
  const fields = measurement.fields.filter(({ name }) =>
    query.aggregates.some(({ field }) => field === name),
  );
  const tags = measurement.tags.map(({ name }) => name);
  const groupIndexes = query.group.map((name) => (name === 'device' ? 1 : 2 + tags.indexOf(name)));
  const inputs = query.aggregates.map(({ field, fn }) => {
    const index = fields.findIndex(({ name }) => name === field);
    return { cell: 2 + tags.length + index, fn, type: fields[index]?.type ?? 'float' };
  });
  const budget: ValueBudget = { left: LIMITS.queryMaxHeldValues };
  const empty = (): Accumulator[] => inputs.map(({ fn, type }) => accumulator(fn, type, budget));

  let startNs = query.fromNs;
  let endNs = query.fromNs;
  let bucket = new Buckets(empty);
  let rowsSoFar = 0;
  const rowsQuery = {
    ...query,
    fields: fields.map(({ name }) => name),
    order: 'asc',
    limit: null,
    after: null,
  } as const;
  for await (const rows of streamRows(rowsQuery, run)) {
    for (const row of rows) {
      const timeNs = BigInt(row[0] ?? 0);
      if (timeNs >= endNs) {
        if (bucket.size > 0) yield bucket.rows(results);
        rowsSoFar += bucket.size;
        bucket = new Buckets(empty);
        startNs = everyNs === null ? query.fromNs : bucketStart(timeNs, everyNs);
        endNs = everyNs === null ? query.toNs : startNs + everyNs;
      }
      const group = groupIndexes.map((index) => row[index] ?? null);
      const accumulators = bucket.at(startNs, group);
      if (query.limit === null && rowsSoFar + bucket.size > LIMITS.queryMaxBuckets) throw tooManyBuckets();
      for (let i = 0; i < inputs.length; i++) {
        const value = row[inputs[i]?.cell ?? 0] ?? null;
        if (value !== null) accumulators[i]?.add(value, timeNs);
      }
    }
  }
  if (bucket.size > 0) yield bucket.rows(results);
}
