import { describe, expect, test } from '@jest/globals';
import { didYouMean, nearestName } from '../../src/core/index.ts';

const FIELDS = ['temperature', 'humidity', 'pressure', 'battery', 'ok'];

describe('the nearest name', () => {
  test.each([
    ['temprature', 'temperature'],
    ['Humidity', 'humidity'],
    ['pres', null],
    ['presure', 'pressure'],
    ['batery', 'battery'],
    ['okk', 'ok'],
    ['humidty', 'humidity'],
    ['ubmidity', 'humidity'],
    ['voltage', null],
    ['', null],
  ])('to "%s" is %s', (written, meant) => {
    expect(nearestName(written, FIELDS)).toBe(meant);
  });

  test('is the one with the fewest slips, the first of those where several have as few', () => {
    expect(nearestName('phase-3', ['phase-1', 'phase-33', 'phase-2'])).toBe('phase-1');
    expect(nearestName('phases-2', ['phase-1', 'phase-2'])).toBe('phase-2');
  });

  test('is not looked for where names are too long or too many', () => {
    const long = 'n'.repeat(101);
    expect(nearestName(long, [long])).toBeNull();
    expect(nearestName('x1', [...Array.from({ length: 1_000 }, () => 'other name'), 'x2'])).toBeNull();
  });

  test('ends a message, which ends as it was where none is near', () => {
    expect(didYouMean('temprature', FIELDS)).toBe('; did you mean "temperature"?');
    expect(didYouMean('voltage', FIELDS)).toBe('');
  });
});
