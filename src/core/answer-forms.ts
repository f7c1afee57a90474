/**
 * The forms of an answer of rows that the contract names, in the order of preference, and whether a form is text or
 * bytes. Null is one that this version does not make.
 */
export const ANSWER_FORMS = {
  json: 'text',
  csv: 'text',
  ndjson: null,
  arrow: null,
  avro: null,
} as const satisfies Record<string, 'text' | 'bytes' | null>;

/** The name of a form that is made here. */
export type FormName = {
  [Name in keyof typeof ANSWER_FORMS]: (typeof ANSWER_FORMS)[Name] extends null ? never : Name;
}[keyof typeof ANSWER_FORMS];

export function isFormName(name: string): name is FormName {
  return isNamedForm(name) && ANSWER_FORMS[name] !== null;
}

/** Whether the contract names this form, made here or not. */
export function isNamedForm(name: string): name is keyof typeof ANSWER_FORMS {
  return Object.hasOwn(ANSWER_FORMS, name);
}

export const FORM_NAMES: readonly FormName[] = Object.keys(ANSWER_FORMS).filter(isFormName);
