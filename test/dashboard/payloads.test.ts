import { describe, expect, test } from '@jest/globals';
import {
  parseDevices,
  parseLatest,
  parseLedger,
  parseMeasurements,
  parseStats,
} from '../../src/dashboard/payloads.ts';

describe('answers of the server', () => {
  test('are refused as a whole when they are something else', () => {
    for (const body of [null, 'text', 7, [], {}, { measurements: 1, devices: 2, rows: 3 }]) {
      expect(parseStats(body)).toBeNull();
      expect(parseMeasurements(body)).toBeNull();
      expect(parseDevices(body)).toBeNull();
      expect(parseLatest(body)).toBeNull();
    }
  });

  test('may leave out what is optional and bring what is not known yet', () => {
    const body = {
      measurements: [
        {
          name: 'm',
          tags: ['site', { name: 'room' }],
          fields: [{ name: 'f', type: 'float', future: 1 }, {}, null],
        },
        { doc: 'no name' },
      ],
    };
    expect(parseMeasurements(body)).toEqual([
      {
        name: 'm',
        doc: null,
        tags: ['site', 'room'],
        fields: [{ name: 'f', type: 'float', unit: null, doc: null }],
      },
    ]);
  });

  test('bring integers beyond 2^53 as text, which the page rounds', () => {
    expect(parseLedger({ received: '9007199254740993', stored: 5 })).toMatchObject({
      received: 9_007_199_254_740_992,
      stored: 5,
      pending: 0,
    });
  });

  test('leave no number where no ack was measured', () => {
    const stats = parseStats({ devices: {}, readings: {}, store: {}, journal: {}, ackMs: { p50: null } });
    expect(stats).toMatchObject({ ackP50Ms: null, ackP99Ms: null, store: { up: false } });
  });
});
