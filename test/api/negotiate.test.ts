import { describe, expect, test } from '@jest/globals';
import { negotiate } from '../../src/api/negotiate.ts';

describe('the form of an answer', () => {
  test.each([
    [undefined, undefined, 'json'],
    [undefined, '*/*', 'json'],
    [undefined, 'text/csv', 'csv'],
    [undefined, 'text/*', 'csv'],
    [undefined, 'application/json;q=0.5, text/csv', 'csv'],
    [undefined, 'text/csv;q=0.1, */*', 'json'],
    [undefined, 'text/html,application/xhtml+xml,*/*;q=0.8', 'json'],
    [undefined, 'application/json;q=0, */*', 'csv'],
    ['csv', 'application/json', 'csv'],
    ['json', 'text/csv', 'json'],
  ])('is, for format=%s and Accept: %s, %s', (format, accept, form) => {
    expect(negotiate(format, accept)).toBe(form);
  });

  test.each([
    [undefined, 'image/png', 'not_acceptable'],
    [undefined, 'text/csv;q=0', 'not_acceptable'],
    ['arrow', undefined, 'not_acceptable'],
    ['xml', undefined, 'parameter_invalid'],
    ['toString', undefined, 'parameter_invalid'],
  ])('is refused for format=%s and Accept: %s with %s', (format, accept, code) => {
    expect(() => negotiate(format, accept)).toThrow(expect.objectContaining({ code }));
  });
});
