import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LIMITS } from '../../src/core/index.ts';
import type { Origin } from '../../src/journal/index.ts';
import { NOW_MS, openApiFixture } from './fixture.ts';

let api: Awaited<ReturnType<typeof openApiFixture>>;
const origin: Origin = { device: 'a', transport: 'ws', onDurable: () => {}, onFailed: () => {} };

beforeAll(async () => {
  api = await openApiFixture();
  api.journal.append(origin, 1, Buffer.from('frame'), 3, NOW_MS);
  for (let seq = 2; seq <= 6; seq++) {
    api.journal.reject(origin, seq, {
      device: 'a',
      transport: 'ws',
      atMs: NOW_MS + seq,
      code: 'frame_truncated',
      message: `frame ${seq}`,
      readings: 1,
      position: null,
      bytes: Buffer.from([0xc3, 0x01, seq]),
    });
  }
  await api.journal.flush();
});
afterAll(() => api.close());

describe('health', () => {
  test('is alive', async () => {
    const { status, headers } = await api.call('/healthz');
    expect([status, headers['Cache-Control']]).toEqual([200, 'no-store']);
  });

  test('is ready with the state of each part', async () => {
    const { status, json } = await api.call('/readyz');
    expect(status).toBe(200);
    expect(json).toEqual({
      ready: true,
      queryReady: true,
      parts: { store: { state: 'up' }, journal: { state: 'open' } },
    });
  });

  test('without the store takes frames and answers no queries', async () => {
    const parts = { store: { state: 'down', reason: 'no route' } };
    api.state.report = { ingest: null, query: 'store_unavailable', parts };
    expect((await api.call('/readyz')).json).toMatchObject({ ready: true, queryReady: false, parts });
    const { status, headers, json } = await api.call('/readyz?for=query');
    expect(status).toBe(503);
    expect(headers['Content-Type']).toBe('application/problem+json');
    expect(json).toMatchObject({
      code: 'store_unavailable',
      status: 503,
      ready: true,
      queryReady: false,
      parts,
    });
  });

  test('while draining is not ready for anything', async () => {
    api.state.report = { ingest: 'draining', query: 'draining', parts: {} };
    for (const path of ['/readyz', '/readyz?for=query']) {
      const { status, json } = await api.call(path);
      expect([status, json['code']]).toEqual([503, 'draining']);
    }
    expect((await api.call('/readyz?for=lunch')).status).toBe(400);
  });
});

describe('figures', () => {
  test('/metrics is what the telemetry exposes', async () => {
    const { text, headers } = await api.call('/metrics');
    expect(text).toBe('millrace_up 1\n');
    expect(headers['Content-Type']).toBe('text/plain; version=0.0.4');
  });

  test('/v1/stats has the figures of the page', async () => {
    expect((await api.call('/v1/stats')).json).toMatchObject({ readings: { total: 100 }, version: '1.2.3' });
  });

  test('/v1/ledger balances', async () => {
    expect((await api.call('/v1/ledger')).json).toEqual({
      received: 8,
      stored: 0,
      duplicates: 0,
      rejected: 5,
      deadLettered: 0,
      expired: 0,
      pending: 3,
    });
    expect((await api.call('/v1/ledger?by=transport')).json).toMatchObject({
      received: 8,
      byTransport: {
        ws: expect.objectContaining({ received: 8, rejected: 5, pending: 3 }),
        http: expect.objectContaining({ received: 0, pending: 0 }),
        mqtt: expect.objectContaining({ received: 0, pending: 0 }),
      },
    });
  });
});

