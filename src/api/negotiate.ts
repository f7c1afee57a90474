import { MillraceError } from '../core/index.ts';

/** The forms of an answer of rows, and their content types. */
export const FORMS = {
  json: 'application/json',
  csv: 'text/csv; charset=utf-8; header=present',
} as const;
export type Form = keyof typeof FORMS;

/** Forms that the contract names and this version does not make. */
const UNMADE = ['ndjson', 'arrow', 'avro'];

function isForm(name: string): name is Form {
  return Object.hasOwn(FORMS, name);
}

/**
 * The form of an answer: `format` decides, else the Accept header (RFC 9110, 12.5.1), else JSON. Throws
 * `not_acceptable`, or `parameter_invalid` for a format that nobody has heard of.
 */
export function negotiate(format: string | undefined, accept: string | undefined): Form {
  if (format !== undefined) {
    if (isForm(format)) return format;
    const message = `format: expected one of ${Object.keys(FORMS).join(', ')}, got "${format.slice(0, 30)}"`;
    throw new MillraceError(UNMADE.includes(format) ? 'not_acceptable' : 'parameter_invalid', message);
  }
  if (accept === undefined || accept.trim() === '') return 'json';
  const ranges = accept.split(',').map(parseRange);
  let best: { form: Form; weight: number } | null = null;
  for (const form of ['json', 'csv'] as const) {
    const weight = weightOf(FORMS[form].split(';')[0] ?? '', ranges);
    if (weight > 0 && (best === null || weight > best.weight)) best = { form, weight };
  }
  if (best === null) {
    throw new MillraceError('not_acceptable', `this route answers with ${Object.values(FORMS).join(' or ')}`);
  }
  return best.form;
}

interface MediaRange {
  type: string;
  weight: number;
}

function parseRange(text: string): MediaRange {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase());
  const q = parameters.find((parameter) => parameter.startsWith('q='));
  const weight = q === undefined ? 1 : Number(q.slice(2));
  return { type, weight: Number.isFinite(weight) ? weight : 0 };
}

/** The most specific range that covers a type decides its weight. */
function weightOf(contentType: string, ranges: readonly MediaRange[]): number {
  const anySubtype = `${contentType.split('/')[0]}/*`;
  for (const wanted of [contentType, anySubtype, '*/*']) {
    const range = ranges.find((each) => each.type === wanted);
    if (range !== undefined) return range.weight;
  }
  return 0;
}
