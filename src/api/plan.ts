import { z } from 'zod';
import {
  AGGREGATE_FUNCTIONS,
  FORM_NAMES,
  FUNCTIONS,
  LIMITS,
  MillraceError,
  parseDurationNs,
  parseTimeNs,
  selectColumns,
  takesType,
  type AggregateFunction,
  type ColumnDef,
  type Measurement,
} from '../core/index.ts';
import { choose, selectionInput, several, timeForms, timeInput, type Registry } from '../registry/index.ts';
import type { QueryPlan } from '../answers/index.ts';
import type { AggregateColumn } from '../store/index.ts';

export const formatInput = z
  .string()
  .optional()
  .meta({
    enum: [...FORM_NAMES],
    description: 'The form of the answer; without it the Accept header decides',
  });

const FUNCTION_MEANINGS = FUNCTIONS.map((fn) => `${fn} (${AGGREGATE_FUNCTIONS[fn].meaning})`).join(', ');

/** The parameters of /v1/query. */
export const queryInput = z.object({
  ...selectionInput,
  from: timeInput.default('-1h').describe(`Start, inclusive: ${timeForms}`),
  to: timeInput.default('now').describe(`End, exclusive: ${timeForms}`),
  every: z.string().max(16).optional().describe('Length of the time buckets, such as 10s; needs fn'),
  fn: several(z.enum(FUNCTIONS))
    .optional()
    .describe(`Aggregate by these functions instead of raw rows: ${FUNCTION_MEANINGS}`),
  group: several(z.string().min(1).max(LIMITS.maxParameterLength))
    .optional()
    .describe(
      'Tags (device among them) that aggregates are kept apart by; * for all, without it all series merge',
    ),
  order: z.enum(['asc', 'desc']).default('asc').describe('By time'),
  limit: z.int().min(1).max(LIMITS.queryMaxRows).optional().describe('Rows at most; more rows give a cursor'),
  cursor: z.string().max(2_048).optional().describe('Where the page before ended'),
  format: formatInput,
});
export type QueryInput = z.infer<typeof queryInput>;

/** Checks what the parameters mean. Throws `measurement_unknown`, `field_unknown`, `function_unsuitable`, `parameter_*`. */
export function planQuery(
  registry: Pick<Registry, 'measurement' | 'measurements'>,
  input: QueryInput,
  { fromNs, toNs }: TimeRange,
): QueryPlan {
  const chosen = choose(registry, input);
  const selected = selectColumns(chosen.measurement, input.field ?? []);
  const selection = { ...chosen, fields: selected.fields.map((field) => field.name), fromNs, toNs };
  if (input.fn === undefined) {
    for (const name of ['every', 'group'] as const) {
      if (input[name] !== undefined) throw invalid(name, 'it needs fn, such as fn=mean');
    }
    return { kind: 'rows', query: { ...selection, order: input.order } };
  }
  const functions = [...new Set(input.fn)];
  const everyNs = input.every === undefined ? null : bucketLength(input.every, fromNs, toNs);
  const group = groupTags(chosen.measurement, input.group);
  const fields = suitableFields(selected.fields, functions, input.field !== undefined);
  const aggregates = fields.flatMap((field) => functions.map((fn) => aggregateColumn(field, fn, functions)));
  return { kind: 'aggregate', query: { ...selection, aggregates, everyNs, group, order: input.order } };
}

/** [fromNs, toNs), within the times that a store can hold. */
export interface TimeRange {
  fromNs: bigint;
  toNs: bigint;
}

/** Throws `parameter_invalid` for what is no time, and for a reversed range. */
export function timeRange(input: Pick<QueryInput, 'from' | 'to'>, nowNs: bigint): TimeRange {
  const fromNs = parseTimeNs(input.from, 'from', nowNs);
  const toNs = parseTimeNs(input.to, 'to', nowNs);
  if (fromNs > toNs) throw invalid('from', `it lies after to (${input.from} and ${input.to})`);
  return { fromNs, toNs };
}

function bucketLength(text: string, fromNs: bigint, toNs: bigint): bigint {
  const everyNs = parseDurationNs(text);
  if (everyNs === null || everyNs === 0n)
    throw invalid('every', `expected a duration such as 10s, got "${text}"`);
  const buckets = toNs > fromNs ? (toNs - 1n) / everyNs - fromNs / everyNs + 1n : 0n;
  if (buckets > BigInt(LIMITS.queryMaxBuckets)) {
    throw invalid(
      'every',
      `it makes ${buckets} buckets of this range, the limit is ${LIMITS.queryMaxBuckets}`,
    );
  }
  return everyNs;
}

function groupTags(measurement: Measurement, asked: readonly string[] | undefined): string[] {
  if (asked === undefined) return [];
  const known = ['device', ...measurement.tags.map((tag) => tag.name)];
  if (asked.length === 1 && asked[0] === '*') return known;
  if (asked.length === 1 && asked[0] === 'none' && !known.includes('none')) return [];
  for (const name of asked) {
    if (!known.includes(name)) {
      throw invalid('group', `expected * or tags of ${known.join(', ')}, got "${name.slice(0, 60)}"`);
    }
  }
  return [...new Set(asked)];
}

function suitableFields(
  fields: readonly ColumnDef[],
  functions: readonly AggregateFunction[],
  named: boolean,
): readonly ColumnDef[] {
  const suits = (field: ColumnDef): boolean => functions.every((fn) => takesType(fn, field.type));
  if (fields.length === 0) {
    throw new MillraceError('function_unsuitable', `${functions.join(', ')}: there is no field to aggregate`);
  }
  const unsuitable = fields.find((field) => !suits(field));
  if (unsuitable === undefined) return fields;
  const rest = fields.filter(suits);
  if (named || rest.length === 0) {
    throw new MillraceError(
      'function_unsuitable',
      `${functions.join(', ')}: ${unsuitable.name} is of type ${unsuitable.type}, which has ${inWords(FUNCTIONS.filter((fn) => takesType(fn, unsuitable.type)))}`,
    );
  }
  return rest;
}

function aggregateColumn(
  field: ColumnDef,
  fn: AggregateFunction,
  functions: readonly AggregateFunction[],
): AggregateColumn {
  return { field: field.name, fn, name: functions.length === 1 ? field.name : `${field.name}_${fn}` };
}

/** Of `a`, `b` and `c`: "a, b and c". */
function inWords(names: readonly string[]): string {
  return names.join(', ').replace(/, ([^,]*)$/, ' and $1');
}

function invalid(name: string, message: string): MillraceError {
  return new MillraceError('parameter_invalid', `${name}: ${message}`);
}
