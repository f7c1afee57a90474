import { expect, test } from '@jest/globals';
import {
  NO_READINGS,
  TRANSPORTS,
  addReadings,
  byTransport,
  isNumbered,
  totalReadings,
} from '../../src/core/index.ts';

test('the place of a transport is its byte in blocks on disk, so the first three never change', () => {
  expect(TRANSPORTS.slice(0, 3)).toEqual(['ws', 'http', 'mqtt']);
});

test('only frames of a WebSocket are numbered per device', () => {
  expect(TRANSPORTS.filter((each) => isNumbered(each))).toEqual(['ws']);
});

test('counts of every transport take part in a sum and in a total', () => {
  const ones = byTransport(() => 1);
  expect(addReadings(ones, NO_READINGS)).toEqual(ones);
  expect(totalReadings(addReadings(ones, ones))).toBe(2 * TRANSPORTS.length);
  expect(totalReadings(NO_READINGS)).toBe(0);
});
