import {
  AGGREGATE_FUNCTIONS,
  DEVICE_COLUMN,
  MillraceError,
  TIME_COLUMN,
  answerColumn,
  fieldUnknown,
  takesType,
  type AnswerColumn,
  type ColumnDef,
} from '../../core/index.ts';
import type { AggregateColumn, AggregateQuery } from '../store.ts';

/** The measurement's field of a name. Throws `field_unknown`. */
export function fieldOf({ measurement }: AggregateQuery, name: string): ColumnDef {
  const field = measurement.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw fieldUnknown(measurement, name);
  return field;
}

/**
 * The columns of an aggregate answer: time, the group, one per function. Throws `field_unknown`,
 * `parameter_invalid` for an unknown group, and `function_unsuitable`.
 */
export function aggregateColumns(query: AggregateQuery): AnswerColumn[] {
  const tags = [DEVICE_COLUMN, ...query.measurement.tags.map(answerColumn)];
  const group = query.group.map((name) => {
    const tag = tags.find((each) => each.name === name);
    if (tag !== undefined) return tag;
    throw new MillraceError('parameter_invalid', `group: ${query.measurement.name} has no tag "${name}"`);
  });
  for (const { field, fn } of query.aggregates) {
    const { type } = fieldOf(query, field);
    if (!takesType(fn, type)) {
      throw new MillraceError('function_unsuitable', `${fn} does not apply to ${field}, a ${type}`);
    }
  }
  const aggregates = query.aggregates.map((aggregate) =>
    resultColumn(aggregate, fieldOf(query, aggregate.field)),
  );
  return [TIME_COLUMN, ...group, ...aggregates];
}

function resultColumn({ name, fn }: AggregateColumn, field: ColumnDef): AnswerColumn {
  const { keepsValues, gives, hasUnit } = AGGREGATE_FUNCTIONS[fn];
  const type = gives === 'its type' ? field.type : gives;
  return {
    name,
    role: 'field',
    type,
    float32: keepsValues && field.float32,
    unit: hasUnit ? field.unit : null,
  };
}
