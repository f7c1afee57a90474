import type { z } from 'zod';
import { LIMITS, MillraceError, didYouMean } from '../core/index.ts';
import type { HttpExchange } from './edge.ts';
import { issueText } from './issue-text.ts';
import type { JsonSchema } from './json-schema.ts';

/**
 * Input on its way from the wire to a zod schema. A query string knows only texts, JSON also numbers and lists;
 * the JSON Schema that documents a route says which form each parameter takes, so that both ways in mean the
 * same. `tag.NAME` and `tag[NAME]` gather in `tag`, a map of lists. Names come from outside, and `__proto__` or
 * `constructor` is one as any other: they are keys of maps, never of objects, until a schema has taken them.
 */
export type RawParameters = ReadonlyMap<string, unknown>;

const TAG_PREFIX = 'tag.';
/** How programs that read OpenAPI's `deepObject` write the same. */
const TAG_MEMBER = /^tag\[(.*)\]$/s;

/**
 * A query string and the path's own parameters. A parameter in `commas` is also split at commas. Throws
 * `query_too_long`, which a cursor has no part in.
 */
export function readQuery(
  query: string,
  segments: Readonly<Record<string, string>>,
  commas: readonly string[],
): RawParameters {
  const raw = new Map<string, string[]>();
  const ownChars = query.length - (/(?:^|&)cursor=[^&]*/.exec(query)?.[0].length ?? 0);
  if (ownChars > LIMITS.maxQueryChars) {
    const limit = `a query string may have ${LIMITS.maxQueryChars} characters`;
    throw new MillraceError('query_too_long', `${limit} beside its cursor, got ${ownChars}`);
  }
  for (const [name, value] of new URLSearchParams(query)) {
    if (Object.hasOwn(segments, name))
      throw new MillraceError('parameter_unknown', `${name} stands in the path`);
    const values = commas.includes(name) ? value.split(',') : [value];
    const known = raw.get(name);
    if (known === undefined) raw.set(name, values);
    else known.push(...values);
  }
  for (const [name, value] of Object.entries(segments)) raw.set(name, [value]);
  return raw;
}

/** The members of a JSON body, as readMembers reads them. Rejects with `content_type_unsupported`, `body_*`. */
export async function readBody(
  exchange: HttpExchange,
  commas: readonly string[] = [],
  maxBytes: number = LIMITS.maxQueryBodyBytes,
): Promise<RawParameters> {
  const contentType = (exchange.header('content-type') ?? '').split(';')[0]?.trim().toLowerCase();
  if (contentType !== 'application/json') {
    throw new MillraceError('content_type_unsupported', 'send the body as Content-Type: application/json');
  }
  const body = await exchange.body(maxBytes);
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new MillraceError('body_invalid', 'the body is not JSON', { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new MillraceError('body_invalid', 'the body must be a JSON object');
  }
  return readMembers(value, commas);
}

/** The members of an object that was JSON; null stands for absent, and a text in `commas` is split as in a query. */
export function readMembers(value: object, commas: readonly string[] = []): RawParameters {
  return new Map(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([name, member]): [string, unknown] => [
        name,
        commas.includes(name) && typeof member === 'string' ? member.split(',') : member,
      ]),
  );
}

/**
 * Checks raw parameters against a schema. Throws `parameter_unknown`, `parameter_missing` or
 * `parameter_invalid`, each naming the parameter.
 */
export function bindParameters<Input extends z.ZodObject>(
  raw: RawParameters,
  input: Input,
  inputSchema: JsonSchema,
): z.infer<Input> {
  const properties = (inputSchema['properties'] ?? {}) as Record<string, JsonSchema>;
  const bound: Record<string, unknown> = {};
  const tags = new Map<string, unknown[]>();
  for (const [name, value] of raw) {
    if (
      Object.hasOwn(properties, 'tag') &&
      (name === 'tag' || name.startsWith(TAG_PREFIX) || TAG_MEMBER.test(name))
    ) {
      addTags(tags, name, value);
      continue;
    }
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (property === undefined) throw unknownParameter(name, Object.keys(properties));
    bound[name] = shape(name, value, property);
  }
  if (tags.size > 0) bound['tag'] = tags;
  const parsed = input.safeParse(bound);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const name = issue?.path.map(String).join('.') ?? '';
  const top = String(issue?.path[0] ?? '');
  if (issue !== undefined && issue.path.length === 1 && !Object.hasOwn(bound, top)) {
    throw new MillraceError('parameter_missing', `the parameter ${top} is missing`);
  }
  throw new MillraceError(
    'parameter_invalid',
    `${name}: ${issue === undefined ? 'it is invalid' : issueText(issue)}`,
  );
}

function unknownParameter(name: string, known: readonly string[]): MillraceError {
  const names = known.map((each) => (each === 'tag' ? 'tag.NAME' : each));
  return new MillraceError(
    'parameter_unknown',
    `there is no parameter "${name.slice(0, 60)}"; known: ${names.length === 0 ? 'none' : names.join(', ')}${didYouMean(name, names)}`,
  );
}

/** `tag.NAME=value` or `tag[NAME]=value` from a query string, `"tag": {"NAME": value or list}` or `"tag.NAME"` from JSON. */
function addTags(tags: Map<string, unknown[]>, name: string, value: unknown): void {
  const entries: [string, unknown][] =
    name === 'tag'
      ? tagObject(value)
      : [[TAG_MEMBER.exec(name)?.[1] ?? name.slice(TAG_PREFIX.length), value]];
  for (const [tag, given] of entries) {
    if (tag === '') throw new MillraceError('parameter_unknown', 'there is no tag "" to filter by');
    const values = Array.isArray(given) ? (given as unknown[]) : [given];
    tags.set(tag, [...(tags.get(tag) ?? []), ...values]);
  }
}

function tagObject(value: unknown): [string, unknown][] {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value);
  throw new MillraceError('parameter_invalid', 'tag: filter with tag.NAME=value, or in JSON {"NAME": value}');
}

/** Brings a value into the form that its schema documents; what does not fit is left for zod to refuse. */
function shape(name: string, value: unknown, property: JsonSchema): unknown {
  const type = property['type'];
  if (type === 'array') {
    const items = (property['items'] ?? {}) as JsonSchema;
    return (Array.isArray(value) ? (value as unknown[]) : [value]).map((each) => scalar(each, items));
  }
  if (!Array.isArray(value)) return scalar(value, property);
  if (value.length > 1) {
    throw new MillraceError('parameter_invalid', `${name}: expected one value, got ${value.length}`);
  }
  return scalar((value as unknown[])[0], property);
}

function scalar(value: unknown, property: JsonSchema): unknown {
  if (property['type'] === 'integer' && typeof value === 'string' && /^-?\d{1,15}$/.test(value)) {
    return Number(value);
  }
  if (property['type'] === 'string' && typeof value === 'number') return String(value);
  return value;
}
