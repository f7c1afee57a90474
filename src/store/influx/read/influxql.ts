import type { Measurement, SelectedColumns } from '../../../core/index.ts';
import type { Selection } from '../../store.ts';
import { isTagText } from '../../shared/tag-text.ts';

/** A name in InfluxQL: measurement, tag or field. */
export function identifier(name: string): string {
  return `"${name.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}

/** A string value in InfluxQL. */
function literal(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&').replaceAll('\n', '\\n')}'`;
}

/**
 * That a tag has this very text, for WHERE. A string in InfluxQL cannot hold a carriage return, which is read as a
 * newline; a regular expression can name it.
 */
function tagIs(tag: string, text: string): string {
  if (!text.includes('\r')) return `${identifier(tag)} = ${literal(text)}`;
  const spelled = text.replace(
    /[^A-Za-z0-9\u0080-\u{10ffff}]/gu,
    (each) => `\\x{${(each.codePointAt(0) ?? 0).toString(16)}}`,
  );
  return `${identifier(tag)} =~ /^${spelled}$/`;
}

/** A WHERE condition that a tag has one of the texts; null where none of them can be a tag's text. */
export function tagIsAny(tag: string, texts: readonly string[]): string | null {
  const possible = texts.filter(isTagText).map((text) => tagIs(tag, text));
  return possible.length === 0 ? null : `(${possible.join(' OR ')})`;
}

/**
 * The condition of a selection for WHERE; null when it cannot match anything.
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
    // Asked for a name that is no tag, InfluxQL would compare a field.
    const any = name === 'device' || isTag(name) ? tagIsAny(name, values) : null;
    if (any === null) return null;
    parts.push(any);
  }
  return parts.length === 0 ? 'true' : parts.join(' AND ');
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
