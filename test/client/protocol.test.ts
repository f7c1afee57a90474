import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseIngestMessage, parseTailMessage } from '../../src/client/protocol.ts';
import { RECONNECT, reconnectDelayMs, verdictOfClose, verdictOfStatus } from '../../src/client/reconnect.ts';

test('whatever a server sends, reading it never throws and gives a message of a known type or null', () => {
  const members = fc.record(
    {
      type: fc.constantFrom('welcome', 'ack', 'reject', 'goaway', 'data', 'subscribed', 'gap', 'x'),
      seq: fc.anything(),
      id: fc.anything(),
      n: fc.anything(),
      rows: fc.anything(),
      columns: fc.anything(),
      cursor: fc.anything(),
    },
    { requiredKeys: [] },
  );
  const known = ['welcome', 'ack', 'reject', 'goaway', 'data', 'subscribed', 'gap'];
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), members.map(toJson)), (text) => {
      for (const message of [parseIngestMessage(text), parseTailMessage(text)]) {
        if (message !== null) expect(known).toContain(message.type);
      }
    }),
  );
});

test('numbers that are no counts make no message', () => {
  for (const seq of [-1, 1.5, '1', null, 2 ** 53]) {
    expect(parseIngestMessage(JSON.stringify({ type: 'ack', seq }))).toBeNull();
  }
  expect(parseIngestMessage('{"type":"welcome","device":"d","epoch":"e","seq":0}')).toBeNull();
});

test('backoff is uniform below a ceiling that doubles up to half a minute', () => {
  fc.assert(
    fc.property(fc.nat(100), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, r) => {
      const ceiling = Math.min(RECONNECT.maxDelayMs, RECONNECT.baseDelayMs * 2 ** attempt);
      expect(reconnectDelayMs(attempt, () => r)).toBeCloseTo(r * ceiling, 6);
    }),
  );
});

test('close codes and statuses say whether to come back', () => {
  expect([1001, 1012].map(verdictOfClose)).toEqual(['return', 'return']);
  expect([1000, 1006, 1011, 4000, 4013, 4499].map(verdictOfClose)).toEqual(Array(6).fill('retry'));
  expect([1009, 4500, 4508, 4999].map(verdictOfClose)).toEqual(Array(4).fill('stop'));
  expect([408, 429, 500, 503].map(verdictOfStatus)).toEqual(Array(4).fill('retry'));
  expect([400, 401, 403, 404].map(verdictOfStatus)).toEqual(Array(4).fill('stop'));
});

/** JSON of anything; what JSON cannot say becomes null. */
function toJson(value: object): string {
  try {
    return JSON.stringify(value);
  } catch {
    return 'null';
  }
}
