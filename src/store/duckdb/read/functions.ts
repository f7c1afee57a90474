import type { AggregateFunction } from '../../../core/index.ts';

/** A field of the inner select of an aggregate: its value is f and its number, the one before that p and its number. */
interface InnerField {
  index: number;
  integer: boolean;
  /** What puts the rows of a group in order. */
  rank: string;
}

interface SqlFunction {
  /** It asks for the value before each value. */
  needsPrevious?: true;
  sql(f: string, field: InnerField): string;
}

const percentile = (quantile: number): SqlFunction => ({
  sql: (f) => `quantile_cont(${f}::DOUBLE, ${quantile})`,
});

const SQL_FUNCTIONS: Readonly<Record<AggregateFunction, SqlFunction>> = {
  count: { sql: (f) => `count(${f})` },
  sum: { sql: (f, { integer }) => sumSql(f, integer) },
  min: { sql: (f) => `min(${f})` },
  max: { sql: (f) => `max(${f})` },
  mean: { sql: (f, { integer }) => (integer ? `avg(${f})` : `favg(${f})`) },
  first: { sql: (f, { rank }) => `arg_min(${f}, ${rank}) ${presentSql(f)}` },
  last: { sql: (f, { rank }) => `arg_max(${f}, ${rank}) ${presentSql(f)}` },
  stddev: { sql: (f, { integer }) => stddevSql(f, integer) },
  median: percentile(0.5),
  p95: percentile(0.95),
  p99: percentile(0.99),
  delta: { needsPrevious: true, sql: deltaSql },
  rate: {
    needsPrevious: true,
    sql: (f, field) =>
      `(${deltaSql(f, field)})::DOUBLE / ` +
      `nullif(max(t) ${presentSql(f)} - min(t) ${presentSql(f)}, 0) * 1e9`,
  },
};

/** The expression of a function over a field. */
export function functionSql(fn: AggregateFunction, field: InnerField): string {
  return SQL_FUNCTIONS[fn].sql(`f${field.index}`, field);
}

/** Whether a function asks for the value before each value. */
export function needsPrevious(fn: AggregateFunction): boolean {
  return SQL_FUNCTIONS[fn].needsPrevious === true;
}

function presentSql(f: string): string {
  return `FILTER (${f} IS NOT NULL)`;
}

function deltaSql(f: string, { index, integer }: InnerField): string {
  const p = `p${index}`;
  // 128 bits: two 64-bit values may be further apart than 64 bits hold
  const increase = integer ? `${f}::HUGEINT - ${p}` : `${f} - ${p}`;
  const increases = `CASE WHEN ${p} IS NULL THEN NULL WHEN ${f} >= ${p} THEN ${increase} ELSE ${f} END`;
  return `CASE WHEN count(${f}) >= 2 THEN ${sumSql(increases, integer)} END`;
}

/** A plain sum of doubles loses more digits the more values there are; fsum carries what each addition loses. */
function sumSql(value: string, integer: boolean): string {
  return integer ? `sum(${value})` : `fsum(${value})`;
}

/** DuckDB refuses a whole query when the square of one value overflows: such buckets are scaled down first. */
function stddevSql(f: string, integer: boolean): string {
  if (integer) return `stddev_samp(${f})`;
  return (
    `CASE WHEN max(abs(${f})) > 1e150 THEN stddev_samp(${f} * 1e-200) * 1e200 ` +
    `ELSE stddev_samp(CASE WHEN abs(${f}) <= 1e150 THEN ${f} END) END`
  );
}
