import { LIMITS, MillraceError, type Cell } from '../../core/index.ts';
import type { AggregateFunction, AggregateQuery } from '../store.ts';
import { accumulator, type Accumulator, type ValueBudget } from './accumulators.ts';
import type { RunStatements } from './reader.ts';
import { compareText, readRows } from './rows.ts';

const FOR_EVERY_TYPE: readonly AggregateFunction[] = ['count', 'first', 'last'];

/**
 * The columns of an aggregate: time, the group, one per function. Throws `field_unknown`, `parameter_invalid` for an
 * unknown group, and `function_unsuitable`.
 */
export function aggregateColumns({ measurement, group, aggregates }: AggregateQuery): string[] {
  for (const name of group) {
    if (name !== 'device' && !measurement.tags.some((tag) => tag.name === name)) {
      throw new MillraceError('parameter_invalid', `group: ${measurement.name} has no tag "${name}"`);
    }
  }
  for (const { field, fn } of aggregates) {
    const type = measurement.fields.find(({ name }) => name === field)?.type;
    if (type === undefined)
      throw new MillraceError('field_unknown', `${measurement.name} has no field "${field}"`);
    if ((type === 'boolean' || type === 'string') && !FOR_EVERY_TYPE.includes(fn)) {
      throw new MillraceError('function_unsuitable', `${fn} does not apply to ${field}, a ${type}`);
    }
  }
  return ['time', ...group, ...aggregates.map(({ name }) => name)];
}

/** What a group of one bucket has gathered: its cells in the answer, and one accumulator per function. */
interface Gathered {
  cells: Cell[];
  accumulators: Accumulator[];
}

/**
 * Aggregates computed here from the raw rows: they come in the contract's order, so each bucket is complete
 * when the next begins, and memory holds one bucket's groups. Only a descending answer is held whole. A
 * bucket is there when a row of it has any of the asked fields.
 */
export async function* readAggregates(
  query: AggregateQuery,
  run: RunStatements,
): AsyncGenerator<Cell[][], void, undefined> {
  const limit = query.limit ?? Infinity;
  if (limit <= 0) return;
  let buckets = 0;
  let sent = 0;
  const held: Cell[][] = [];
  for await (const rows of bucketRows(query, run)) {
    buckets += rows.length;
    if (buckets > LIMITS.queryMaxBuckets && buckets - rows.length < limit) {
      throw new MillraceError(
        'parameter_invalid',
        `every: the answer would have more than ${LIMITS.queryMaxBuckets} buckets; ask for longer ones`,
      );
    }
    if (query.order === 'desc') {
      for (const row of rows) held.push(row);
      continue;
    }
    const chunk = rows.slice(0, limit - sent);
    sent += chunk.length;
    yield chunk;
    if (sent >= limit) return;
  }
  if (held.length > 0) yield held.reverse().slice(0, Math.min(limit, held.length));
}

/** The rows of each bucket, ascending, sorted by group. */
async function* bucketRows(
  query: AggregateQuery,
  run: RunStatements,
): AsyncGenerator<Cell[][], void, undefined> {
  const { measurement, everyNs } = query;
  const wanted = new Set(query.aggregates.map(({ field }) => field));
  const fields = measurement.fields.filter(({ name }) => wanted.has(name));
  const tags = measurement.tags.map(({ name }) => name);
  const groupIndexes = query.group.map((name) => (name === 'device' ? 1 : 2 + tags.indexOf(name)));
  const inputs = query.aggregates.map(({ field, fn }) => {
    const index = fields.findIndex(({ name }) => name === field);
    return { cell: 2 + tags.length + index, fn, type: fields[index]?.type ?? 'float' };
  });
  const budget: ValueBudget = { left: LIMITS.queryMaxHeldValues };

  let startNs = query.fromNs;
  let endNs = query.fromNs;
  let groups = new Map<string, Gathered>();
  const rowsQuery = {
    ...query,
    fields: fields.map(({ name }) => name),
    order: 'asc' as const,
    limit: null,
    after: null,
  };
  for await (const rows of readRows(rowsQuery, run)) {
    for (const row of rows) {
      const timeNs = BigInt(row[0] ?? 0);
      if (timeNs >= endNs) {
        if (groups.size > 0) yield finish(groups, startNs);
        groups = new Map();
        startNs = everyNs === null ? query.fromNs : (timeNs / everyNs) * everyNs;
        endNs = everyNs === null ? query.toNs : startNs + everyNs;
      }
      const cells = groupIndexes.map((index) => row[index] ?? null);
      const key = JSON.stringify(cells);
      let gathered = groups.get(key);
      if (gathered === undefined) {
        gathered = { cells, accumulators: inputs.map(({ fn, type }) => accumulator(fn, type, budget)) };
        groups.set(key, gathered);
      }
      for (let i = 0; i < inputs.length; i++) {
        const value = row[inputs[i]?.cell ?? 0] ?? null;
        if (value !== null) gathered.accumulators[i]?.add(value, timeNs);
      }
    }
  }
  if (groups.size > 0) yield finish(groups, startNs);
}

function finish(groups: ReadonlyMap<string, Gathered>, startNs: bigint): Cell[][] {
  return [...groups.values()]
    .sort((a, b) => compareCells(a.cells, b.cells))
    .map(({ cells, accumulators }) => [startNs, ...cells, ...accumulators.map((each) => each.result())]);
}

function compareCells(a: readonly Cell[], b: readonly Cell[]): number {
  for (let i = 0; i < a.length; i++) {
    const by = compareText(a[i] ?? null, b[i] ?? null);
    if (by !== 0) return by;
  }
  return 0;
}
