/**
 * The forms of an answer of rows. A form is one file here, one entry below, and its name in the contract's list
 * (core/answer-forms.ts). Whoever needs to know something of a form asks its entry.
 */
import type { FormName } from '../../core/index.ts';
import { csvForm } from './csv.ts';
import type { FormOf } from './form.ts';
import { jsonForm } from './json.ts';

export type * from './form.ts';

export const FORMS: { readonly [Name in FormName]: FormOf<Name> } = {
  json: jsonForm,
  csv: csvForm,
};
