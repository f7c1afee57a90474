import { describe, expect, test } from '@jest/globals';
import { STORE_KINDS, type StoreKind } from '../../src/config/index.ts';
import { STORE_NAMES, storeName, storeNote } from '../../src/dashboard/store-note.ts';
import { parseStats } from '../../src/dashboard/payloads.ts';
import { statusOf } from '../../src/dashboard/status.ts';
import type { StatusInputs } from '../../src/dashboard/status.ts';

const BODY = {
  devices: { connected: 4 },
  tails: 1,
  readings: { perSecond: 12.5, total: 100 },
  ackMs: { p50: 2, p99: null },
  store: { kind: 'influxdb', state: 'up', reason: null },
  journal: { state: 'open', pendingBytes: 10, pendingReadings: 1_200, maxBytes: 1_048_576 },
  version: '0.1.0',
  uptimeS: 3,
};
const end = { closeCode: 1006, status: null, reason: '' };

function statusWith(inputs: Partial<StatusInputs>, body: object = {}) {
  const stats = parseStats({ ...BODY, ...body });
  return statusOf({ link: { name: 'open' }, stats, problem: null, statsAtMs: 0, paused: false, ...inputs });
}

function never(): never {
  throw new Error('the body is well formed');
}

describe('the status of the page', () => {
  test('is live when the server answers, the tail is open and the store is up', () => {
    expect(statusWith({})).toEqual({ tone: 'live', label: 'Live', notice: null, detail: '' });
  });

  test('says that it is paused only when nothing is wrong', () => {
    expect(statusWith({ paused: true }).label).toBe('Paused');
    expect(statusWith({ paused: true, problem: 'The server does not answer' }).label).toBe('Reconnecting…');
  });

  test('is connecting before the first numbers', () => {
    expect(statusWith({ stats: null }).label).toBe('Connecting…');
    expect(statusWith({ link: { name: 'connecting' } }).label).toBe('Connecting…');
  });

  test('is reconnecting while the server or the tail is away, with why', () => {
    const waiting = statusWith({ link: { name: 'waiting', delayMs: 500, end } });
    expect(waiting).toMatchObject({ tone: 'down', label: 'Reconnecting…' });
    expect(statusWith({ problem: 'The server does not answer' }).notice).toContain(
      'The server does not answer.',
    );
  });

  test('says that history cannot be read and live goes on while the store is away', () => {
    const status = statusWith(
      {},
      { store: { kind: 'influxdb', state: 'down', reason: 'connection refused' } },
    );
    expect(status).toMatchObject({ tone: 'warn', label: 'Store away' });
    expect(status.notice).toBe('Store away: history is not readable, live goes on (connection refused).');
    expect(status.detail).toBe('1,200 readings wait in the journal.');
  });

  test('is read out once for one trouble: what changes each second stands apart', () => {
    const down = { ...BODY.store, state: 'down', reason: 'away' };
    const notices = [1, 2, 3].map((second) => {
      const journal = {
        ...BODY.journal,
        state: 'filling',
        pendingReadings: second,
        pendingBytes: 1_000 * second,
      };
      return statusWith(
        { statsAtMs: second * 1_000 },
        { store: down, journal, writer: { retryInMs: 9_000 - second * 1_000 } },
      );
    });
    expect(new Set(notices.map(({ notice }) => notice)).size).toBe(1);
    expect(new Set(notices.map(({ detail }) => detail)).size).toBe(3);
  });

  test('says when the store is tried again, and that the journal is nearly full', () => {
    const down = { ...BODY.store, state: 'down', reason: 'away' };
    const filling = { ...BODY.journal, state: 'filling' };
    const away = statusWith({}, { store: down, journal: filling, writer: { retryInMs: 4_200 } });
    expect(away.notice).toMatch(/\(away\)\. The journal is nearly full\.$/);
    expect(away.detail).toMatch(/Next try in 5 s\. .+ of 1 MiB wait\.$/);
    expect(statusWith({}, { store: down, writer: { retryInMs: null } }).detail).not.toContain('Next try');
    expect(statusWith({}, { journal: filling })).toMatchObject({ tone: 'warn', label: 'Journal filling' });
  });

  test('names a full journal before a store that is away', () => {
    const status = statusWith(
      {},
      { journal: { ...BODY.journal, state: 'full' }, store: { ...BODY.store, state: 'down' } },
    );
    expect(status).toMatchObject({ tone: 'down', label: 'Journal full' });
    expect(status.notice).toContain('1 MiB');
  });

  test('says why the journal cannot be written, and that nothing is acknowledged', () => {
    const journal = { ...BODY.journal, state: 'failed', reason: 'No space left on device' };
    const status = statusWith({}, { journal, store: { ...BODY.store, state: 'down', reason: 'refused' } });
    expect(status).toMatchObject({ tone: 'down', label: 'Journal failed' });
    expect(status.notice).toContain('nothing is acknowledged until it can (No space left on device).');
  });

  test('tells a store that answers and takes no writes from one that is away', () => {
    const writer = { state: 'waiting', circuit: 'open', reason: 'not authorized', retryInMs: 2_000 };
    const status = statusWith({}, { writer });
    expect(status).toMatchObject({ tone: 'warn', label: 'Store not writable' });
    expect(status.notice).toBe('The store takes no writes, live goes on (not authorized).');
    expect(status.detail).toBe('1,200 readings wait in the journal. Next try in 2 s.');
    const note = (body: object) => storeNote(parseStats({ ...BODY, ...body }) ?? never());
    expect(note({})).toEqual({ text: 'up, readable', good: true });
    expect(note({ writer }).text).toBe('up, takes no writes');
    const store = { ...BODY.store, state: 'down' };
    expect(note({ store, writer }).text).toBe('away, writes paused');
    expect(note({ store, writer: { ...writer, circuit: 'half-open' } }).text).toBe('away, being tried');
  });

  test('ends with the reason when the server does not want it back', () => {
    const stop = { cause: 'close_code', closeCode: 4503, status: null, reason: 'forbidden origin' } as const;
    const status = statusWith({ link: { name: 'stopped', stop } });
    expect(status.label).toBe('Disconnected');
    expect(status.notice).toContain('forbidden origin');
  });
});

test('the page has a name for each store, and calls one that it does not know as the server does', () => {
  const names: Readonly<Record<StoreKind, string>> = STORE_NAMES;
  expect(Object.keys(names)).toEqual([...STORE_KINDS]);
  expect(storeName('influxdb')).toBe('InfluxDB');
  expect(storeName('of-later')).toBe('of-later');
});
