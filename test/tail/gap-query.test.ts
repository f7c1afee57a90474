import { describe, expect, test } from '@jest/globals';
import { createApi } from '../../src/api/index.ts';
import { LIMITS, MAX_TIME_NS, encodeCursor, systemClock } from '../../src/core/index.ts';
import { baseUrlOf, gapQuery } from '../../src/tail/gap-query.ts';
import { BASE_MS, openBench, type Bench } from './harness.ts';
import { serveTail } from './tail-socket.ts';

const at = (seconds: number): number => BASE_MS + seconds * 1_000;
const HOUR_MS = 3_600_000;

function apiOf(bench: Bench): ReturnType<typeof createApi> {
  const unasked = (): never => {
    throw new Error('the test asks for queries only');
  };
  const { journal, registry, store } = bench;
  const others = { status: unasked, stats: unasked, metrics: unasked, replay: unasked, connected: unasked };
  return createApi({ journal, registry, store, clock: systemClock, version: '0', ...others });
}

describe('the query of a gap', () => {
  test('is an absolute URL whose answer has every row that was missed: late ones and those ahead of time too', async () => {
    const bench = await openBench({ tailRetentionBytes: 1, snapshotBytes: 1 });
    const server = await serveTail(bench, {}, apiOf(bench));
    const ahead = Date.now() + 23 * HOUR_MS;
    const times = [at(0), at(-400 * 24 * 3_600), ahead, ...Array.from({ length: 12 }, (_, i) => at(i + 1))];
    for (const [count, time] of times.entries()) {
      bench.appendClimate(`d${count % 2}`, 'hall', [{ time, count }]);
      await bench.commit();
      await bench.settle();
    }
    const cursor = encodeCursor({ epoch: bench.journal.epoch, position: 0, history: null });
    // More devices than the server takes in one URL.
    const devices = Array.from({ length: 250 }, (_, i) => `a-device-with-a-rather-long-name-${i}`);
    const client = server.connect();
    await client.send({ type: 'subscribe', id: 'all', measurement: 'climate', cursor });
    const device = ['d0', ...devices];
    await client.send({ type: 'subscribe', id: 'many', measurement: 'climate', device, cursor });
    const url = `http://127.0.0.1:${server.port}/v1/query?measurement=climate&`;
    for (const [id, step] of [
      ['all', 1],
      ['many', 2],
    ] as const) {
      const gap = await client.expect('gap', id);
      expect(gap.missed).toBeNull();
      expect(gap.query).toMatch(/&from=[^&]+Z&to=[^&]+Z$/);
      expect(gap.query?.startsWith(url)).toBe(true);
      await client.expect('live', id);
      const answer = await fetch(gap.query ?? '');
      expect(answer.status).toBe(200);
      const { rows, cursor: next } = (await answer.json()) as { rows: unknown[][]; cursor: string | null };
      expect(next).toBeNull();
      const delivered = client.rows(id).map((row) => row[4]);
      const missed = times.flatMap((_, count) =>
        count % step === 0 && !delivered.includes(count) ? [count] : [],
      );
      expect(missed.length).toBeGreaterThan(0);
      expect(rows.map((row) => row[4])).toEqual(expect.arrayContaining(missed));
    }
  });

  test('leaves out of a filter what would make a URL that is too long, the devices first', () => {
    const many = (name: string): string[] =>
      Array.from({ length: 100 }, (_, i) => `${name} with a name ${i}`);
    const filter = {
      measurement: 'climate',
      fields: ['count'],
      devices: ['d1'],
      tags: { room: ['hall & attic'] },
    };
    const names = (wide: object): string[] => {
      const url = gapQuery('http://host', { ...filter, ...wide }, 5n, MAX_TIME_NS);
      expect(url.length).toBeLessThanOrEqual(LIMITS.tailGapQueryChars + 'http://host'.length);
      const query = new URL(url).searchParams;
      expect([query.get('from'), query.get('to')]).toEqual([
        '1970-01-01T00:00:00.000000005Z',
        '2262-04-11T23:47:16.854775807Z',
      ]);
      return [...new Set(query.keys())];
    };
    const [measurement, field, device, tag] = ['measurement', 'field', 'device', 'tag.room'];
    expect(names({})).toEqual([measurement, field, device, tag, 'from', 'to']);
    expect(names({ devices: many('device') })).toEqual([measurement, field, tag, 'from', 'to']);
    expect(names({ tags: { room: many('room') } })).toEqual([measurement, field, 'from', 'to']);
    expect(names({ fields: many('field') })).toEqual([measurement, 'from', 'to']);
  });

  test('begins with the address that the client knows the server by', () => {
    const base = (headers: Record<string, string>): string => baseUrlOf({ header: (name) => headers[name] });
    expect(base({ host: 'gateway:8080' })).toBe('http://gateway:8080');
    expect(base({ host: '[::1]:8080' })).toBe('http://[::1]:8080');
    expect(base({ host: 'a.example', 'x-forwarded-proto': 'https' })).toBe('https://a.example');
    expect(base({ host: 'a.example', origin: 'https://A.example' })).toBe('https://a.example');
    expect(base({ host: 'a.example', origin: 'https://b.example' })).toBe('http://a.example');
    for (const host of ['', 'a/b', 'a b', 'user@host', 'a?b', 'a:b', 'x'.repeat(300)]) {
      expect(base({ host })).toBe('');
    }
    expect(base({})).toBe('');
  });

  test('has the host of the upgrade request, also behind a proxy that ends TLS', async () => {
    const bench = await openBench();
    const { connect } = await serveTail(bench);
    const cursor = encodeCursor({ epoch: 'another', position: 0, history: null });
    const headers = { host: 'telemetry.example', 'x-forwarded-proto': 'https' };
    const client = connect(`?measurement=climate&cursor=${cursor}`, [], headers);
    const { query } = await client.expect('gap');
    expect(query).toMatch(/^https:\/\/telemetry\.example\/v1\/query\?measurement=climate&from=/);
  });
});
