import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { queryInput } from '../../src/api/plan.ts';
import { queryCommand } from '../../src/cli/query.ts';
import { AGGREGATE_FUNCTIONS, FUNCTIONS } from '../../src/core/index.ts';

/** A text with each run of white space as one space. */
const onOneLine = (text: string): string => text.replace(/\s+/g, ' ');

const protocol = onOneLine(readFileSync('docs/protocol.md', 'utf8'));

test('docs/protocol.md tells every aggregate function, what it takes and what it gives', () => {
  const missing = FUNCTIONS.filter((fn) => {
    const { takes, meaning } = AGGREGATE_FUNCTIONS[fn];
    return !protocol.includes(`| \`${fn}\` | ${takes} | ${meaning} |`);
  });
  expect(missing).toEqual([]);
  expect(protocol).toContain(FUNCTIONS.map((fn) => `\`${fn}\``).join(', '));
});

test('OpenAPI tells what every aggregate function gives', () => {
  const description = queryInput.shape.fn.description ?? '';
  const missing = FUNCTIONS.filter(
    (fn) => !description.includes(`${fn} (${AGGREGATE_FUNCTIONS[fn].meaning})`),
  );
  expect(missing).toEqual([]);
});

test('the help of the query command names every aggregate function', () => {
  expect(onOneLine(queryCommand().helpInformation())).toContain(`${FUNCTIONS.join(', ')} (repeat)`);
});
