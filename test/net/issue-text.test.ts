import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { issueText } from '../../src/net/issue-text.ts';

const text = (schema: z.ZodType, value: unknown): string[] =>
  (schema.safeParse(value).error?.issues ?? []).map(issueText);

describe('what a value should have been', () => {
  test.each<[z.ZodType, unknown, string]>([
    [z.string(), 5, 'expected a text'],
    [z.number(), 'x', 'expected a number'],
    [z.int(), 1.5, 'expected a whole number'],
    [z.boolean(), 'x', 'expected true or false'],
    [z.array(z.string()), 'x', 'expected a list'],
    [z.object({}), 'x', 'expected an object'],
    [z.map(z.string(), z.string()), 'x', 'expected an object'],
    [z.enum(['asc', 'desc']), 'up', 'expected one of asc, desc'],
    [z.literal('json'), 'x', 'expected json'],
    [z.string().min(1), '', 'expected at least 1 character'],
    [z.string().max(64), 'x'.repeat(65), 'expected at most 64 characters'],
    [z.array(z.string()).min(1), [], 'expected at least 1 value'],
    [z.array(z.string()).max(2), ['a', 'b', 'c'], 'expected at most 2 values'],
    [z.int().min(1), 0, 'expected at least 1'],
    [z.int().max(10), 11, 'expected at most 10'],
    [z.strictObject({}), { a: 1, b: 2 }, 'unknown: a, b'],
    [z.string().refine(() => false, 'expected a time'), 'x', 'expected a time'],
  ])('is told in plain words (%#)', (schema, value, words) => {
    expect(text(schema, value)).toEqual([words]);
  });
});
