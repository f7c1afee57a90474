import { MillraceError, takesType, type ColumnDef } from '../../core/index.ts';
import type { AggregateQuery } from '../store.ts';

/** The measurement's field of a name. Throws `field_unknown`. */
export function fieldOf({ measurement }: AggregateQuery, name: string): ColumnDef {
  const field = measurement.fields.find((candidate) => candidate.name === name);
  if (field === undefined) {
    throw new MillraceError('field_unknown', `${measurement.name} has no field "${name}"`);
  }
  return field;
}

/**
 * The columns of an aggregate answer: time, the group, one per function. Throws `field_unknown`,
 * `parameter_invalid` for an unknown group, and `function_unsuitable`.
 */
export function aggregateColumns(query: AggregateQuery): string[] {
  const tags = query.measurement.tags.map((tag) => tag.name);
  for (const name of query.group) {
    if (name !== 'device' && !tags.includes(name)) {
      throw new MillraceError('parameter_invalid', `group: ${query.measurement.name} has no tag "${name}"`);
    }
  }
  for (const { field, fn } of query.aggregates) {
    const { type } = fieldOf(query, field);
    if (!takesType(fn, type)) {
      throw new MillraceError('function_unsuitable', `${fn} does not apply to ${field}, a ${type}`);
    }
  }
  return ['time', ...query.group, ...query.aggregates.map(({ name }) => name)];
}
