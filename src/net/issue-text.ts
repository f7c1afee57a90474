import type { z } from 'zod';

/** One zod issue, as `safeParse` gives them. */
type Issue = z.core.$ZodIssue;

/** What a value should have been, for people who do not know the library that found it. */
export function issueText(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return limitText(issue.origin, Number(issue.minimum), 'at least');
    case 'too_big':
      return limitText(issue.origin, Number(issue.maximum), 'at most');
    case 'unrecognized_keys':
      return `unknown: ${issue.keys.join(', ')}`;
    default:
      // Those of refinements are sentences of our own.
      return issue.message;
  }
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  map: 'an object',
};

function limitText(origin: string, limit: number, words: 'at least' | 'at most'): string {
  switch (origin) {
    case 'string':
      return `expected ${words} ${count(limit, 'character')}`;
    case 'array':
    case 'set':
      return `expected ${words} ${count(limit, 'value')}`;
    default:
      return `expected ${words} ${limit}`;
  }
}

function count(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? '' : 's'}`;
}