describe('/v1/dead-letters', () => {
  test('lists refused frames, newest first, with their bytes', async () => {
    const { json } = await api.call('/v1/dead-letters?limit=1');
    expect(json['deadLetters']).toEqual([
      {
        id: expect.any(String),
        at: new Date(NOW_MS + 6).toISOString(),
        device: 'a',
        transport: 'ws',
        kind: 'rejected',
        schema: null,
        code: 'frame_truncated',
        message: 'frame 6',
        readings: 1,
        seq: 6,
        position: null,
        bytes: Buffer.from([0xc3, 0x01, 6]).toString('base64'),
      },
    ]);
  });

  test('goes on from page to page', async () => {
    const seen: string[] = [];
    let cursor: unknown = null;
    do {
      const next = typeof cursor === 'string' ? `&cursor=${cursor}` : '';
      const { json } = await api.call(`/v1/dead-letters?limit=2${next}`);
      seen.push(...(json['deadLetters'] as { message: string }[]).map((each) => each.message));
      cursor = json['cursor'];
    } while (cursor !== null && seen.length < 100);
    expect(seen).toEqual(['frame 6', 'frame 5', 'frame 4', 'frame 3', 'frame 2']);
  });

  test('is narrowed by device, code, kind and transport', async () => {
    const messages = async (filter: string): Promise<string[]> => {
      const { json } = await api.call(`/v1/dead-letters?${filter}`);
      expect(json['cursor']).toBeNull();
      return (json['deadLetters'] as { message: string }[]).map((each) => each.message);
    };
    expect(await messages('device=a&kind=rejected&transport=ws&limit=5')).toHaveLength(5);
    for (const none of ['device=b', 'code=schema_unknown', 'kind=deadLettered', 'transport=mqtt']) {
      expect(await messages(none)).toEqual([]);
    }
    expect((await api.call('/v1/dead-letters?kind=lost')).json['code']).toBe('parameter_invalid');
  });

  test('shows one, and says when there is none of an id', async () => {
    const { json } = await api.call('/v1/dead-letters?limit=1');
    const [letter] = json['deadLetters'] as { id: string }[];
    expect((await api.call(`/v1/dead-letters/${letter?.id}`)).json).toEqual(letter);
    for (const id of ['zzzz', 'no-id', '%20']) {
      const { status, json: problem } = await api.call(`/v1/dead-letters/${id}`);
      expect([status, problem['code']]).toEqual([404, 'dead_letter_unknown']);
    }
  });

  test('says which are refused again, and changes nothing of them', async () => {
    const before = (await api.call('/v1/dead-letters')).text;
    const headers = { 'content-type': 'application/json' };
    const replay = (body: object) => api.call('/v1/dead-letters/replay', { method: 'POST', headers, body });
    const { status, json } = await replay({});
    expect([status, json['replayed'], json['refusedTotal']]).toEqual([200, 0, 5]);
    expect((json['refused'] as { code: string }[]).map(({ code }) => code)).toEqual(
      Array.from({ length: 5 }, () => 'frame_truncated'),
    );
    expect((await replay({ ids: ['zzzz'] })).json['refused']).toMatchObject([
      { id: 'zzzz', code: 'dead_letter_unknown' },
    ]);
    expect((await replay({ ids: [{}] })).json['code']).toBe('parameter_invalid');
    expect((await api.call('/v1/dead-letters')).text).toBe(before);
  });

  test('tries those that match, and takes ids or filters, not both', async () => {
    const replay = async (body: object) =>
      (await api.call('/v1/dead-letters/replay', { method: 'POST', body })).json;
    expect(await replay({ device: 'b' })).toEqual({ replayed: 0, pending: 0, refused: [], refusedTotal: 0 });
    expect(await replay({ device: 'a', kind: 'rejected' })).toMatchObject({ refusedTotal: 5 });
    expect(await replay({ ids: [] })).toMatchObject({ refusedTotal: 0 });
    expect(await replay({ ids: ['1'], device: 'a' })).toMatchObject({ code: 'parameter_invalid' });
    expect(await replay({ code: ['a', 'b'] })).toMatchObject({ code: 'parameter_invalid' });
  });

  test('names the schema as the frame does, and as the registry knows it', async () => {
    const known = api.options.registry.subjects().flatMap((name) => api.options.registry.versions(name));
    const meter = known.find(({ subject }) => subject === 'meter')?.id ?? 0;
    const schemaOf = async (bytes: number[]) => {
      const { deviceSeq } = api.journal;
      const seq = deviceSeq.call(api.journal, 'a') + 1;
      const refusal = { code: 'frame_trailing', message: 'x', readings: 1, position: null };
      const from = { device: 'a', transport: 'ws', atMs: NOW_MS } as const;
      api.journal.reject(origin, seq, { ...from, ...refusal, bytes: Buffer.from(bytes) });
      await api.journal.flush();
      const { json } = await api.call('/v1/dead-letters?limit=1');
      return (json['deadLetters'] as { schema: unknown }[])[0]?.schema;
    };
    const unknown = { fingerprint: null, id: null, subject: null, version: null };
    expect(await schemaOf([0, 0, 0, 0, meter, 1])).toMatchObject({ id: meter, subject: 'meter', version: 1 });
    expect(await schemaOf([0, 0, 0, 9, 1, 1])).toEqual({ ...unknown, id: 2_305 });
    expect(await schemaOf([0xc3, 1, 8, 7, 6, 5, 4, 3, 2, 1])).toEqual({
      ...unknown,
      fingerprint: '0102030405060708',
    });
    expect(await schemaOf([7])).toBeNull();
  });

  test('looks through so many letters for one page, and goes on from there', async () => {
    for (let n = 0; n < LIMITS.deadLettersScanned; n++) {
      // Two devices: of one alone no more are kept at once.
      const device = n % 2 === 0 ? 'a' : 'b';
      const seq = api.journal.deviceSeq(device) + 1 + (n >> 1);
      const letter = { device, transport: 'ws', atMs: NOW_MS, code: 'many', message: '' } as const;
      const from = { ...origin, device };
      api.journal.reject(from, seq, { ...letter, readings: 1, position: null, bytes: Buffer.from('x') });
    }
    await api.journal.flush();
    const first = await api.call('/v1/dead-letters?code=frame_truncated');
    expect(first.json['deadLetters']).toEqual([]);
    const second = await api.call(
      `/v1/dead-letters?code=frame_truncated&cursor=${String(first.json['cursor'])}`,
    );
    expect(second.json['deadLetters']).toHaveLength(5);
    expect(second.json['cursor']).toBeNull();
  });

  test('refuses the cursor of another list', async () => {
    const devices = Buffer.from(JSON.stringify(['k', 'devices', 'a'])).toString('base64url');
    expect((await api.call(`/v1/dead-letters?cursor=${devices}`)).json['code']).toBe('cursor_invalid');
  });
});
