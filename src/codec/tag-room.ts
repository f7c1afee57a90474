import { LIMITS } from '../core/index.ts';
import { symbolBytes } from './symbol-bytes.ts';
import type { Plan, PlanNode } from './plan.ts';

/** Longest text of a number or boolean as a tag: a double such as -1.2345678901234567e-308. */
const NUMBER_CHARS = 24;
/** Around a tag's name and value in a series' key, and between the key and a field's name. */
const TAG_SIGNS = 2;
const FIELD_SIGNS = 4;
const LONGEST_DEVICE = 128;

/**
 * Bytes that the strings among the tags of a point may have together, as line protocol writes them: LIMITS.maxTagBytes,
 * or less where the names leave less of the series' key. Negative where the names alone are too long.
 */
export function tagRoom({ mapping, root }: Pick<Plan, 'mapping' | 'root'>): number {
  let names = mapping.measurement.length + 'device'.length + TAG_SIGNS + LONGEST_DEVICE + FIELD_SIGNS;
  let longestField = 0;
  for (const { name, role } of mapping.columns) {
    if (role === 'tag') names += name.length + TAG_SIGNS;
    else longestField = Math.max(longestField, name.length);
  }
  const left = LIMITS.maxSeriesKeyBytes - names - longestField - plainTags(root);
  return Math.min(LIMITS.maxTagBytes, left);
}

/** Bytes that the other tags have at most: none of them has a sign that is escaped. */
function plainTags(node: PlanNode): number {
  switch (node.kind) {
    case 'record':
      return node.fields.reduce((sum, field) => sum + plainTags(field), 0);
    case 'union':
      return Math.max(...node.branches.map(plainTags));
    case 'array':
      return plainTags(node.item);
    case 'map':
      return 0;
    case 'leaf': {
      const { target, type } = node;
      if (target.to !== 'column' || target.role !== 'tag' || type.name === 'string') return 0;
      return type.name === 'enum' ? symbolBytes(type.symbols).longest : NUMBER_CHARS;
    }
  }
}
