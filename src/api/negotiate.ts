import { FORM_NAMES, MillraceError, isFormName, isNamedForm, type FormName } from '../core/index.ts';
import { ENCODINGS, FORMS, type Encoding } from '../answers/index.ts';

/**
 * The form of an answer: `format` decides, else the Accept header (RFC 9110, 12.5.1), else the first form there is.
 * Throws `not_acceptable`, or `parameter_invalid` for a format that nobody has heard of.
 */
export function negotiate(format: string | undefined, accept: string | undefined): FormName {
  if (format !== undefined) {
    if (isFormName(format)) return format;
    const message = `format: expected one of ${FORM_NAMES.join(', ')}, got "${format.slice(0, 30)}"`;
    throw new MillraceError(isNamedForm(format) ? 'not_acceptable' : 'parameter_invalid', message);
  }
  const ranges = (accept ?? '').trim() === '' ? [ANY] : (accept ?? '').split(',').map(parseRange);
  let best: { form: FormName; weight: number } | null = null;
  for (const form of FORM_NAMES) {
    const weight = weightOf(FORMS[form].mediaType, ranges);
    if (weight > 0 && (best === null || weight > best.weight)) best = { form, weight };
  }
  if (best === null) {
    const made = FORM_NAMES.map((form) => FORMS[form].contentType);
    throw new MillraceError('not_acceptable', `this route answers with ${made.join(' or ')}`);
  }
  return best.form;
}

/**
 * How the bytes of an answer are coded: what Accept-Encoding likes best (RFC 9110, 12.5.3), of equals the first that
 * there is. A reader that forbids everything gets the bytes as they are.
 */
export function negotiateEncoding(acceptEncoding: string | undefined): Encoding {
  const ranges = (acceptEncoding ?? '').split(',').map(parseRange);
  const named = (name: string): number | undefined => ranges.find(({ type }) => type === name)?.weight;
  let best: { encoding: Encoding; weight: number } = { encoding: 'identity', weight: 0 };
  for (const encoding of ENCODINGS) {
    const alias = encoding === 'gzip' ? named('x-gzip') : undefined;
    // What is not mentioned is not liked; only the bytes as they are need no mention, and come last then.
    const unnamed = encoding === 'identity' ? Number.MIN_VALUE : 0;
    const weight = named(encoding) ?? alias ?? named('*') ?? unnamed;
    if (weight > best.weight) best = { encoding, weight };
  }
  return best.encoding;
}

interface MediaRange {
  type: string;
  weight: number;
}

const ANY: MediaRange = { type: '*/*', weight: 1 };

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
