import { FORM_NAMES, MillraceError, isFormName, isNamedForm, type FormName } from '../core/index.ts';
import { FORMS } from './forms/index.ts';

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
