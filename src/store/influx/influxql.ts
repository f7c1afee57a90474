import type { Measurement, SelectedColumns } from '../../core/index.ts';
import type { Selection } from '../store.ts';

/** A name in InfluxQL: measurement, tag or field. */
export function identifier(name: string): string {
  return `"${name.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}

/** A string value in InfluxQL. */
export function literal(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&').replaceAll('\n', '\\n')}'`;
}

/**
 * The condition of a selection for WHERE; null when it cannot match anything. An empty tag is a missing one and
 * never matches.
 */
export function condition(
  selection: Pick<Selection, 'measurement' | 'devices' | 'tags'> &
    Partial<Pick<Selection, 'fromNs' | 'toNs'>>,
): string | null {
  const parts: string[] = [];
  if (selection.fromNs !== undefined && selection.toNs !== undefined) {
    if (selection.fromNs >= selection.toNs) return null;
    parts.push(`time >= ${selection.fromNs}`, `time < ${selection.toNs}`);
  }
  const isTag = (name: string): boolean => selection.measurement.tags.some((tag) => tag.name === name);
  for (const [name, values] of [['device', selection.devices] as const, ...Object.entries(selection.tags)]) {
    if (values.length === 0) continue;
    // No stored tag is empty or holds a NUL; InfluxQL takes '' for a missing tag and has no form for NUL. Asked
    // for a name that is no tag, it would compare a field.
    const possible = values.filter((value) => value !== '' && !value.includes('\0'));
    if (possible.length === 0 || (name !== 'device' && !isTag(name))) return null;
    parts.push(anyOf(name, possible));
  }
  return parts.length === 0 ? 'true' : parts.join(' AND ');
}

function anyOf(tag: string, values: readonly string[]): string {
  return `(${values.map((value) => `${identifier(tag)} = ${literal(value)}`).join(' OR ')})`;
}

/** What raw rows select: device, tags, fields. The answer has the time in front of them. */
export function rawColumns(selected: SelectedColumns): string {
  const names = ['device', ...selected.defs.map((def) => def.name)];
  return names.map(identifier).join(', ');
}

/** FROM's operand. */
export function source(measurement: Pick<Measurement, 'name'>): string {
  return identifier(measurement.name);
}
